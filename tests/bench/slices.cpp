#include "slices.h"

#include <algorithm>
#include <cmath>
#include <thread>

namespace gotuned::bench {
namespace {

/// More slices where more precision is wanted: the bare ones are in every ratio, and the window of system calls is held
/// against the floor.
constexpr std::array<std::size_t, conditions> slices_a_block{3, 2, 2, 1, 1, 3, 1, 1, 1, 3, 1};

struct Logs {
    std::vector<double> per_cpu_second{};
    std::vector<double> per_second{};
    void add(const Rate& rate) {
        per_cpu_second.push_back(std::log(rate.per_cpu_second));
        per_second.push_back(std::log(rate.per_second));
    }
};

}  // namespace

Status Slices::run_block() {
    std::vector<Condition> order;
    for (std::size_t i = 0; i < conditions; ++i)
        order.insert(order.end(), slices_a_block[i], static_cast<Condition>(i));
    std::shuffle(order.begin(), order.end(), random_);
    std::array<Logs, conditions> logs{};
    for (const Condition condition : order) {
        const auto attached = sets_.attach(condition);
        if (!attached) return fail(attached.error());
        // What attaching itself cost (loading, patched code, a look at every thread) is over then.
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        const auto rate = load_.measure(slice_);
        if (!rate) return fail(rate.error());
        logs[static_cast<std::size_t>(condition)].add(*rate);
    }
    const Logs& bare = logs[0];
    for (std::size_t i = 1; i < conditions; ++i) {
        ratios_[i].per_cpu_second.push_back(mean(logs[i].per_cpu_second) - mean(bare.per_cpu_second));
        ratios_[i].per_second.push_back(mean(logs[i].per_second) - mean(bare.per_second));
    }
    return {};
}

Result<Ratios> beside_tracer(Load& load, std::size_t rounds, Duration slice,
                             const std::function<Result<Child>()>& start) {
    Ratios ratios;
    auto before = load.measure(slice);
    for (std::size_t round = 0; round < rounds; ++round) {
        Rate with;
        {
            auto tracer = start();
            if (!tracer) return fail(tracer.error());
            tracer->discard_output();
            const auto measured = load.measure(slice);
            if (!measured) return fail(measured.error());
            with = *measured;
        }  // ended here: its last report must not fall into the bare slice
        auto after = load.measure(slice);
        if (!before || !after) return fail(before ? after.error() : before.error());
        const auto ratio = [](double of, double one, double other) {
            return std::log(of) - (std::log(one) + std::log(other)) / 2;
        };
        ratios.per_cpu_second.push_back(ratio(with.per_cpu_second, before->per_cpu_second, after->per_cpu_second));
        ratios.per_second.push_back(ratio(with.per_second, before->per_second, after->per_second));
        before = after;
    }
    return ratios;
}

std::vector<double> at_default(const Parts& parts, const Shares& shares, double daemon_cpu) {
    std::vector<double> logs;
    logs.reserve(parts.scheduler.size());
    const double sockets = std::min(shares.sockets, 1 - 2 * shares.windows);
    for (std::size_t i = 0; i < parts.scheduler.size(); ++i) {
        const double kept = (1 - sockets - 2 * shares.windows) * std::exp(parts.scheduler[i]) +
                            sockets * std::exp(parts.sockets[i]) +
                            shares.windows * (std::exp(parts.calls[i]) + std::exp(parts.interrupts[i]));
        logs.push_back(std::log(kept / (1 + daemon_cpu)));
    }
    return logs;
}

}  // namespace gotuned::bench

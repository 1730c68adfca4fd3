// scripts/bench syscall: nanoseconds that the probes add to one system call, of a watched process and of one that is
// not.
#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <random>
#include <vector>

#include "condition.h"
#include "load.h"
#include "rounds.h"
#include "statistics.h"

namespace gotuned::bench {
namespace {

/// getppid(2) does next to nothing, so what it takes is the way into the kernel and out of it.
double nanoseconds_a_call(Duration slice) {
    constexpr int batch = 2000;
    const MonoTime began = MonoClock::now();
    MonoTime now = began;
    double calls = 0;
    while (now - began < slice) {
        for (int i = 0; i < batch; ++i) ::syscall(SYS_getppid);
        calls += batch;
        now = MonoClock::now();
    }
    return seconds(now - began) * 1e9 / calls;
}

struct Spread {
    double middle = 0, low = 0, high = 0;
};

/// Mean and 95% interval (normal) of differences.
Spread spread_of(const std::vector<double>& values) {
    Spread spread;
    spread.middle = mean(values);
    double squares = 0;
    for (const double value : values) squares += (value - spread.middle) * (value - spread.middle);
    const auto count = static_cast<double>(values.size());
    const double half = count > 1 ? 1.96 * std::sqrt(squares / (count - 1) / count) : 0;
    spread.low = spread.middle - half;
    spread.high = spread.middle + half;
    return spread;
}

constexpr std::array<const char*, conditions> keys{
    "bare",          "scheduler_watched", "scheduler_neighbour", "sockets_watched",      "sockets_neighbour",
    "calls_watched", "calls_neighbour",   "interrupts_watched",  "interrupts_neighbour", "floor",
    "timing_floor"};

Status syscalls(const std::string& build, std::size_t rounds, bool json) {
    auto neighbour = Child::start({build + "/workloads/hog", "-n", "0"});
    if (!neighbour) return fail(neighbour.error());
    if (const auto ready = neighbour->wait_for("\"ready\"", std::chrono::seconds(5)); !ready)
        return fail(ready.error());
    const auto other = identify(neighbour->pid());
    const auto self = identify(::getpid());
    if (!other || !self) return fail(other ? self.error() : other.error());

    ProgramSets sets(*self, *other, false);
    std::mt19937 random(std::random_device{}());
    std::array<std::vector<double>, conditions> added;
    std::vector<double> bare;
    for (std::size_t round = 0; round < rounds; ++round) {
        std::vector<Condition> order;
        for (std::size_t i = 0; i < conditions; ++i) order.push_back(static_cast<Condition>(i));
        std::shuffle(order.begin(), order.end(), random);
        std::array<double, conditions> took{};
        for (const Condition condition : order) {
            const auto attached = sets.attach(condition);
            if (!attached) return fail(attached.error());
            (void)nanoseconds_a_call(std::chrono::milliseconds(5));
            took[static_cast<std::size_t>(condition)] = nanoseconds_a_call(std::chrono::milliseconds(100));
        }
        bare.push_back(took[0]);
        for (std::size_t i = 1; i < conditions; ++i) added[i].push_back(took[i] - took[0]);
    }
    const Spread alone = spread_of(bare);
    fmt::print(stderr, "{:<36} {:>8.1f} ns\n", "one getppid(2), bare", alone.middle);
    std::string text = fmt::format("{{\"bare\": {{\"ns\": {:.1f}, \"low\": {:.1f}, \"high\": {:.1f}}}", alone.middle,
                                   alone.low, alone.high);
    for (std::size_t i = 1; i < conditions; ++i) {
        const Spread more = spread_of(added[i]);
        fmt::print(stderr, "{:<36} {:>+8.1f} ns  [{:+.1f}, {:+.1f}]\n", to_string(static_cast<Condition>(i)),
                   more.middle, more.low, more.high);
        text += fmt::format(", \"{}\": {{\"ns\": {:.1f}, \"low\": {:.1f}, \"high\": {:.1f}}}", keys[i], more.middle,
                            more.low, more.high);
    }
    if (json) fmt::print("{}}}\n", text);
    return {};
}

}  // namespace
}  // namespace gotuned::bench

int main(int argc, char** argv) {
    return gotuned::bench::run_rounds(argc, argv, "bench_syscall", gotuned::bench::syscalls);
}

// scripts/bench programs: what one run of each BPF program costs by the kernel's own statistics, with the counters of
// the saturated server copied for each CPU and without, in turn.
#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>
#include <random>
#include <thread>

#include "load.h"
#include "probe/probes.h"
#include "rounds.h"
#include "statistics.h"

namespace gotuned::bench {
namespace {

constexpr Duration slice = std::chrono::milliseconds(400);

/// Nanoseconds a run of each program in one slice.
Result<std::map<std::string, double>> one_slice(const Load& load, bool copies) {
    ProbeOptions options;
    options.max_processes = 64;
    options.copies = copies;
    const auto probes = Probes::load(options);
    if (const auto watched = probes->watch(load.id); !watched) return fail(watched.error());
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    (void)probes->take(load.id, MonoClock::now());
    probes->tick(MonoClock::now());
    probes->sample_costs(slice);
    if (const auto opened = probes->open_window(); !opened) return fail(opened.error());
    std::this_thread::sleep_for(slice);
    probes->close_window();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    (void)probes->take(load.id, MonoClock::now());
    std::map<std::string, double> costs;
    for (const ProbeReport& report : probes->reports())
        if (report.seconds_per_run > 0) costs[report.probe] = report.seconds_per_run * 1e9;
    return costs;
}

Status programs(const std::string& build, std::size_t rounds, bool json) {
    std::string folder = "/tmp/gotuned-bench-XXXXXX";
    if (::mkdtemp(folder.data()) == nullptr) return fail("cannot make a folder");
    auto load = start_load(build + "/workloads/httpserver", folder + "/requests");
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
    if (!load) return fail(load.error());
    (void)load->measure(std::chrono::seconds(1));
    std::mt19937 random(std::random_device{}());
    struct Program {
        std::vector<double> with{}, without{}, ratio{};
    };
    std::map<std::string, Program> found;
    for (std::size_t round = 0; round < rounds; ++round) {
        const bool first = random() % 2 == 0;
        auto one = one_slice(*load, first);
        auto other = one_slice(*load, !first);
        if (!one || !other) return fail(one ? other.error() : one.error());
        const auto& with = first ? *one : *other;
        const auto& without = first ? *other : *one;
        for (const auto& [name, cost] : with) {
            const auto before = without.find(name);
            if (before == without.end()) continue;
            Program& program = found[name];
            program.with.push_back(cost);
            program.without.push_back(before->second);
            program.ratio.push_back(std::log(cost / before->second));
        }
    }
    fmt::print(stderr, "{:<18} {:>16} {:>16}   {}\n", "ns a run", "slots shared", "copies", "ratio, 95% interval");
    std::string text = "{";
    for (const auto& [name, program] : found) {
        const Kept ratio = kept_of(program.ratio);
        fmt::print(stderr, "{:<18} {:>16.0f} {:>16.0f}   {:.3f} [{:.3f}, {:.3f}]\n", name, mean(program.without),
                   mean(program.with), ratio.kept, ratio.low, ratio.high);
        if (text.size() > 1) text += ", ";
        text += fmt::format("\"{}\": {{\"shared_ns\": {:.1f}, \"copies_ns\": {:.1f}, \"ratio\": {:.4f}}}", name,
                            mean(program.without), mean(program.with), ratio.kept);
    }
    if (json) fmt::print("{}}}\n", text);
    return {};
}

}  // namespace
}  // namespace gotuned::bench

int main(int argc, char** argv) {
    return gotuned::bench::run_rounds(argc, argv, "bench_programs", gotuned::bench::programs);
}

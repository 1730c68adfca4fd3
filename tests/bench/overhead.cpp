// scripts/bench overhead: what it costs a saturated Go HTTP server to be watched, or to live beside one that is.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>

#include "arguments.h"
#include "daemon_cost.h"
#include "slices.h"

namespace gotuned::bench {
namespace {

struct Arguments {
    std::string build{};  ///< folder of gotuned and workloads/
    std::string config{};
    bool json = false;
    std::size_t min_blocks = 40;
    std::size_t max_blocks = 400;
    double half_width = 0.01;  ///< goal of the two default values
    std::size_t tracer_rounds = 8;
    Duration daemon_look = std::chrono::seconds(40);
};

struct Line {
    std::string name;
    Kept per_cpu_second{};
    Kept per_second{};
};

void print_table(const std::vector<Line>& lines, const DaemonCost& cost, std::size_t blocks) {
    fmt::print(stderr, "\n{:<36} {:^34}   {:^34} {:>7}\n", "kept of the bare value, 95% interval",
               "requests a CPU-second", "requests a second", "samples");
    for (const Line& line : lines) {
        const auto text = [](const Kept& kept) {
            return fmt::format("{:.3f}  [{:.3f}, {:.3f}] ±{:.3f}", kept.kept, kept.low, kept.high, kept.half_width());
        };
        fmt::print(stderr, "{:<36} {:^34}   {:^34} {:>7}\n", line.name, text(line.per_cpu_second),
                   text(line.per_second), line.per_cpu_second.samples);
    }
    fmt::print(stderr,
               "\ndefault = ((1 - s - 2w) * scheduler + s * sockets too + w * either window) / (1 + d), in each of {} "
               "blocks of random slices; then geometric mean, Student's t.\n"
               "  s = {:.4f}: share of the time in which its budget lets the running daemon see arrivals at sockets\n"
               "  w = {:.4f}: share of the time with the window of system calls open, and of that of interrupts, by "
               "the daemon's own metrics\n"
               "  d = {:.4f}: the daemon's CPU time ({:.4f} cores, with its children) divided by the server's\n"
               "Tracers: slices of 3 s from their ready line, against the mean of the bare slices before and after.\n",
               blocks, cost.sockets_share, cost.window_share, cost.cpu_ratio, cost.cpu_cores);
}

std::string json_of(const std::vector<std::pair<std::string, Kept>>& values) {
    std::string text = "{";
    for (const auto& [name, kept] : values) {
        if (text.size() > 1) text += ", ";
        text += fmt::format("\"{}\": {{\"kept\": {:.4f}, \"low\": {:.4f}, \"high\": {:.4f}}}", name, kept.kept,
                            kept.low, kept.high);
    }
    return text + "}";
}

Result<Child> start_syscount(pid_t pid) {
    // It says that it is ready by printf, which waits in a buffer unless the line is flushed.
    auto child = Child::start({"stdbuf", "-oL", "syscount", "-L", "-p", std::to_string(pid)});
    if (!child) return child;
    if (const auto ready = child->wait_for("Tracing syscalls", std::chrono::seconds(20)); !ready)
        return fail(ready.error());
    return child;
}

Result<Child> start_bpftrace(pid_t pid) {
    const std::string program = fmt::format(
        "BEGIN {{ printf(\"ready\\n\"); }} "
        "tracepoint:raw_syscalls:sys_enter /pid == {0}/ {{ @start[tid] = nsecs; }} "
        "tracepoint:raw_syscalls:sys_exit /@start[tid]/ {{ @took[args->id] = hist(nsecs - @start[tid]); "
        "delete(@start[tid]); }} "
        "END {{ clear(@start); }}",
        pid);
    auto child = Child::start({"bpftrace", "-e", program});
    if (!child) return child;
    if (const auto ready = child->wait_for("ready", std::chrono::seconds(30)); !ready) return fail(ready.error());
    return child;
}

Result<Child> start_runqlat(pid_t pid) {
    auto child = Child::start({"stdbuf", "-oL", "runqlat", "-p", std::to_string(pid)});
    if (!child) return child;
    if (const auto ready = child->wait_for("Tracing run queue latency", std::chrono::seconds(20)); !ready)
        return fail(ready.error());
    return child;
}

/// As tracers of Go programs do it: at the first instruction of the handler of requests, where the kernel has to step
/// over it one by one. (We would probe the jump behind it, which the kernel emulates.)
Result<Child> start_uprobe(const std::string& binary) {
    const std::string program = fmt::format(
        "BEGIN {{ printf(\"ready\\n\"); }} "
        "uprobe:{}:\"net/http.serverHandler.ServeHTTP\" {{ @requests[tid] = nsecs; }}",
        binary);
    auto child = Child::start({"bpftrace", "-e", program});
    if (!child) return child;
    if (const auto ready = child->wait_for("ready", std::chrono::seconds(30)); !ready) return fail(ready.error());
    return child;
}

/// What is kept of what the empty programs leave, block by block.
Kept beside_floor(const std::vector<double>& calls, const std::vector<double>& floor) {
    std::vector<double> logs;
    for (std::size_t i = 0; i < calls.size(); ++i) logs.push_back(calls[i] - floor[i]);
    return kept_of(logs);
}

/// A folder that goes away with the run.
struct Folder {
    std::string path = "/tmp/gotuned-bench-XXXXXX";
    Folder() {
        if (::mkdtemp(path.data()) == nullptr) path.clear();
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() {
        std::error_code ignored;
        if (!path.empty()) std::filesystem::remove_all(path, ignored);
    }
};

Status overhead(const Arguments& arguments) {
    const Folder folder;
    auto load = start_load(arguments.build + "/workloads/httpserver", folder.path + "/requests");
    if (!load) return fail(load.error());
    auto neighbour = Child::start({arguments.build + "/workloads/hog", "-n", "0"});
    if (!neighbour) return fail(neighbour.error());
    if (const auto ready = neighbour->wait_for("\"ready\"", std::chrono::seconds(5)); !ready)
        return fail(ready.error());
    const auto neighbour_id = identify(neighbour->pid());
    if (!neighbour_id) return fail(neighbour_id.error());
    (void)load->measure(std::chrono::seconds(2));  // warm: heap, connections, clock rate

    fmt::print(stderr, "The daemon beside the server, at default settings, {:.0f} s …\n",
               seconds(arguments.daemon_look));
    const auto cost =
        daemon_cost({arguments.build + "/gotuned", arguments.config, folder.path}, *load, arguments.daemon_look);
    if (!cost) return fail(cost.error());

    Slices slices(*load, *neighbour_id, cost->sockets_share >= 1, std::chrono::milliseconds(300));
    const auto defaults = [&](bool watched, std::vector<double> Ratios::* value) {
        const auto of = [&](Condition one, Condition other) -> const auto& {
            return slices.of(watched ? one : other).*value;
        };
        return kept_of(at_default({of(Condition::scheduler_watched, Condition::scheduler_neighbour),
                                   of(Condition::sockets_watched, Condition::sockets_neighbour),
                                   of(Condition::calls_watched, Condition::calls_neighbour),
                                   of(Condition::interrupts_watched, Condition::interrupts_neighbour)},
                                  {cost->sockets_share, cost->window_share}, cost->cpu_ratio));
    };
    const auto line = [&](std::string name, bool watched) {
        return Line{std::move(name), defaults(watched, &Ratios::per_cpu_second),
                    defaults(watched, &Ratios::per_second)};
    };
    const MonoTime began = MonoClock::now();
    while (slices.blocks() < arguments.max_blocks) {
        if (const Status done = slices.run_block(); !done) return done;
        const Kept watched = defaults(true, &Ratios::per_cpu_second);
        const Kept beside = defaults(false, &Ratios::per_cpu_second);
        if (slices.blocks() % 20 == 0) {
            fmt::print(stderr, "{} blocks, {:.0f} s: watched {:.3f} ±{:.3f}, neighbour {:.3f} ±{:.3f}\n",
                       slices.blocks(), seconds(MonoClock::now() - began), watched.kept, watched.half_width(),
                       beside.kept, beside.half_width());
        }
        if (slices.blocks() >= arguments.min_blocks && watched.half_width() <= arguments.half_width &&
            beside.half_width() <= arguments.half_width)
            break;
    }

    fmt::print(stderr, "Beside syscount and bpftrace, {} rounds each …\n", arguments.tracer_rounds);
    const pid_t server = load->server.pid();
    const auto syscount =
        beside_tracer(*load, arguments.tracer_rounds, std::chrono::seconds(3), [&] { return start_syscount(server); });
    if (!syscount) return fail(syscount.error());
    const auto bpftrace =
        beside_tracer(*load, arguments.tracer_rounds, std::chrono::seconds(3), [&] { return start_bpftrace(server); });
    if (!bpftrace) return fail(bpftrace.error());
    const auto runqlat =
        beside_tracer(*load, arguments.tracer_rounds, std::chrono::seconds(3), [&] { return start_runqlat(server); });
    if (!runqlat) return fail(runqlat.error());
    // Not every kernel has uprobes, and not every lockdown allows them.
    const auto uprobe = beside_tracer(*load, arguments.tracer_rounds, std::chrono::seconds(3),
                                      [&] { return start_uprobe(arguments.build + "/workloads/httpserver"); });
    if (!uprobe) fmt::print(stderr, "no uprobe here: {}\n", to_string(uprobe.error()));

    std::vector<Line> lines;
    lines.push_back(line("watched, default", true));
    lines.push_back(line("neighbour, default", false));
    for (std::size_t i = 1; i < conditions; ++i) {
        const Ratios& ratios = slices.of(static_cast<Condition>(i));
        lines.push_back({std::string(to_string(static_cast<Condition>(i))), kept_of(ratios.per_cpu_second),
                         kept_of(ratios.per_second)});
    }
    const Ratios& calls = slices.of(Condition::calls_watched);
    const Ratios& floor = slices.of(Condition::floor);
    const Ratios& timing = slices.of(Condition::timing_floor);
    lines.push_back({"window of system calls / floor", beside_floor(calls.per_cpu_second, floor.per_cpu_second),
                     beside_floor(calls.per_second, floor.per_second)});
    lines.push_back({"the same / floor of timing", beside_floor(calls.per_cpu_second, timing.per_cpu_second),
                     beside_floor(calls.per_second, timing.per_second)});
    lines.push_back({"syscount -L -p SERVER", kept_of(syscount->per_cpu_second), kept_of(syscount->per_second)});
    lines.push_back(
        {"bpftrace hist() by system call", kept_of(bpftrace->per_cpu_second), kept_of(bpftrace->per_second)});
    lines.push_back({"runqlat -p SERVER", kept_of(runqlat->per_cpu_second), kept_of(runqlat->per_second)});
    if (uprobe)
        lines.push_back(
            {"bpftrace, uprobe at +0 a request", kept_of(uprobe->per_cpu_second), kept_of(uprobe->per_second)});
    print_table(lines, *cost, slices.blocks());
    if (arguments.json) {
        std::vector<std::pair<std::string, Kept>> values{
            {"watched_default", lines[0].per_cpu_second},
            {"neighbour_default", lines[1].per_cpu_second},
            {"calls_watched", kept_of(calls.per_cpu_second)},
            {"floor", kept_of(floor.per_cpu_second)},
            {"calls_of_floor", beside_floor(calls.per_cpu_second, floor.per_cpu_second)},
            {"timing_floor", kept_of(timing.per_cpu_second)},
            {"calls_of_timing_floor", beside_floor(calls.per_cpu_second, timing.per_cpu_second)},
            {"syscount", kept_of(syscount->per_cpu_second)},
            {"bpftrace", kept_of(bpftrace->per_cpu_second)},
            {"runqlat", kept_of(runqlat->per_cpu_second)},
            {"scheduler_watched", kept_of(slices.of(Condition::scheduler_watched).per_cpu_second)},
            {"interrupts_watched", kept_of(slices.of(Condition::interrupts_watched).per_cpu_second)},
            {"sockets_watched", kept_of(slices.of(Condition::sockets_watched).per_cpu_second)}};
        if (uprobe) values.emplace_back("uprobe_at_0", kept_of(uprobe->per_cpu_second));
        fmt::print("{}\n", json_of(values));
    }
    return {};
}

std::optional<Arguments> parse(int argc, char** argv) {
    Arguments arguments;
    const auto own = [&arguments](const std::string& name, const std::string& value) {
        if (name == "--max-blocks")
            arguments.max_blocks = std::stoul(value);
        else if (name == "--min-blocks")
            arguments.min_blocks = std::stoul(value);
        else if (name == "--tracer-rounds")
            arguments.tracer_rounds = std::stoul(value);
        else if (name == "--daemon-seconds")
            arguments.daemon_look = std::chrono::seconds(std::stoul(value));
        else
            return false;
        return true;
    };
    if (!read_arguments(argc, argv, arguments, own)) return std::nullopt;
    return arguments;
}

}  // namespace
}  // namespace gotuned::bench

int main(int argc, char** argv) {
    const auto arguments = gotuned::bench::parse(argc, argv);
    if (!arguments) {
        fmt::print(stderr,
                   "usage: bench_overhead --build FOLDER --config FOLDER [--json] [--min-blocks N] [--max-blocks N] "
                   "[--tracer-rounds N] [--daemon-seconds N]\n");
        return 2;
    }
    if (const auto done = gotuned::bench::overhead(*arguments); !done) {
        fmt::print(stderr, "bench: {}\n", gotuned::to_string(done.error()));
        return 1;
    }
    return 0;
}

// scripts/bench react: from a memory stall's beginning to the evaluation of a rule that reads it, with the real daemon,
// a real Go server and a real stall in its cgroup. The trigger is set in a tick, and the next one is far away when the
// stall begins: what answers is the PSI trigger.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>
#include <vector>

#include "../arguments.h"
#include "../child.h"
#include "memory_stall.h"

namespace gotuned::bench {
namespace {

using namespace std::chrono_literals;

struct Arguments {
    std::string build{}, config{};
    bool json = false;
    int rounds = 20;
};

/// A tenth of the window, as the daemon asks for it (main/pressure_watch.h): 500 ms, or without CAP_SYS_RESOURCE the 2
/// s that the kernel grants instead. Status tells which.
Duration window = 500ms;
Duration threshold = 50ms;
constexpr double goal = 1.2;  ///< windows, from the stall's beginning

Status write_rule(const std::string& folder) {
    std::filesystem::create_directories(folder);
    std::ofstream file(folder + "/react.yaml");
    file << "version: 1\nrules:\n  - name: react\n    scope: cgroup\n    when: cgroup.memory.stall.rate > 0.1%\n"
            "    mode: enforce\n    adjust:\n      - knob: advise\n        text: It stalls.\n";
    file.close();
    if (!file) return fail("cannot write the rule", errno, folder);
    return {};
}

/// Whether the daemon's status holds these words.
bool says(const Arguments& arguments, const std::string& run, const std::string& words) {
    const std::string command = arguments.build + "/gotunectl --run-dir '" + run +
                                "' status --json 2>/dev/null | tr -d ' \n' | grep -qF '" + words + "'";
    return std::system(command.c_str()) == 0;
}

/// From the first moment in which it may stall to the rule's evaluation. The cgroup's own counter is not asked when the
/// stall began: it loses what is read in less than a jiffy (collect_percpu_times(), kernel/sched/psi.c).
Result<Duration> one_round(const Arguments& arguments, const std::string& folder) {
    std::filesystem::remove_all(folder);
    if (auto written = write_rule(folder + "/rules"); !written) return fail(written.error());
    std::string why;
    const auto stall = test::MemoryStall::make("/var/tmp", why);
    if (stall == nullptr) return fail("no memory stall can be made here: " + why);
    auto server = Child::start({arguments.build + "/workloads/httpserver", "-listen", "127.0.0.1:0"});
    if (!server) return fail(server.error());
    if (auto ready = server->wait_for("\"ready\"", 5s); !ready) return fail(ready.error());
    if (!stall->join(server->pid())) return fail("the server cannot be moved into the cgroup");
    auto daemon = Child::start({arguments.build + "/gotuned",
                                "run",
                                "--config",
                                folder + "/none.yaml",
                                "--rulebook",
                                folder + "/rules",
                                "--packaged",
                                folder + "/none",
                                "--profiles",
                                arguments.config + "/profiles",
                                "--profile",
                                "observe",
                                "--listen",
                                "127.0.0.1:0",
                                "--state-dir",
                                folder + "/state",
                                "--run-dir",
                                folder + "/run",
                                "--tick",
                                "15s"});
    if (!daemon) return fail(daemon.error());
    bool armed = false;
    for (int i = 0; i < 400 && !armed; ++i) {
        std::this_thread::sleep_for(100ms);
        armed = says(arguments, folder + "/run", "\"cgroups\":1,\"by_host\":0,");
    }
    if (!armed) return fail("gotuned has no trigger on the cgroup: gotunectl status says why");
    if (says(arguments, folder + "/run", "\"by_host\":0,\"stall_seconds\":0.2,\"window_seconds\":2")) {
        window = 2s;
        threshold = 200ms;
    }
    const MonoTime began = MonoClock::now();
    stall->begin();
    const auto told = daemon->wait_for("rule react for", 10s);
    if (!told) return fail("the rule was not evaluated: " + told.error().what);
    return MonoClock::now() - began;
}

struct Spread {
    double p50 = 0, max = 0;
};
Spread milliseconds(std::vector<Duration> values) {
    std::sort(values.begin(), values.end());
    return {seconds(values[values.size() / 2]) * 1e3, seconds(values.back()) * 1e3};
}

Status react(const Arguments& arguments) {
    std::string folder = (std::filesystem::temp_directory_path() / "gotuned-react-XXXXXX").string();
    if (::mkdtemp(folder.data()) == nullptr) return fail("cannot make a folder", errno);
    std::vector<Duration> taken;
    Status done{};
    for (int i = 0; i < arguments.rounds && done; ++i) {
        const auto round = one_round(arguments, folder + "/round");
        if (!round) {
            done = fail(round.error());
            break;
        }
        taken.push_back(*round);
        fmt::print(stderr, "round {:>2}: {:4.0f} ms from the stall's beginning\n", i + 1, seconds(*round) * 1e3);
    }
    std::filesystem::remove_all(folder);
    if (!done) return done;
    const Spread spread = milliseconds(taken);
    const double windows = spread.max / (seconds(window) * 1e3);
    fmt::print(stderr,
               "from the stall's beginning: median {:.0f} ms, worst {:.0f} ms: {:.2f} of the trigger's window\n",
               spread.p50, spread.max, windows);
    if (arguments.json)
        fmt::print(
            "{{\"rounds\": {}, \"window_ms\": {:.0f}, \"threshold_ms\": {:.0f}, "
            "\"react_ms\": {{\"p50\": {:.1f}, \"max\": {:.1f}}}, \"windows_max\": {:.3f}, \"within\": {}}}\n",
            arguments.rounds, seconds(window) * 1e3, seconds(threshold) * 1e3, spread.p50, spread.max, windows,
            windows <= goal);
    return {};
}

std::optional<Arguments> parse(int argc, char** argv) {
    Arguments arguments;
    const auto own = [&arguments](const std::string& name, const std::string& value) {
        if (name != "--rounds") return false;
        arguments.rounds = std::max(1, std::stoi(value));
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
        fmt::print(stderr, "usage: bench_react --build FOLDER --config FOLDER [--json] [--rounds N]\n");
        return 2;
    }
    if (const auto done = gotuned::bench::react(*arguments); !done) {
        fmt::print(stderr, "bench: {}\n", gotuned::to_string(done.error()));
        return 1;
    }
    return 0;
}

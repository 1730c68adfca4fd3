// scripts/bench scale: what the daemon costs beside 1, 100 and 1,000 mostly idle Go processes, each a service in a
// cgroup of its own, and beside none.
#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <sstream>
#include <thread>

#include "arguments.h"
#include "base/files.h"
#include "base/text.h"
#include "child.h"
#include "daemon_cost.h"

namespace gotuned::bench {
namespace {

using std::chrono::milliseconds;
namespace fs = std::filesystem;

struct Arguments {
    std::string build{};
    std::string config{};
    bool json = false;
    std::vector<std::size_t> processes{1, 100, 1000};
    Duration look = std::chrono::seconds(60);
    /// Before it looks. In its first minute the daemon finds out which of its targets do nothing, and its windows fill.
    Duration settle = std::chrono::seconds(90);
};

struct Measured {
    double cpu_percent = 0;  ///< of one CPU, children included
    double rss_mib = 0;
    double rss_most_mib = 0;  ///< the most since it started
    double scrape_ms = 0;     ///< median; each the first after a tick, which renders the page
    double scrape_kib = 0;
    double wakeups_per_s = 0;  ///< times that its threads went to sleep by themselves
    double start_ms = 0;       ///< from exec(2) to the first Snapshot
    double maps_mib = 0;
    double targets = 0;
};

Result<std::string> cgroup2_root() {
    std::ifstream mounts("/proc/self/mounts");
    for (std::string device, where, type, rest; mounts >> device >> where >> type && std::getline(mounts, rest);)
        if (type == "cgroup2") return where;
    return fail("no cgroup v2 hierarchy is mounted");
}

/// A folder of cgroups that goes away with the run, after those who live in it.
class Cgroups {
public:
    static Result<Cgroups> make(const std::string& root) {
        Cgroups made(root + "/gotuned-bench-" + std::to_string(::getpid()) + ".slice");
        if (::mkdir(made.path_.c_str(), 0755) != 0) return fail("cannot make a cgroup", errno, made.path_);
        return made;
    }
    Cgroups(Cgroups&& other) noexcept : path_(std::exchange(other.path_, {})), made_(std::move(other.made_)) {}
    Cgroups(const Cgroups&) = delete;
    Cgroups& operator=(const Cgroups&) = delete;
    Cgroups& operator=(Cgroups&&) = delete;
    ~Cgroups() {
        for (const std::string& one : made_) ::rmdir(one.c_str());
        if (!path_.empty()) ::rmdir(path_.c_str());
    }
    Status move(std::size_t number, pid_t pid) {
        const std::string one = fmt::format("{}/bench-{:04}.service", path_, number);
        if (::mkdir(one.c_str(), 0755) == 0) made_.push_back(one);
        std::ofstream file(one + "/cgroup.procs");
        file << pid << std::flush;
        if (!file) return fail("cannot move a process into its cgroup", errno, one);
        return {};
    }

private:
    explicit Cgroups(std::string path) : path_(std::move(path)) {}
    std::string path_;
    std::vector<std::string> made_{};
};

double kib_of(pid_t pid, const std::string& field) {
    std::ifstream status("/proc/" + std::to_string(pid) + "/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with(field + ":")) return std::stod(line.substr(field.size() + 1));
    return 0;
}

/// The sleeps of its own accord of all threads: each is a wake-up later.
double sleeps_of(pid_t pid) {
    double sum = 0;
    std::error_code error;
    for (const auto& task : fs::directory_iterator("/proc/" + std::to_string(pid) + "/task", error)) {
        std::ifstream status(task.path() / "status");
        for (std::string line; std::getline(status, line);)
            if (line.starts_with("voluntary_ctxt_switches:")) sum += std::stod(line.substr(24));
    }
    return sum;
}

/// proc(5), fdinfo of a map: map_id, memlock; each map once.
double maps_of(pid_t pid) {
    std::set<std::string> seen;
    double sum = 0;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator("/proc/" + std::to_string(pid) + "/fdinfo", error)) {
        std::ifstream words(entry.path());
        std::string id;
        double bytes = 0;
        for (std::string word; words >> word;) {
            if (word == "map_id:") words >> id;
            if (word == "memlock:") words >> bytes;
        }
        if (!id.empty() && seen.insert(id).second) sum += bytes;
    }
    return sum;
}

Result<Measured> measure(const Arguments& arguments, const std::string& folder, bool scrapes) {
    Measured measured;
    const std::string rulebook = folder + "/rulebook.d";
    fs::create_directories(rulebook);
    const std::uint16_t port = free_port();
    const MonoTime began = MonoClock::now();
    auto daemon =
        Child::start({arguments.build + "/gotuned", "run", "--config", folder + "/none.yaml", "--rulebook", rulebook,
                      "--packaged", arguments.config + "/rulebook.d", "--profiles", arguments.config + "/profiles",
                      "--profile", "observe", "--listen", "127.0.0.1:" + std::to_string(port), "--state-dir",
                      folder + "/state", "--run-dir", folder + "/run"});
    if (!daemon) return fail(daemon.error());
    for (;;) {
        const auto answer = ask(port, "/-/ready");
        if (answer && answer->find(" 200 ") != std::string::npos) break;
        if (MonoClock::now() - began > std::chrono::seconds(30)) return fail("gotuned did not become ready");
        std::this_thread::sleep_for(milliseconds(5));
    }
    measured.start_ms = seconds(MonoClock::now() - began) * 1000;
    constexpr Duration idle_host = std::chrono::seconds(12);  // all binaries are known, two ticks have gone by
    std::this_thread::sleep_for(scrapes ? arguments.settle : idle_host);

    const pid_t pid = daemon->pid();
    daemon->discard_output();
    const auto cpu_before = cpu_with_children(pid);
    const double sleeps_before = sleeps_of(pid);
    const MonoTime from = MonoClock::now();
    std::vector<double> took;
    // A scrape every 15 s, as Prometheus does by default it is every 60.
    constexpr Duration every = std::chrono::seconds(15);
    while (MonoClock::now() - from < arguments.look) {
        std::this_thread::sleep_for(std::min(every, arguments.look));
        if (!scrapes) continue;
        const MonoTime asked = MonoClock::now();
        const auto page = ask(port, "/metrics");
        took.push_back(seconds(MonoClock::now() - asked) * 1000);
        if (!page) return fail(page.error());
        measured.scrape_kib = static_cast<double>(page->size()) / 1024;
        const std::string key = "gotuned_targets{scope=\"process\"} ";
        if (const auto at = page->find(key); at != std::string::npos)
            measured.targets = std::stod(page->substr(at + key.size()));
    }
    const double window = seconds(MonoClock::now() - from);
    const auto cpu_after = cpu_with_children(pid);
    if (!cpu_before || !cpu_after) return fail("gotuned has ended");
    measured.cpu_percent = seconds(*cpu_after - *cpu_before) / window * 100;
    measured.wakeups_per_s = (sleeps_of(pid) - sleeps_before) / window;
    measured.rss_mib = kib_of(pid, "VmRSS") / 1024;
    measured.rss_most_mib = kib_of(pid, "VmHWM") / 1024;
    measured.maps_mib = maps_of(pid) / (1024 * 1024);
    std::ranges::sort(took);
    if (!took.empty()) measured.scrape_ms = took[took.size() / 2];
    return measured;
}

struct Folder {
    std::string path = "/tmp/gotuned-bench-XXXXXX";
    Folder() {
        if (::mkdtemp(path.data()) == nullptr) path.clear();
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() {
        std::error_code ignored;
        if (!path.empty()) fs::remove_all(path, ignored);
    }
};

void allow_many_files() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

Status scale(const Arguments& arguments) {
    allow_many_files();
    const auto root = cgroup2_root();
    if (!root) return fail(root.error());
    const auto run = [&](bool scrapes) {
        const Folder folder;
        return measure(arguments, folder.path, scrapes);
    };
    fmt::print(stderr, "{:>10} {:>8} {:>9} {:>10} {:>11} {:>11} {:>10} {:>10} {:>9}\n", "processes", "CPU", "RSS",
               "most RSS", "scrape", "page", "wake-ups", "start", "maps");
    const auto print = [](std::size_t processes, const Measured& of) {
        fmt::print(
            stderr,
            "{:>10} {:>7.2f}% {:>5.1f} MiB {:>6.1f} MiB {:>8.1f} ms {:>7.0f} KiB {:>8.2f}/s {:>7.0f} ms {:>5.1f} MiB\n",
            processes, of.cpu_percent, of.rss_mib, of.rss_most_mib, of.scrape_ms, of.scrape_kib, of.wakeups_per_s,
            of.start_ms, of.maps_mib);
    };
    const auto idle = run(false);
    if (!idle) return fail(idle.error());
    print(0, *idle);
    std::string json = fmt::format(
        "{{\"rss_mib_idle\": {:.2f}, \"wakeups_per_s_idle\": {:.3f}, \"cpu_percent_idle\": {:.3f}, \"start_ms\": "
        "{:.0f}, "
        "\"maps_mib\": {:.2f}",
        idle->rss_mib, idle->wakeups_per_s, idle->cpu_percent, idle->start_ms, idle->maps_mib);

    auto cgroups = Cgroups::make(*root);
    if (!cgroups) return fail(cgroups.error());
    std::vector<Child> children;
    for (const std::size_t count : arguments.processes) {
        while (children.size() < count) {
            auto child = Child::start({arguments.build + "/workloads/idler"});
            if (!child) return fail(child.error());
            if (const auto moved = cgroups->move(children.size(), child->pid()); !moved) return fail(moved.error());
            children.push_back(std::move(*child));
        }
        for (Child& child : children) child.discard_output();
        std::this_thread::sleep_for(std::chrono::seconds(2));
        const auto measured = run(true);
        if (!measured) return fail(measured.error());
        if (measured->targets < static_cast<double>(count))
            return fail(fmt::format("gotuned saw {} of {} processes", measured->targets, count));
        print(count, *measured);
        json += fmt::format(
            ", \"cpu_percent_{0}\": {1:.3f}, \"rss_mib_{0}\": {2:.2f}, \"scrape_ms_{0}\": {3:.2f}, \"scrape_kib_{0}\": "
            "{4:.0f}, \"start_ms_{0}\": {5:.0f}, \"wakeups_per_s_{0}\": {6:.3f}",
            count, measured->cpu_percent, measured->rss_mib, measured->scrape_ms, measured->scrape_kib,
            measured->start_ms, measured->wakeups_per_s);
    }
    // All at once, and not each with a patience of its own.
    for (Child& child : children) ::kill(child.pid(), SIGKILL);
    children.clear();
    if (arguments.json) fmt::print("{}}}\n", json);
    return {};
}

std::optional<Arguments> parse(int argc, char** argv) {
    Arguments arguments;
    const auto own = [&arguments](const std::string& name, const std::string& value) {
        if (name == "--seconds") {
            arguments.look = std::chrono::seconds(std::stoul(value));
        } else if (name == "--settle") {
            arguments.settle = std::chrono::seconds(std::stoul(value));
        } else if (name == "--processes") {
            arguments.processes.clear();
            for (const std::string_view one : split(value, ','))
                arguments.processes.push_back(std::stoul(std::string(one)));
        } else {
            return false;
        }
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
                   "usage: bench_scale --build FOLDER --config FOLDER [--json] [--processes N,N,…] [--seconds N] "
                   "[--settle N]\n");
        return 2;
    }
    if (const auto done = gotuned::bench::scale(*arguments); !done) {
        fmt::print(stderr, "bench: {}\n", gotuned::to_string(done.error()));
        return 1;
    }
    return 0;
}

// Storms: what a host may do in a bad minute, for some seconds. The daemon keeps its tick, feeds its watchdog, leaks
// nothing, counts what it drops, and makes no series of what was there for a moment only.
#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <set>

#include "daemon_process.h"
#include "paths.h"

using namespace gotuned;
using namespace gotuned::test;
using namespace std::chrono_literals;

namespace {

/// Some seconds, or as many as GOTUNED_STORM_SECONDS says.
std::chrono::seconds storm_length() {
    const char* asked = std::getenv("GOTUNED_STORM_SECONDS");
    return std::chrono::seconds(asked == nullptr ? 5 : std::max(std::atoi(asked), 1));
}
/// For people: a storm is as strong as the machine lets it be, no test asks for a rate.
void tell(const char* what, double number) {
    std::printf("storm: %.0f %s a second for %lld s\n", number / static_cast<double>(storm_length().count()), what,
                static_cast<long long>(storm_length().count()));
}

std::size_t entries(const std::string& directory) {
    std::size_t count = 0;
    DIR* opened = ::opendir(directory.c_str());
    if (opened == nullptr) return 0;
    while (::readdir(opened) != nullptr) ++count;
    ::closedir(opened);
    return count;
}
std::size_t descriptors(pid_t pid) { return entries("/proc/" + std::to_string(pid) + "/fd"); }
std::size_t threads(pid_t pid) { return entries("/proc/" + std::to_string(pid) + "/task"); }

double resident_kib(pid_t pid) {
    const std::string status = read_text("/proc/" + std::to_string(pid) + "/status");
    const auto at = status.find("VmRSS:");
    return at == std::string::npos ? 0 : std::stod(status.substr(at + 6));
}

/// The sum of a metric's samples whose labels hold `with`.
double sum_of(const std::string& metrics, const std::string& name, const std::string& with = {}) {
    std::istringstream lines(metrics);
    double sum = 0;
    for (std::string line; std::getline(lines, line);)
        if (line.starts_with(name) && line.find(with) != std::string::npos)
            sum += std::stod(line.substr(line.rfind(' ') + 1));
    return sum;
}
/// But for the host's, which come as it does things: an interrupt's handler, a softirq's vector. They are no storm's.
std::size_t lines_of(const std::string& metrics) {
    std::istringstream lines(metrics);
    std::size_t count = 0;
    for (std::string line; std::getline(lines, line);)
        if (line.find("gotuned_host_") == std::string::npos) ++count;
    return count;
}
/// The services and cgroups that series are about.
std::set<std::string> named_in(const std::string& metrics) {
    std::set<std::string> names;
    for (const std::string label : {"service=\"", "cgroup=\""})
        for (auto at = metrics.find(label); at != std::string::npos; at = metrics.find(label, at + 1)) {
            const auto name = at + label.size();
            names.insert(metrics.substr(at, metrics.find('"', name) - at));
        }
    return names;
}

/// A daemon with a watchdog of two seconds, of which systemd asks for a sign of life each second.
class Watched {
public:
    explicit Watched(const std::string& settings = {}) : daemon_(folder_.path) {
        if (!settings.empty()) write_text(folder_.path / "gotuned.yaml", settings);
        daemon_.start({"WATCHDOG_USEC=2000000"});
        REQUIRE(daemon_.notified("READY=1"));
        // As systemd does it: a socket that nobody reads is full after ten signs of life, and blocks who gives them.
        reader_ = std::thread([this] {
            while (!ended_) {
                const std::string said = daemon_.drain();
                std::size_t fed = 0;
                for (auto at = said.find("WATCHDOG=1"); at != std::string::npos; at = said.find("WATCHDOG=1", at + 1))
                    ++fed;
                fed_ = fed;
                std::this_thread::sleep_for(100ms);
            }
        });
        std::this_thread::sleep_for(2s);
        before_ = look();
    }
    ~Watched() {
        ended_ = true;
        reader_.join();
    }
    Watched(const Watched&) = delete;
    Watched& operator=(const Watched&) = delete;

    struct Look {
        std::size_t descriptors = 0, threads = 0, lines = 0, named = 0;
        double resident = 0;
        std::string metrics{};
    };
    Look look() {
        Look look;
        look.metrics = daemon_.metrics();
        look.lines = lines_of(look.metrics);
        look.named = named_in(look.metrics).size();
        look.descriptors = descriptors(daemon_.child().pid());
        look.threads = threads(daemon_.child().pid());
        look.resident = resident_kib(daemon_.child().pid());
        return look;
    }

    /// Runs `storm` again and again for some seconds and holds the daemon's state against the one before; of
    /// services and cgroups with series there may be `named_more`.
    template <typename Storm>
    Look survive(Storm storm, std::size_t named_more = 0) {
        const std::size_t lines_more = 120 * (named_more + 1);  // histograms and counters of each
        const std::size_t fed = fed_;
        const auto end = std::chrono::steady_clock::now() + storm_length();
        while (std::chrono::steady_clock::now() < end) storm();
        CHECK(fed_ >= fed + 2);
        // What ended is reported with the tick after it; then all is as it was.
        Look after;
        CHECK(eventually([&] {
            after = look();
            return after.descriptors <= before_.descriptors + 2 && after.threads <= before_.threads + 1 &&
                   after.lines <= before_.lines + lines_more && after.named <= before_.named + named_more;
        }));
        CAPTURE(before_.descriptors, after.descriptors, before_.threads, after.threads, before_.lines, after.lines,
                before_.named, after.named);
        CHECK(after.descriptors <= before_.descriptors + 2);
        CHECK(after.threads <= before_.threads + 1);
        CHECK(after.lines <= before_.lines + lines_more);
        CHECK(after.named <= before_.named + named_more);
        CHECK(after.resident < before_.resident + 8 * 1024);
        CHECK(daemon_.ctl("status").status == 0);
        // A tick is never lost for long.
        CHECK(sum_of(after.metrics, "gotuned_tick_seconds_count") >
              sum_of(before_.metrics, "gotuned_tick_seconds_count"));
        return after;
    }
    /// What a storm is held against is how it is now.
    void look_again() { before_ = look(); }
    [[nodiscard]] const Look& before() const { return before_; }
    DaemonProcess& daemon() { return daemon_; }
    [[nodiscard]] const fs::path& folder() const { return folder_.path; }

private:
    TempFolder folder_;
    DaemonProcess daemon_;
    Look before_;
    std::atomic<bool> ended_{false};
    std::atomic<std::size_t> fed_{0};  ///< signs of life since it was ready
    std::thread reader_;
};

std::string cgroup2() {
    std::ifstream mounts("/proc/self/mounts");
    for (std::string device, where, type, rest; mounts >> device >> where >> type && std::getline(mounts, rest);)
        if (type == "cgroup2") return where;
    return {};
}

/// Runs a program and waits for it.
void run_once(const char* program) {
    char* arguments[] = {const_cast<char*>(program), nullptr};
    pid_t pid = 0;
    if (::posix_spawn(&pid, program, nullptr, nullptr, arguments, environ) == 0) ::waitpid(pid, nullptr, 0);
}

}  // namespace

TEST_CASE("a storm of execs: each is looked at once or counted as lost, and nothing of them stays") {
    Watched watched;
    std::size_t execs = 0;
    const auto after = watched.survive([&] {
        std::vector<std::thread> starters;
        for (int i = 0; i < 4; ++i)
            starters.emplace_back([] {
                for (int n = 0; n < 25; ++n) run_once("/bin/true");
            });
        for (auto& starter : starters) starter.join();
        execs += 100;
    });
    tell("execs", static_cast<double>(execs));
    CAPTURE(execs);
    CHECK(execs >= 500);
    // One file, known as no Go program after the first look: hardly any of its execs is inspected again.
    CHECK(sum_of(after.metrics, "gotuned_discover_total", "inspected") <
          sum_of(watched.before().metrics, "gotuned_discover_total", "inspected") + 100);
    CHECK(sum_of(after.metrics, "gotuned_discover_total", "inspector_killed") == 0);
}

TEST_CASE("a storm of cgroups that are made and removed: no descriptor and no series stays") {
    const std::string root = cgroup2();
    if (root.empty() || ::access(root.c_str(), W_OK) != 0) {
        std::printf("SKIPPED: no cgroup v2 hierarchy that can be written\n");
        return;
    }
    Watched watched;
    const std::string base = root + "/gotuned-storm-" + std::to_string(::getpid());
    std::size_t made = 0;
    (void)watched.survive(
        [&] {
            for (int i = 0; i < 50; ++i) {
                const std::string one = base + "-" + std::to_string(i) + ".service";
                if (::mkdir(one.c_str(), 0755) != 0) continue;
                // A Go process in some of them, for a moment: these are targets, and then they are gone.
                if (i % 25 == 0) {
                    Child idle({build_folder() + "/workloads/discover_idle"}, {},
                               (watched.folder() / "idle.log").string());
                    write_text(one + "/cgroup.procs", std::to_string(idle.pid()));
                    std::this_thread::sleep_for(20ms);
                    idle.end(SIGKILL);
                }
                for (int tries = 0; ::rmdir(one.c_str()) != 0 && errno == EBUSY && tries < 200; ++tries)
                    std::this_thread::sleep_for(1ms);
                ++made;
            }
            std::this_thread::sleep_for(20ms);
        },
        3);  // the counters of the two services stay, and of what the program was before it was moved there
    tell("cgroups", static_cast<double>(made));
    CHECK(made >= 500);
}

TEST_CASE("a storm of connections to a watched server costs it none and the daemon nothing that stays") {
    Watched watched;
    Child server({build_folder() + "/workloads/httpserver", "-listen", "127.0.0.1:0"}, {},
                 (watched.folder() / "server.log").string());
    std::string address;
    REQUIRE(eventually([&] {
        const Json ready = Json::parse(read_text(watched.folder() / "server.log"), nullptr, false);
        address = ready.is_object() ? ready.value("listen", "") : "";
        return !address.empty();
    }));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    std::size_t connected = 0;
    const auto connect = [&] {
        for (int i = 0; i < 100; ++i) {
            const Fd one(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
            const linger at_once{1, 0};  // reset: no TIME_WAIT that would use up the ports
            ::setsockopt(one.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
            if (::connect(one.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0) ++connected;
        }
    };
    // The server has series of its own from its first connections on: more of them from tick to tick, then no more.
    std::size_t lines = 0;
    int same = 0;
    CHECK(eventually([&] {
        connect();
        std::this_thread::sleep_for(1s);
        const auto now = watched.look();
        same = now.lines == lines && now.metrics.find("service=\"httpserver\"") != std::string::npos ? same + 1 : 0;
        lines = now.lines;
        return same == 3;
    }));
    watched.look_again();
    connected = 0;
    (void)watched.survive(connect);
    tell("connections", static_cast<double>(connected));
    CHECK(connected >= 5000);
}

TEST_CASE("a storm of threads that live for a moment: none is remembered, and what could not be is counted") {
    Watched watched("version: 1\nprobes:\n  budget: 50%\n");  // so that all of it is seen
    const std::string log = (watched.folder() / "threads.log").string();
    Child threads({build_folder() + "/workloads/threads"}, {}, log);
    // All lines but the last, which may be half written.
    const auto made = [&] {
        double number = 0;
        std::istringstream lines(read_text(log));
        for (std::string line; std::getline(lines, line) && !lines.eof();) {
            const Json said = Json::parse(line, nullptr, false);
            if (said.is_object() && said.contains("threads")) number = said["threads"];
        }
        return number;
    };
    const auto of = [](const std::string& metrics, const std::string& reason) {
        return sum_of(metrics, "gotuned_probe_dropped_total", "reason=\"" + reason + "\"");
    };
    REQUIRE(eventually([&] {
        return made() > 0 &&
               watched.look().metrics.find("gotuned_runq_seconds_count{service=\"threads\"}") != std::string::npos;
    }));
    watched.look_again();
    const double before = made();
    const auto after = watched.survive([] { std::this_thread::sleep_for(100ms); }, 1);
    tell("threads", made() - before);
    threads.signal(SIGUSR1);
    double storm = 0;  // until it tells the same number twice
    CHECK(eventually([&] {
        std::this_thread::sleep_for(1500ms);
        return std::exchange(storm, made() - before) == made() - before;
    }));
    CHECK(storm >= 1000);
    // The threads that were remembered went with their ends: the table never filled up.
    CHECK(of(after.metrics, "task_full") == of(watched.before().metrics, "task_full"));
    // A stamp that outlived its thread would contradict those of the next one with its number.
    CHECK(of(after.metrics, "stale") <= of(watched.before().metrics, "stale") + storm * 0.01);
    // Each thread was switched to at least once, which the next tick tells.
    const auto switched_to = [](const std::string& metrics) {
        return sum_of(metrics, "gotuned_runq_seconds_count", "service=\"threads\"");
    };
    double counted = 0;
    CHECK(eventually([&] {
        counted = switched_to(watched.look().metrics) - switched_to(watched.before().metrics);
        return counted >= storm * 0.9;
    }));
    CAPTURE(storm, counted);
    CHECK(counted >= storm * 0.9);
}

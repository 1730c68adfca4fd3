// Loading: what is reported, what it costs in memory, and what happens where the kernel refuses.
#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/resource.h>

#include <array>
#include <cstring>
#include <set>
#include <sstream>
#include <thread>

#include "base/log.h"
#include "loopback.h"
#include "probe/features.h"
#include "probe_child.h"

using namespace gotuned;
using namespace std::chrono_literals;

namespace {

/// What this process's BPF maps hold in memory, each map once (proc(5), fdinfo of a map: map_id, memlock).
std::uint64_t bytes_of_maps() {
    std::set<std::string> seen;
    std::uint64_t sum = 0;
    DIR* directory = ::opendir("/proc/self/fdinfo");
    REQUIRE(directory != nullptr);
    while (const dirent* entry = ::readdir(directory)) {
        const auto text = read_file(std::string("/proc/self/fdinfo/") + entry->d_name);
        if (!text) continue;
        std::istringstream words(*text);
        std::string word, id;
        std::uint64_t bytes = 0;
        while (words >> word) {
            if (word == "map_id:") words >> id;
            if (word == "memlock:") words >> bytes;
        }
        if (!id.empty() && seen.insert(id).second) sum += bytes;
    }
    ::closedir(directory);
    return sum;
}

struct Refusal {
    std::atomic<bool> done{false};
    char reason[256]{};
    char said[256]{};
    int attached = 0, reports = 0;
    bool watch_failed = false, window_failed = false, heir_failed = false;
};

/// Loads where it cannot work and notes what came of it, with everything that was written to standard error.
void load_refused(Refusal& refusal) {
    std::array<int, 2> ends{};
    (void)!::pipe(ends.data());
    ::dup2(ends[1], STDERR_FILENO);
    set_log_level(LogLevel::error);
    const auto probes = Probes::load({});
    for (const auto& report : probes->reports()) {
        ++refusal.reports;
        refusal.attached += report.attached ? 1 : 0;
        if (report.probe == "sysctl_write") continue;  // needs another capability, and says so
        std::strncpy(refusal.reason, report.reason.c_str(), sizeof refusal.reason - 1);
    }
    refusal.watch_failed = !probes->watch({::getpid(), 1, 1}).has_value();
    refusal.window_failed = !probes->open_window().has_value();
    refusal.heir_failed = !probes->add_heir(::getpid()).has_value();
    (void)probes->take({::getpid(), 1, 1}, MonoClock::now());
    (void)probes->unwatch({::getpid(), 1, 1});
    (void)probes->drops();
    probes->close_window();
    probes->sample_costs(1ms);
    probes->drain_events([](const ProbeEvent&) {});
    ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
    (void)!::read(ends[0], refusal.said, sizeof refusal.said - 1);
    refusal.done = true;
}

void require_refused(Child<Refusal>& child) {
    REQUIRE(child.wait() == 0);
    REQUIRE(child->done);
    CHECK(child->reports == 26);
    CHECK(child->attached == 0);
    CHECK(child->watch_failed);
    CHECK(child->window_failed);
    CHECK(child->heir_failed);
    CHECK(std::string(child->said).empty());
}

}  // namespace

TEST_CASE("all probes are attached and say how") {
    const auto probes = load_probes();
    std::set<std::string> names;
    for (const auto& report : probes->reports()) {
        names.insert(report.probe);
        if (may_be_missing(report)) continue;  // has a test of its own
        CHECK(report.tier == "tp_btf");
        CHECK(report.reason.empty());
        const bool interrupts = report.probe.find("irq_") != std::string::npos || report.probe.starts_with("napi_");
        CHECK(report.windowed == (report.probe.starts_with("sys_") || interrupts));
    }
    REQUIRE(names.size() == 26);
    CHECK(probes->features().kernel_btf);
    CHECK_FALSE(probes->features().kernel.empty());
    CHECK_FALSE(probes->window_open());
}

TEST_CASE("at the default options the maps hold at most 16 MiB") {
    const std::uint64_t before = bytes_of_maps();
    const auto probes = load_probes();
    const std::uint64_t bytes = bytes_of_maps() - before;
    INFO(bytes);
    REQUIRE(bytes > 4U << 20U);
    REQUIRE(bytes <= 16U << 20U);
}

TEST_CASE("without privileges everything is reported with its reason, nothing is attached and nothing is printed") {
    Child<Refusal> child([](Refusal& refusal) {
        (void)!::syscall(SYS_setresgid, 65534, 65534, 65534);
        (void)!::syscall(SYS_setresuid, 65534, 65534, 65534);
        load_refused(refusal);
    });
    require_refused(child);
    INFO(child->reason);
    REQUIRE(std::string(child->reason).find("CAP_BPF") != std::string::npos);
}

TEST_CASE("where maps are allowed and programs are not, each program is refused by itself and slots work") {
    struct Outcome {
        int attached = 0, refused = 0;
        bool watched = false, seen_scheduler = false;
    };
    Child<Outcome> child([](Outcome& outcome) {
        constexpr unsigned cap_bpf = 39;  // linux/capability.h, 5.8: maps, but no tracing programs
        __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
        std::array<__user_cap_data_struct, 2> allowed{};
        allowed[1].effective = allowed[1].permitted = 1U << (cap_bpf - 32);
        if (::syscall(SYS_capset, &header, allowed.data()) != 0) ::_exit(1);
        set_log_level(LogLevel::error);
        const auto probes = Probes::load({});
        for (const auto& report : probes->reports()) {
            outcome.attached += report.attached ? 1 : 0;
            outcome.refused += report.reason.find("CAP_PERFMON") != std::string::npos ? 1 : 0;
        }
        const ProcessId self{::getpid(), 1, 1};
        outcome.watched = probes->watch(self).has_value();
        ::usleep(30'000);
        const SlotDelta delta = probes->take(self, MonoClock::now());
        outcome.seen_scheduler = delta.scheduler_observed != Duration::zero() || delta.switches != 0 ||
                                 probes->open_window().has_value() || probes->window_open();
    });
    REQUIRE(child.wait() == 0);
    CHECK(child->attached == 0);
    CHECK(child->refused == 25);
    CHECK(child->watched);
    CHECK_FALSE(child->seen_scheduler);
}

TEST_CASE("in a pid namespace of its own nothing is attached, since ids would mean other processes") {
    Child<Refusal> child([](Refusal& refusal) {
        if (::unshare(CLONE_NEWPID) != 0) ::_exit(1);
        const pid_t inner = ::fork();
        if (inner == 0) {
            load_refused(refusal);
            ::_exit(0);
        }
        int status = 0;
        ::waitpid(inner, &status, 0);
        ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
    });
    require_refused(child);
    REQUIRE(std::string(child->reason).find("pid namespace") != std::string::npos);
}

TEST_CASE("windows that are switched off are reported so, and the rest works") {
    ProbeOptions options;
    options.system_call_windows = false;
    const auto probes = Probes::load(options);
    for (const auto& report : probes->reports()) {
        INFO(report.probe);
        if (may_be_missing(report)) continue;
        CHECK(report.attached == !report.windowed);
        if (report.windowed) CHECK(report.reason.find("switched off") != std::string::npos);
    }
    CHECK_FALSE(probes->open_window());
    CHECK_FALSE(probes->window_open());
    CHECK(probes->watch({::getpid(), 1, 1}));
}

TEST_CASE("a sample tells runs and cost of the always attached probes, and of the windowed ones over a window") {
    const auto probes = load_probes();
    Child<Steps> child([](Steps& steps) {
        steps.reached = 1;
        for (;;) ::usleep(500);
    });
    child->await(1);
    REQUIRE(probes->watch(child.id()));
    probes->sample_costs(100ms);
    std::this_thread::sleep_for(120ms);
    REQUIRE(probes->open_window());
    probes->open_interrupts();
    std::this_thread::sleep_for(50ms);
    REQUIRE(talk_to_itself(20));  // a quiet host may have had no softirq yet
    probes->close_interrupts();
    probes->close_window();
    (void)probes->take(child.id(), MonoClock::now());
    double first = 0;
    for (const auto& report : probes->reports()) {
        INFO(report.probe);
        if (report.probe == "sched_switch" || report.probe == "sched_waking" || report.probe.starts_with("sys_") ||
            report.probe.starts_with("softirq_")) {
            CHECK(report.runs > 0);
            CHECK(report.cpu_seconds > 0);
        }
        first += report.cpu_seconds;
    }
    std::this_thread::sleep_for(20ms);
    double later = 0;
    for (const auto& report : probes->reports()) later += report.cpu_seconds;
    REQUIRE(later > first);
}

TEST_CASE("a table with one slot serves one process at a time and starts each from zero") {
    ProbeOptions options;
    options.max_processes = 1;
    const auto probes = load_probes(options);
    const auto sleeper = [](Steps& steps) {
        steps.stop_at(1);
        ::usleep(30'000);
        steps.stop_at(2);
    };
    Child<Steps> first(sleeper);
    Child<Steps> second(sleeper);
    first->await(1);
    second->await(1);
    REQUIRE(probes->watch(first.id()));
    const Status refused = probes->watch(second.id());
    REQUIRE_FALSE(refused);
    REQUIRE(refused.error().code == ENOSPC);
    first->pass(1);
    first->await(2);
    REQUIRE(probes->unwatch(first.id()).blocked[GT_SLEEP].count() == 1);
    REQUIRE(probes->watch(second.id()));
    first->pass(2);  // goes on and ends, unwatched
    REQUIRE(first.wait() == 0);
    const SlotDelta fresh = probes->take(second.id(), MonoClock::now());
    CHECK(fresh.blocked[GT_SLEEP].count() == 0);
    second->pass(1);
    second->await(2);
    CHECK(probes->take(second.id(), MonoClock::now()).blocked[GT_SLEEP].count() == 1);
}

TEST_CASE("a pid that cannot be is not watched, and what is not watched has no time") {
    const auto probes = load_probes();
    for (const pid_t pid : {0, -1, 1 << 22}) CHECK_FALSE(probes->watch({pid, 1, 1}));
    CHECK(probes->take({12345, 1, 1}, MonoClock::now()).elapsed == Duration::zero());
    CHECK(probes->switches_since({12345, 1, 1}) == 0);
}

TEST_CASE("lockdown is found without a mounted securityfs") {
    const std::string mode = detect_lockdown("/nonexistent");
    INFO(mode);
    REQUIRE((mode == "none" || mode == "integrity" || mode == "confidentiality" || mode == "unknown"));
    if (::geteuid() == 0) CHECK(mode == detect_lockdown());
    const auto mounts = read_file("/proc/self/mountinfo");
    REQUIRE(mounts);
    const bool visible = mounts->find(" /sys/kernel/security ") != std::string::npos;
    (void)detect_lockdown("/nonexistent");
    const auto after = read_file("/proc/self/mountinfo");
    REQUIRE((after->find(" /sys/kernel/security ") != std::string::npos) == visible);
}

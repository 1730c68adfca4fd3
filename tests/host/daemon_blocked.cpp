// A write that the kernel does not answer: it holds up neither the loop nor other targets, and is not lost. What blocks
// here is real: the daemon sees a file of ours as a sysctl, and a lease (fcntl(2), F_SETLEASE) on it makes open(2) for
// writing wait, while reading goes on.
#include <sys/resource.h>

#include <csignal>
#include <optional>

#include "base/files.h"
#include "daemon_process.h"
#include "paths.h"

using namespace gotuned;
using namespace gotuned::test;

namespace {

constexpr const char* swap_and_raise = R"(version: 1
targets:
  demo: { match: { env: "GOTUNED_TEST=blocked" } }
rules:
  - name: swap
    scope: host
    when: host.sysctl("vm.swappiness") > 50
    for: 2s
    adjust:
      - knob: sysctl.vm.swappiness
        to: 10
    mode: enforce
  - name: raise
    scope: process
    targets: [demo]
    when: fd.limit < 500
    adjust:
      - knob: rlimit.nofile
        to: 512
    mode: enforce
)";

/// After so long the kernel takes a lease away; put back at the end.
class LeaseTime {
public:
    LeaseTime() : before_(read_text(file)) { write_text(file, "600\n"); }
    LeaseTime(const LeaseTime&) = delete;
    LeaseTime& operator=(const LeaseTime&) = delete;
    ~LeaseTime() { write_text(file, before_); }

private:
    static constexpr const char* file = "/proc/sys/fs/lease-break-time";
    std::string before_;
};

/// As long as it lives nobody can open the file for writing: whoever tries, waits.
class WritersWait {
public:
    explicit WritersWait(const fs::path& path) : file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
        REQUIRE(::fcntl(file_.get(), F_SETLEASE, F_RDLCK) == 0);
    }

private:
    Fd file_;
};

rlim_t soft_limit(pid_t pid) {
    rlimit limit{};
    REQUIRE(::prlimit(pid, RLIMIT_NOFILE, nullptr, &limit) == 0);
    return limit.rlim_cur;
}

/// A daemon whose write to the sysctl blocks, and has done so for longer than its deadline.
struct Blocked {
    TempFolder folder{};
    fs::path swappiness = folder.path / "swappiness";
    std::vector<std::string> there = with_mounts({{swappiness, "/proc/sys/vm/swappiness"}});
    LeaseTime time{};
    DaemonProcess daemon{folder.path};
    std::optional<WritersWait> lease{};
    std::optional<Child> server{};

    Blocked() {
        // The kernel tells the holder of a lease by a signal that somebody waits, which would end us.
        std::signal(SIGIO, SIG_IGN);
        write_text(swappiness, "40\n");
        write_text(folder.path / "rules" / "50-own.yaml", swap_and_raise);
        daemon.within(there);
        daemon.start({"WATCHDOG_USEC=4000000"});
        REQUIRE(daemon.notified("READY=1"));
        write_text(swappiness, "60\n");
        lease.emplace(swappiness);
        const bool overdue = eventually([&] { return daemon.history_has("overdue", "swap"); });
        INFO(daemon.log() << daemon.ctl("explain swap host").output);
        REQUIRE(overdue);
    }
    void start_server() {
        server.emplace(
            std::vector<std::string>{build_folder() + "/workloads/fdlimit", "-soft", "64", "-connections", "1"},
            std::vector<std::string>{"GOTUNED_TEST=blocked"}, (folder.path / "server.log").string());
    }
    [[nodiscard]] Json adjustment(const std::string& rule) const {
        const Json status = daemon.ctl_json("status");
        for (const Json& one : status["adjustments"])
            if (one.value("rule", "") == rule) return one;
        return {};
    }
};

}  // namespace

TEST_CASE("a write that blocks is told as still running, holds up nothing else, and is settled when it comes back") {
    Blocked blocked;
    DaemonProcess& daemon = blocked.daemon;
    const Json waiting = blocked.adjustment("swap");
    CHECK(waiting.value("state", "") == "planned");
    CHECK(waiting.value("note", "").find("the write is still running after ") == 0);

    blocked.start_server();
    CHECK(eventually([&] { return daemon.history_has("kept", "raise"); }));
    CHECK(soft_limit(blocked.server->pid()) == 512);
    daemon.forget_notifications();
    CHECK(daemon.notified("WATCHDOG=1"));
    CHECK(daemon.metrics().find("gotuned_adjustments_total{") != std::string::npos);
    CHECK(daemon.metrics().find("outcome=\"overdue\"") != std::string::npos);
    const auto undo = daemon.ctl("undo " + std::to_string(waiting.value("id", 0)));
    CHECK(undo.status == 1);
    CHECK(undo.output.find("still running") != std::string::npos);
    CHECK(read_text(blocked.swappiness) == "60\n");

    // What was asked for meanwhile is done when the write has come back.
    blocked.lease.reset();
    CHECK(eventually([&] { return daemon.history_has("applied", "swap") && daemon.history_has("undone", "swap"); }));
    CHECK(read_text(blocked.swappiness) == "60");
    CHECK(soft_limit(blocked.server->pid()) == 512);
}

TEST_CASE("a stop is not held up by a write that blocks: the others are put back, and it is accounted for later") {
    Blocked blocked;
    DaemonProcess& daemon = blocked.daemon;
    blocked.start_server();
    REQUIRE(eventually([&] { return daemon.history_has("kept", "raise"); }));
    CHECK(daemon.child().end(SIGTERM) == 0);
    CHECK(read_text(blocked.swappiness) == "60\n");  // it blocked to the end
    CHECK(soft_limit(blocked.server->pid()) == 64);
    CHECK(daemon.log().find("stop: sysctl.vm.swappiness of swap on host: failed: ") != std::string::npos);

    blocked.lease.reset();
    std::vector<std::string> undo = blocked.there;
    for (const std::string& word : {build_folder() + "/gotuned", std::string("undo"), std::string("--run-dir"),
                                    (blocked.folder.path / "run").string()})
        undo.push_back(word);
    CHECK(Child(undo, {}, (blocked.folder.path / "undo.log").string()).wait() == 0);
    CHECK(read_text(blocked.folder.path / "undo.log").find("undone sysctl.vm.swappiness") != std::string::npos);
    CHECK(read_text(blocked.swappiness) == "60\n");
}

// Nothing that was changed is ever lost: the real daemon is killed, restarted, given broken rulebooks, and the real
// descriptor limit of a real Go server is what is looked at.
#include <sys/resource.h>

#include "base/files.h"
#include "daemon_process.h"
#include "paths.h"

using namespace gotuned;
using namespace gotuned::test;

namespace {

constexpr const char* raise_nofile = R"(version: 1
targets:
  demo: { match: { env: "GOTUNED_TEST=recovery" } }
rules:
  - name: raise
    scope: process
    targets: [demo]
    when: fd.used / fd.limit > 60%
    adjust:
      - knob: rlimit.nofile
        to: 512
    verify: { settle: 1s, hold: 2s, expect: fd.used / fd.limit < 60% }
    cooldown: 1s
    mode: enforce
)";

constexpr const char* bound_and_swap = R"(version: 1
targets:
  demo: { match: { env: "GOTUNED_TEST=recovery" } }
rules:
  - name: bound
    scope: cgroup
    targets: [demo]
    when: cgroup.memory.high > 1GiB
    adjust:
      - knob: cgroup.memory.high
        to: 512MiB
    cooldown: 1s
    mode: enforce
  - name: swap
    scope: host
    when: host.sysctl("vm.swappiness") > 50
    adjust:
      - knob: sysctl.vm.swappiness
        to: 10
    cooldown: 1s
    mode: enforce
)";

/// A cgroup of this test in the real unified hierarchy, for its name in /proc/PID/cgroup.
struct Cgroup {
    std::string name = "gotuned-test-" + std::to_string(::getpid());
    fs::path path = find_cgroup2("/proc") + "/" + name;
    Cgroup() { REQUIRE(fs::create_directory(path)); }
    Cgroup(const Cgroup&) = delete;
    Cgroup& operator=(const Cgroup&) = delete;
    /// Its processes must have ended.
    ~Cgroup() {
        eventually([this] { return ::rmdir(path.c_str()) == 0; });
    }
    void take(pid_t pid) const { write_text(path / "cgroup.procs", std::to_string(pid) + "\n"); }
};

/// A process that is nobody's child here, killed with the test.
struct Orphan {
    pid_t pid;
    explicit Orphan(pid_t which) : pid(which) {}
    Orphan(const Orphan&) = delete;
    Orphan& operator=(const Orphan&) = delete;
    ~Orphan() {
        if (pid > 0) ::kill(pid, SIGKILL);
    }
};

/// The pid that the server reports of its child; 0 when it never does.
pid_t child_in(const fs::path& log) {
    pid_t pid = 0;
    eventually([&] {
        std::stringstream lines(read_text(log));
        for (std::string line; std::getline(lines, line);) {
            const Json said = Json::parse(line, nullptr, false);
            if (said.is_object() && said.value("event", "") == "child") pid = said.value("child", 0);
        }
        return pid != 0;
    });
    return pid;
}

rlim_t soft_limit(pid_t pid) {
    rlimit limit{};
    REQUIRE(::prlimit(pid, RLIMIT_NOFILE, nullptr, &limit) == 0);
    return limit.rlim_cur;
}

/// A Go server whose connections use most of its 64 descriptors, for good.
Child full_server(const fs::path& folder) {
    Child server({build_folder() + "/workloads/fdlimit", "-soft", "64", "-connections", "25", "-step", "5ms",
                  "-close-after", "0s"},
                 {"GOTUNED_TEST=recovery"}, (folder / "server.log").string());
    REQUIRE(eventually([&] {
        std::size_t used = 0;
        for ([[maybe_unused]] const auto& entry :
             fs::directory_iterator("/proc/" + std::to_string(server.pid()) + "/fd"))
            ++used;
        return used > 50;
    }));
    REQUIRE(soft_limit(server.pid()) == 64);
    return server;
}

}  // namespace

TEST_CASE("after SIGKILL the next start adopts what still stands, and SIGTERM does not starve the server") {
    const TempFolder folder;
    DaemonProcess daemon(folder.path);
    write_text(folder.path / "rules" / "50-own.yaml", raise_nofile);
    Child server = full_server(folder.path);
    daemon.start();
    REQUIRE(daemon.notified("READY=1"));
    const bool kept = eventually([&] { return daemon.history_has("kept", "raise"); });
    INFO(daemon.log() << daemon.ctl("explain raise demo").output << daemon.ctl("history").output);
    REQUIRE(kept);
    CHECK(soft_limit(server.pid()) == 512);
    daemon.child().end(SIGKILL);
    CHECK(soft_limit(server.pid()) == 512);

    daemon.forget_notifications();
    daemon.start();
    REQUIRE(daemon.notified("READY=1"));
    CHECK(eventually([&] { return daemon.history_has("adopted", "raise"); }));
    CHECK(soft_limit(server.pid()) == 512);

    // More than 50 descriptors are in use: 64 would leave no margin, so the undo waits, and says so.
    CHECK(daemon.child().end(SIGTERM) == 0);
    CHECK(soft_limit(server.pid()) == 512);
    CHECK(daemon.log().find("undo_deferred") != std::string::npos);

    const std::string undo = build_folder() + "/gotuned undo --run-dir '" + (folder.path / "run").string() + "' ";
    const auto safely = run_command(undo + "--unless-running 2>&1");
    CHECK(safely.status == 1);
    CHECK(safely.output.find("undo_deferred") != std::string::npos);
    CHECK(soft_limit(server.pid()) == 512);
    CHECK(run_command(undo + "--force 2>&1").status == 0);
    CHECK(soft_limit(server.pid()) == 64);
}

TEST_CASE("a start with a broken rulebook undoes nothing, and a rule that is gone is undone when it is safe") {
    const TempFolder folder;
    DaemonProcess daemon(folder.path);
    write_text(folder.path / "rules" / "50-own.yaml", raise_nofile);
    Child server = full_server(folder.path);
    daemon.start();
    REQUIRE(daemon.notified("READY=1"));
    REQUIRE(eventually([&] { return daemon.history_has("kept", "raise"); }));
    daemon.child().end(SIGKILL);

    write_text(folder.path / "rules" / "50-own.yaml", "version: 1\nrules: [\n");
    SECTION("with a last-good rulebook it goes on with that") {
        daemon.forget_notifications();
        daemon.start();
        REQUIRE(daemon.notified("READY=1"));
        CHECK(daemon.ctl_json("status")["rulebook"]["origin"] == "last_good");
        CHECK(eventually([&] { return daemon.history_has("adopted", "raise"); }));
    }
    SECTION("without one it decides nothing and is not ready") {
        fs::remove_all(folder.path / "state" / "last-good");
        daemon.forget_notifications();
        daemon.start();
        REQUIRE(daemon.notified("READY=1"));
        CHECK(eventually([&] { return daemon.history_has("adopted", "raise"); }));
        CHECK_FALSE(daemon.ctl_json("status")["ready"].get<bool>());
    }
    CHECK(soft_limit(server.pid()) == 512);
    // The rule is gone for good now: its change is to be undone, but not while the server needs the descriptors.
    write_text(folder.path / "rules" / "50-own.yaml", "version: 1\n");
    CHECK(daemon.ctl("reload").status == 0);
    CHECK(eventually([&] { return daemon.history_has("undo_deferred", "raise"); }));
    CHECK(soft_limit(server.pid()) == 512);
}

TEST_CASE("a child that was forked while no daemon ran gets the original back, also when its parent has ended") {
    const TempFolder folder;
    DaemonProcess daemon(folder.path);
    write_text(folder.path / "rules" / "50-own.yaml", raise_nofile);
    Child server = full_server(folder.path);
    daemon.start();
    REQUIRE(daemon.notified("READY=1"));
    REQUIRE(eventually([&] { return daemon.history_has("kept", "raise"); }));
    daemon.child().end(SIGKILL);

    server.signal(SIGUSR1);
    const Orphan heir(child_in(folder.path / "server.log"));
    REQUIRE(heir.pid > 0);
    REQUIRE(soft_limit(heir.pid) == 512);
    daemon.forget_notifications();
    daemon.start();
    REQUIRE(daemon.notified("READY=1"));
    REQUIRE(eventually([&] { return daemon.history_has("adopted", "raise"); }));
    CHECK(soft_limit(heir.pid) == 512);
    // Nothing but the journal knows whose child it was, once the server is gone.
    server.end(SIGKILL);
    CHECK(eventually([&] { return soft_limit(heir.pid) == 64; }));
}

TEST_CASE("changes of a cgroup and of the host outlive a kill, and are put back when their rules are gone") {
    const TempFolder folder;
    const Cgroup cgroup;
    // The host's files, as the daemon sees them: its own copy of a hierarchy with the memory controller, and a sysctl.
    const fs::path tree = folder.path / "cgroup2";
    fs::create_directories(tree / cgroup.name);
    write_text(tree / "cgroup.controllers", "cpu memory\n");
    write_text(tree / "cgroup.subtree_control", "memory\n");
    const fs::path high = tree / cgroup.name / "memory.high";
    const fs::path swappiness = folder.path / "swappiness";
    write_text(tree / cgroup.name / "cgroup.controllers", "memory\n");
    write_text(tree / cgroup.name / "cgroup.procs", "");
    write_text(tree / cgroup.name / "cgroup.events", "populated 1\n");
    for (const char* file : {"memory.high", "memory.max"}) write_text(tree / cgroup.name / file, "max\n");
    write_text(tree / cgroup.name / "memory.current", "1048576\n");
    write_text(tree / cgroup.name / "memory.stat", "inactive_file 0\n");
    write_text(swappiness, "60\n");
    const std::string unified = find_cgroup2("/proc");
    const auto there = with_mounts({{tree, unified}, {swappiness, "/proc/sys/vm/swappiness"}});

    DaemonProcess daemon(folder.path);
    daemon.within(there);
    write_text(folder.path / "rules" / "50-own.yaml", bound_and_swap);
    Child server({build_folder() + "/workloads/fdlimit", "-connections", "1"}, {"GOTUNED_TEST=recovery"},
                 (folder.path / "server.log").string());
    cgroup.take(server.pid());
    daemon.start();
    REQUIRE(daemon.notified("READY=1"));
    const bool kept =
        eventually([&] { return daemon.history_has("kept", "bound") && daemon.history_has("kept", "swap"); });
    INFO(daemon.log() << daemon.ctl("explain bound demo").output << daemon.ctl("history").output);
    REQUIRE(kept);
    daemon.child().end(SIGKILL);
    CHECK(read_text(high) == "536870912");
    CHECK(read_text(swappiness) == "10");

    SECTION("the next start adopts them, and undoes them when their rules are gone") {
        daemon.forget_notifications();
        daemon.start();
        REQUIRE(daemon.notified("READY=1"));
        CHECK(eventually(
            [&] { return daemon.history_has("adopted", "bound") && daemon.history_has("adopted", "swap"); }));
        CHECK(read_text(high) == "536870912");
        CHECK(read_text(swappiness) == "10");
        write_text(folder.path / "rules" / "50-own.yaml", "version: 1\n");
        CHECK(daemon.ctl("reload").status == 0);
        CHECK(
            eventually([&] { return daemon.history_has("undone", "bound") && daemon.history_has("undone", "swap"); }));
    }
    SECTION("without a daemon the end of the lease puts them back") {
        std::vector<std::string> undo = there;
        for (const std::string& word : {build_folder() + "/gotuned", std::string("undo"), std::string("--run-dir"),
                                        (folder.path / "run").string()})
            undo.push_back(word);
        CHECK(Child(undo, {}, (folder.path / "undo.log").string()).wait() == 0);
    }
    CHECK(read_text(high) == "max");
    CHECK(read_text(swappiness) == "60");
}

TEST_CASE("with --leased a stop leaves changes in force, and what comes after the lease puts them back") {
    const TempFolder folder;
    DaemonProcess daemon(folder.path);
    write_text(folder.path / "gotuned.yaml", "adjust: { lease: 45s }\n");
    write_text(folder.path / "rules" / "50-own.yaml", raise_nofile);
    const std::string undo = build_folder() + "/gotuned undo --unless-running --run-dir '" +
                             (folder.path / "run").string() + "' --state-dir '" + (folder.path / "state").string() +
                             "' 2>&1";
    Child server = full_server(folder.path);
    daemon.start({}, {"--leased"});
    REQUIRE(daemon.notified("READY=1"));
    REQUIRE(eventually([&] { return daemon.history_has("kept", "raise"); }));
    CHECK(read_text(folder.path / "run" / "lease") == "45000ms\n");
    CHECK(daemon.child().end(SIGTERM) == 0);
    CHECK(soft_limit(server.pid()) == 512);
    CHECK(daemon.log().find("undo") == std::string::npos);

    SECTION("a daemon that is back by then goes on") {
        daemon.forget_notifications();
        daemon.start({}, {"--leased"});
        REQUIRE(daemon.notified("READY=1"));
        CHECK(eventually([&] { return daemon.history_has("adopted", "raise"); }));
        const auto late = run_command(undo);
        CHECK(late.status == 0);
        CHECK(late.output.empty());
        CHECK(soft_limit(server.pid()) == 512);
    }
    SECTION("else everything is put back as soon as that is safe") {
        CHECK(run_command(undo).status == 1);
        CHECK(soft_limit(server.pid()) == 512);
        server.end(SIGKILL);
        CHECK(run_command(undo).status == 0);
    }
}

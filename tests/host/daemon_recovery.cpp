// Nothing that was changed is ever lost: the real daemon is killed, restarted, given broken rulebooks, and the real
// descriptor limit of a real Go server is what is looked at.
#include <sys/resource.h>

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

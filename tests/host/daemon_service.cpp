// The daemon as a service: what systemd, an operator and Prometheus see of the real program.
#include "daemon_process.h"
#include "paths.h"

using namespace gotuned;
using namespace gotuned::test;

namespace {

constexpr const char* quiet_rule = R"(version: 1
rules:
  - name: never
    scope: process
    when: fd.used > 1000000
    adjust:
      - knob: advise
        text: nothing to say
)";

/// Two daemons that share `directory`, "run" or "state", and nothing else.
void a_second_daemon_is_refused(const std::string& directory) {
    const TempFolder folder;
    DaemonProcess daemon(folder.path);
    daemon.start();
    REQUIRE(daemon.notified("READY=1"));
    const TempFolder other_folder;
    DaemonProcess second(other_folder.path);
    const fs::path shared = folder.path / directory;
    second.start({}, {"--" + directory + "-dir", shared.string()});
    CHECK(second.child().wait() == 1);
    CHECK(second.log().find(std::to_string(daemon.child().pid())) != std::string::npos);
    CHECK(second.log().find((shared / "lock").string()) != std::string::npos);
    CHECK(daemon.ctl("status").status == 0);
    CHECK(daemon.ctl("history").status == 0);
}

}  // namespace

TEST_CASE("the daemon tells systemd when it is ready, feeds the watchdog, and ends cleanly when asked") {
    const TempFolder folder;
    DaemonProcess daemon(folder.path);
    daemon.start({"WATCHDOG_USEC=2000000"});
    REQUIRE(daemon.notified("READY=1"));
    CHECK(daemon.notified("WATCHDOG=1"));
    CHECK(daemon.child().end(SIGTERM) == 0);
    CHECK(daemon.notified("STOPPING=1"));
    CHECK_FALSE(fs::exists(folder.path / "run" / "control.sock"));
}

TEST_CASE("a second daemon on the same run directory is refused and says who holds it") {
    a_second_daemon_is_refused("run");
}

TEST_CASE("a second daemon on the same state directory is refused, also with a run directory of its own") {
    a_second_daemon_is_refused("state");
}

TEST_CASE("a program that a script executes right after its own start is watched before the next tick") {
    if (::geteuid() != 0) return;
    const TempFolder folder;
    DaemonProcess daemon(folder.path);
    daemon.start({}, {"--tick", "12s"});
    REQUIRE(daemon.notified("READY=1"));
    std::this_thread::sleep_for(std::chrono::seconds(1));  // the first Snapshot is out
    // The loop takes some milliseconds: the daemon has looked at the shell by then.
    const std::string script = "i=0; while [ $i -lt 6000 ]; do i=$((i+1)); done; exec \"$0\" -soft 64 -connections 1";
    Child server({"/bin/sh", "-c", script, build_folder() + "/workloads/fdlimit"}, {},
                 (folder.path / "server.log").string());
    // Nothing else must be executed now: each exec lets the daemon see those before it.
    std::this_thread::sleep_for(std::chrono::seconds(5));
    CHECK(server.end(SIGKILL) == 128 + SIGKILL);
    // Only the end of a process that was watched is seen.
    const bool told = eventually(
        [&] { return daemon.metrics().find("gotuned_exits_total{service=\"fdlimit\"} 1") != std::string::npos; });
    INFO(daemon.log());
    CHECK(told);
}

TEST_CASE("--profile that is not there is wrong usage and lists those that are") {
    const TempFolder folder;
    DaemonProcess daemon(folder.path);
    daemon.start({}, {"--profile", "blanced"});
    CHECK(daemon.child().wait() == 2);
    CHECK(daemon.log().find("there is no profile blanced; did you mean balanced?") != std::string::npos);
    CHECK(daemon.log().find("balanced, latency, observe") != std::string::npos);
}

TEST_CASE("a daemon without privileges says once what it cannot do, and does the rest") {
    if (::geteuid() != 0) return;
    const TempFolder folder;
    DaemonProcess daemon(folder.path);
    const std::string folders = "'" + folder.path.string() + "'";
    CHECK(
        run_command("cp " + build_folder() + "/gotuned " + folders + "/gotuned && chown -R nobody " + folders).status ==
        0);
    const auto ran = run_command("cd " + folders +
                                 " && setpriv --reuid nobody --regid nogroup --clear-groups ./gotuned --run-dir run "
                                 "--state-dir state --rulebook rules --packaged packaged --profiles profiles --config "
                                 "none.yaml --listen 127.0.0.1:0 --tick 500ms --for 4s 2>&1");
    CAPTURE(ran.output);
    CHECK(ran.status == 0);
    const auto count = [&](const std::string& text) {
        std::size_t found = 0;
        for (auto at = ran.output.find(text); at != std::string::npos; at = ran.output.find(text, at + 1)) ++found;
        return found;
    };
    CHECK(count("no probe is attached") == 1);
    CHECK(count("CAP_BPF") == 1);
    CHECK(count("libbpf") == 0);
    CHECK(count("not root: ") == 1);
    CHECK(count("metrics at 127.0.0.1:") == 1);
}

TEST_CASE("a wrong gotuned.yaml is refused with its place") {
    const TempFolder folder;
    write_text(folder.path / "gotuned.yaml", "version: 1\ntikc: 5s\n");
    DaemonProcess daemon(folder.path);
    daemon.start();
    CHECK(daemon.child().wait() == 2);
    CHECK(daemon.log().find("gotuned.yaml:2:1") != std::string::npos);
    CHECK(daemon.log().find("tick") != std::string::npos);
}

TEST_CASE("a broken rulebook is refused whole, the running one goes on, and mending it is enough") {
    const TempFolder folder;
    DaemonProcess daemon(folder.path);
    write_text(folder.path / "rules" / "50-own.yaml", quiet_rule);
    daemon.start();
    REQUIRE(daemon.notified("READY=1"));
    const std::string running = daemon.ctl_json("status")["rulebook"]["sha256"];

    std::string broken = quiet_rule;
    broken.replace(broken.find("fd.used"), 7, "fd.usde");
    write_text(folder.path / "rules" / "50-own.yaml", broken);
    const auto reload = daemon.ctl("reload");
    CHECK(reload.status != 0);
    CHECK(reload.output.find("50-own.yaml:5:") != std::string::npos);
    CHECK(reload.output.find("fd.used") != std::string::npos);
    const Json status = daemon.ctl_json("status");
    CHECK(status["rulebook"]["sha256"] == running);
    CHECK_FALSE(status["rulebook"]["errors"].empty());
    CHECK(daemon.metrics().find("gotuned_rulebook_info") != std::string::npos);

    std::string mended = quiet_rule;
    mended.replace(mended.find("1000000"), 7, "2000000");
    write_text(folder.path / "rules" / "50-own.yaml", mended);
    CHECK(eventually([&] {
        const Json now = daemon.ctl_json("status");
        return now["rulebook"]["errors"].empty() && now["rulebook"]["sha256"] != running;
    }));
}

TEST_CASE("a rulebook directory that disappears is an error, not a rulebook without rules") {
    const TempFolder folder;
    DaemonProcess daemon(folder.path);
    write_text(folder.path / "rules" / "50-own.yaml", quiet_rule);
    daemon.start();
    REQUIRE(daemon.notified("READY=1"));
    const std::string running = daemon.ctl_json("status")["rulebook"]["sha256"];
    fs::rename(folder.path / "rules", folder.path / "elsewhere");
    const auto reload = daemon.ctl("reload");
    CHECK(reload.status != 0);
    CHECK(reload.output.find("the directory is gone") != std::string::npos);
    CHECK(daemon.ctl_json("status")["rulebook"]["sha256"] == running);
    fs::rename(folder.path / "elsewhere", folder.path / "rules");
    CHECK(daemon.ctl("reload").status == 0);
}

TEST_CASE("--listen on an address that others can reach is refused like the file's") {
    const TempFolder folder;
    DaemonProcess daemon(folder.path);
    daemon.start({}, {"--listen", "0.0.0.0:0"});
    CHECK(daemon.child().wait() == 2);
    CHECK(daemon.log().find("plain: true") != std::string::npos);
}

TEST_CASE("SIGHUP reloads the rulebook") {
    const TempFolder folder;
    DaemonProcess daemon(folder.path);
    daemon.start();
    REQUIRE(daemon.notified("READY=1"));
    const std::string before = daemon.ctl_json("status")["rulebook"]["sha256"];
    write_text(folder.path / "rules" / "50-own.yaml", quiet_rule);
    daemon.child().signal(SIGHUP);
    CHECK(eventually([&] { return daemon.ctl_json("status")["rulebook"]["sha256"] != before; }));
}

TEST_CASE("a process named with invalid UTF-8, newlines and quotes breaks no scrape, no log line and no table") {
    const TempFolder folder;
    DaemonProcess daemon(folder.path);
    daemon.start({}, {"--table"});
    REQUIRE(daemon.notified("READY=1"));
    const std::string name = "bad\n\"na\\me\xff\x1b[2J";
    fs::copy_file(build_folder() + "/workloads/httpserver", folder.path / name);
    Child hostile({(folder.path / name).string(), "-listen", "127.0.0.1:0"}, {},
                  (folder.path / "hostile.log").string());
    CHECK(eventually([&] { return daemon.metrics().find("bad?") != std::string::npos; }));
    const std::string text = daemon.metrics();
    CHECK(text.find('\xff') == std::string::npos);
    CHECK(text.find('\x1b') == std::string::npos);
    CHECK(daemon.ctl("status").status == 0);
    CHECK(daemon.ctl_json("status").is_object());
    CHECK(daemon.ctl("status").output.find('\x1b') == std::string::npos);
    // The table goes to a file here: no escape sequence of anybody.
    CHECK(eventually([&] { return daemon.log().find("bad?") != std::string::npos; }));
    CHECK(daemon.log().find('\x1b') == std::string::npos);
}

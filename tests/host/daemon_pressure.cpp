// A real stall on memory wakes the real daemon between two ticks, and its rule is evaluated at once.
#include <ctime>

#include "daemon_process.h"
#include "memory_stall.h"
#include "paths.h"

using namespace gotuned;
using namespace gotuned::test;

namespace {

constexpr const char* stalled_rule = R"(version: 1
rules:
  - name: stalled
    scope: cgroup
    when: cgroup.memory.stall.rate > 0.1%
    adjust:
      - knob: advise
        text: The cgroup stalls on memory.
    mode: enforce
)";

}  // namespace

TEST_CASE("a stall is answered between two ticks, and status, history and metrics tell of it") {
    const TempFolder folder;
    std::string why;
    const auto stall = MemoryStall::make("/var/tmp", why);
    if (stall == nullptr) {
        WARN("SKIPPED: " << why);
        return;
    }
    Child server({build_folder() + "/workloads/fdlimit", "-soft", "64", "-connections", "1"}, {},
                 (folder.path / "server.log").string());
    REQUIRE(stall->join(server.pid()));
    DaemonProcess daemon(folder.path);
    write_text(folder.path / "rules" / "50-own.yaml", stalled_rule);
    // A tick that would see the stall comes only minutes later. The server is found by the first.
    daemon.start({}, {"--tick", "2m"});
    REQUIRE(daemon.notified("READY=1"));
    const auto armed = [&] {
        const Json pressure = daemon.ctl_json("status")["pressure"];
        return pressure["cgroups"] >= 1 || !pressure["refused"].empty();
    };
    REQUIRE(eventually(armed, std::chrono::seconds(150)));  // mostly by the first Snapshot, else by the second
    const Json before = daemon.ctl_json("status")["pressure"];
    INFO(before.dump());
    REQUIRE(before["wanted"] == true);
    if (before["cgroups"] == 0) {
        WARN("SKIPPED: " << before["refused"].dump());
        return;
    }
    CHECK(before["wakes"] == 0);
    CHECK_FALSE(daemon.history_has("advised", "stalled"));

    stall->begin();
    const bool told = eventually([&] { return daemon.history_has("advised", "stalled"); });
    const Json after = daemon.ctl_json("status")["pressure"];
    INFO("after the stall: " << after.dump() << "\n" << daemon.log());
    REQUIRE(told);
    CHECK(after["wakes"] >= 1);
    CHECK(after["events"] >= 1);
    CHECK(daemon.ctl("status").output.find("wake it at once") != std::string::npos);
    const std::string metrics = daemon.metrics();
    CHECK(metrics.find("gotuned_pressure_triggers{state=\"armed\"}") != std::string::npos);
    CHECK(metrics.find("gotuned_pressure_wakeups_total 0") == std::string::npos);
    CHECK(metrics.find("gotuned_cgroup_memory_stall_seconds_total{service=\"fdlimit\"}") != std::string::npos);
    // Four a second at most, whatever the storm.
    const auto wakes = [&] { return daemon.ctl_json("status")["pressure"]["wakes"].get<double>(); };
    const double wakes_before = wakes();
    const auto began = std::chrono::steady_clock::now();
    std::this_thread::sleep_for(std::chrono::seconds(3));
    const double more = wakes() - wakes_before;
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    CHECK(more <= 1 + took.count() * 4);
}

TEST_CASE("no trigger is armed where no rule answers to memory and pressure alone") {
    const TempFolder folder;
    DaemonProcess daemon(folder.path);
    for (const auto& file : fs::directory_iterator(folder.path / "packaged"))
        if (file.path().filename() == "20-memory.yaml") write_text(folder.path / "rules" / file.path().filename(), "");
    for (const auto& file : fs::directory_iterator(folder.path / "profiles")) write_text(file.path(), "version: 1\n");
    daemon.start({}, {"--profile", "observe"});
    REQUIRE(daemon.notified("READY=1"));
    const Json pressure = daemon.ctl_json("status")["pressure"];
    INFO(pressure.dump());
    CHECK(pressure["wanted"] == false);
    CHECK(pressure["host"] == false);
    CHECK(pressure["cgroups"] == 0);
}

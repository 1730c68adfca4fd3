// plan, explain and status of the real daemon about a real Go server: before a change, while it is in force, and
// after somebody else has changed the value.
#include <sys/resource.h>

#include "daemon_process.h"
#include "paths.h"

using namespace gotuned;
using namespace gotuned::test;

namespace {

std::string raise_nofile(const std::string& mode) {
    return R"(version: 1
targets:
  demo: { match: { env: "GOTUNED_TEST=explain" } }
rules:
  - name: raise
    scope: process
    targets: [demo]
    when: fd.limit < 1000
    adjust:
      - knob: rlimit.nofile
        to: 512
    cooldown: 10m
    mode: )" +
           mode + "\n";
}

Json item_of(const Json& plan) {
    if (plan.contains("items"))
        for (const Json& item : plan["items"])
            if (item.value("rule", "") == "raise") return item;
    return {};
}
bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("plan, explain and status tell the same story, from the first look to drift and back") {
    const TempFolder folder;
    DaemonProcess daemon(folder.path);
    write_text(folder.path / "rules" / "50-own.yaml", raise_nofile("observe"));
    Child server({build_folder() + "/workloads/fdlimit", "-soft", "64", "-connections", "1"}, {"GOTUNED_TEST=explain"},
                 (folder.path / "server.log").string());
    daemon.start();
    REQUIRE(daemon.notified("READY=1"));
    REQUIRE(eventually([&] { return item_of(daemon.ctl_json("plan")).is_object(); }));
    const Json item = item_of(daemon.ctl_json("plan"));
    CHECK(item["now"]["value"] == 64);
    CHECK(item["to"]["value"] == 512);
    CHECK(item["refused"] == "observe: the rule only observes");
    CHECK(holds(daemon.ctl("plan").output, "raise"));
    const std::string observed = daemon.ctl("explain raise demo").output;
    INFO(observed);
    CHECK(holds(observed, "would not now set rlimit.nofile to 512"));
    CHECK(holds(observed, "refused: observe: the rule only observes"));

    // The same host with other rules, before they are made the running ones.
    fs::create_directories(folder.path / "other");
    write_text(folder.path / "other" / "50-own.yaml", raise_nofile("enforce"));
    const Json other = item_of(daemon.ctl_json("plan --rulebook '" + (folder.path / "other").string() + "'"));
    CHECK(other["refused"] == "");
    CHECK(other["mode"] == "enforce");

    write_text(folder.path / "rules" / "50-own.yaml", raise_nofile("enforce"));
    REQUIRE(daemon.ctl("reload").status == 0);
    REQUIRE(eventually([&] { return daemon.history_has("kept", "raise"); }));
    REQUIRE(eventually([&] { return holds(daemon.ctl("explain raise demo").output, "is in force and kept"); }));

    const rlimit foreign{700, 4096};
    REQUIRE(::prlimit(server.pid(), RLIMIT_NOFILE, &foreign, nullptr) == 0);
    REQUIRE(eventually([&] { return daemon.history_has("drifted", "raise"); }));
    const std::string resume = "gotunectl resume raise " + std::to_string(server.pid());
    CHECK(eventually(
        [&] { return holds(daemon.ctl("explain raise demo").output, "has drifted: rlimit.nofile holds 700"); }));
    CHECK(holds(daemon.ctl("explain raise demo").output, "the original was 64; the rule yields until " + resume));
    CHECK(eventually([&] { return holds(daemon.ctl_json("plan").dump(), "until " + resume); }));
    const Json status = daemon.ctl_json("status");
    CHECK(status["adjustments"][0]["state"] == "drifted");
    CHECK(holds(status["adjustments"][0]["now"], "700"));
    CHECK(status["yields"][0]["command"] == resume);
    CHECK(daemon.ctl("undo --all").status == 1);

    CHECK(daemon.ctl("resume raise " + std::to_string(server.pid())).status == 0);
    CHECK(daemon.ctl_json("status")["yields"].empty());
    // The cooldown began when the value drifted. Minutes are told in seconds once they are not whole: "597s left".
    const bool cooling = eventually([&] {
        const std::string explained = daemon.ctl("explain raise demo").output;
        return holds(explained, "now 700") && holds(explained, "refused: cooldown: 5") && holds(explained, "s left");
    });
    INFO(daemon.ctl("explain raise demo").output << daemon.ctl("history").output);
    CHECK(cooling);
}

#include "ctl/render.h"

#include "catch.h"

using namespace gotuned;

namespace {

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

constexpr const char* status = R"({
 "version":"0.1.0","ready":false,"not_ready":"no rulebook","paused":true,"profile":"observe","uptime_seconds":61.5,
 "listening":["127.0.0.1:9713"],"next_step":"do this","rulebook":{"origin":"none","errors":[{"text":"a.yaml:3:7: unknown key\n  wehn: x\n  ^"}]},
 "processes":[{"target":{"name":"payments pid 4711"},"pid":4711,"service":"payments","go":"go1.22","opted_out":null,
   "epoll_wake":{"p99":0.0012},"runq":{"absent":"not_attached"},"fd_used":{"text":"12"},"fd_limit":{"value":"unlimited","text":"unlimited"},
   "mem_rss":{"text":"64MiB"},"cpu_usage":{"text":"150%"}}],
 "standings":[{"rule":"r","target":{"name":"payments pid 4711"},"state":"firing","held_seconds":5}],
 "adjustments":[{"id":17,"rule":"r","target":{"name":"payments pid 4711"},"knob":"rlimit.nofile","original":{"text":"1024"},"set":{"text":"65536"},"state":"kept"}],
 "probes":[{"probe":"sys_exit","attached":false,"reason":"lockdown"},{"probe":"sched_switch","attached":true}],
 "preflight":[{"knob":"sysctl.vm.swappiness","writable":false,"reason":"read-only"}],"unsafe":true,"journal_warning":"the journal was moved","conflicts":["TuneD is running\u001b"],"drops":[{"probe":"sched","reason":"ring_full","count":2}]})";

}  // namespace

TEST_CASE("status shows what is seen, changed and broken", "[render]") {
    const std::string text = render_status(status, 0);
    CHECK(holds(text, "NOT READY: no rulebook"));
    CHECK(holds(text, "PAUSED"));
    CHECK(holds(text, "http://127.0.0.1:9713/metrics"));
    CHECK(holds(text, "a.yaml:3:7: unknown key\n  wehn: x\n"));
    CHECK(holds(text, "payments"));
    CHECK(holds(text, "1.2ms"));
    CHECK(holds(text, "12/unlimited"));
    CHECK(holds(text, "rlimit.nofile"));
    CHECK(holds(text, "probe sys_exit is not attached: lockdown"));
    CHECK_FALSE(holds(text, "probe sched_switch"));
    CHECK(holds(text, "sysctl.vm.swappiness cannot be changed here: read-only"));
    CHECK(holds(text, "adjust.unsafe"));
    CHECK(holds(text, "\n  TuneD is running?\n"));
    CHECK(holds(text, "\n  the journal was moved; gotunectl history has what was set, and its originals\n"));
    CHECK(holds(text, "probe sched left out 2 events (ring_full)"));
}

TEST_CASE("an answer of another version is printed, not crashed on", "[render]") {
    for (const char* odd :
         {"{}", "[]", "not json", "", R"({"processes":5,"rulebook":[],"adjustments":{"x":1},"probes":"x"})",
          R"({"processes":[1,null,"x"]})"}) {
        CAPTURE(odd);
        CHECK_FALSE(render_status(odd, 80).empty());
        CHECK_FALSE(render_plan(odd, 80).empty());
        CHECK_FALSE(render_history(odd, 80).empty());
        CHECK_FALSE(render_values(odd, 80).empty());
        CHECK_FALSE(render_catalogue(odd, 80).empty());
        CHECK_FALSE(render_explanation(odd, 80).empty());
        CHECK_FALSE(render_outcomes(odd, 80).empty());
        CHECK_FALSE(render_loaded(odd).empty());
        CHECK(describe_adjustments(odd, 0).size() <= 1);
        CHECK(profile_of(odd).empty());
    }
}

TEST_CASE("an undo is done when everything is put back or gone", "[render]") {
    CHECK(all_undone(R"({"outcomes":[]})"));
    CHECK(all_undone(R"({"outcomes":[{"state":"undone"},{"state":"gone"}]})"));
    CHECK_FALSE(all_undone(R"({"outcomes":[{"state":"undone"},{"state":"undo_deferred"}]})"));
    CHECK_FALSE(all_undone(R"({"outcomes":[{"state":"drifted"}]})"));
    CHECK_FALSE(all_undone("not json"));
}

TEST_CASE("a forced undo says what it will put back", "[render]") {
    CHECK(describe_adjustments(status, 17) ==
          std::vector<std::string>{"17  rlimit.nofile of payments pid 4711: 65536 → 1024"});
    CHECK(describe_adjustments(status, 0).size() == 1);
    CHECK(describe_adjustments(status, 18).empty());
}

TEST_CASE("an explanation shows the tree of values", "[render]") {
    const std::string text = render_explanation(
        R"({"rule":"r","scope":"process","mode":"enforce","mode_source":"rule","severity":"info","when":"a > 1",
      "targets":[{"target":{"name":"payments pid 1"},"sentence":"a (2) > 1 ⇒ true","held_seconds":5.2,"needed_seconds":5,
        "when":{"text":"a > 1","value":{"text":"true"},"parts":[{"text":"a","value":{"text":"2"}},{"text":"b","value":{"absent":"no_data"}},{"text":"1","value":{"text":"1"}}]},
        "writes":[{"knob":"rlimit.nofile","to":{"text":"65536"}},{"knob":"advise","text":"raise it"}]}]})",
        80);
    CHECK(holds(text, "a (2) > 1 ⇒ true for 5.2s of 5s"));
    CHECK(holds(text, "    a > 1  =  true\n      a  =  2\n      b  =  absent: no_data\n"));
    CHECK_FALSE(holds(text, "1  =  1"));
    CHECK(holds(text, "would set rlimit.nofile to 65536"));
    CHECK(holds(text, "advises: raise it"));
}

TEST_CASE("an explanation says would only of what would be done now") {
    const std::string write =
        R"({"knob":"rlimit.nofile","to":{"text":"65536"},"now":{"text":"1024"},"refused":"REFUSED"})";
    const auto explained = [&](const std::string& refused, const std::string& held) {
        std::string one = write;
        one.replace(one.find("REFUSED"), 7, refused);
        return render_explanation(
            R"({"rule":"r","targets":[{"target":{"name":"t"},"writes":[)" + one + R"(],"held_back":[)" + held + "]}]}",
            0);
    };
    CHECK(holds(explained("", ""), "  would set rlimit.nofile to 65536 (now 1024)\n"));
    const std::string cooling = explained("cooldown: 4m left", "");
    CHECK(holds(cooling, "  would not now set rlimit.nofile to 65536 (now 1024); refused: cooldown: 4m left\n"));
    const std::string off = explained("", R"("the condition is false")");
    CHECK(holds(off, "  held back: the condition is false\n  would not now set rlimit.nofile to 65536"));
    CHECK_FALSE(holds(off, "would set"));
}

TEST_CASE("status tells what a drifted value holds, what was set, the original, and what lifts the yield") {
    const std::string text = render_status(
        R"json({"adjustments":[{"id":3,"rule":"raise","target":{"name":"payments pid 4711"},"knob":"rlimit.nofile",)json"
        R"json("original":{"text":"256"},"set":{"text":"1024"},"state":"drifted","now":"2000 (hard 4096)",)json"
        R"json("note":"the rule yields until gotunectl resume raise 4711"}],)json"
        R"json("yields":[{"rule":"raise","target":{"name":"payments pid 4711"},"why":"it holds 2000",)json"
        R"json("command":"gotunectl resume raise 4711"}]})json",
        0);
    for (const char* part : {"256", "1024", "drifted", "now 2000 (hard 4096); the rule yields until gotunectl resume",
                             "raise on payments pid 4711: it holds 2000; until gotunectl resume raise 4711"})
        CHECK(holds(text, part));
}

TEST_CASE("a plan says what would be made and what refused", "[render]") {
    const std::string text = render_plan(R"({"profile":"observe","items":[
      {"rule":"a","target":{"name":"t"},"knob":"k","mode":"enforce","now":{"text":"1"},"to":{"text":"2"},"clamped":"","refused":""},
      {"rule":"b","target":{"name":"t"},"knob":"k","mode":"observe","now":{"text":"1"},"to":{"text":"2"},"clamped":"","refused":""},
      {"rule":"c","target":{"name":"t"},"knob":"k","mode":"enforce","now":{"text":"1"},"to":{"text":"2"},"clamped":"bounds","refused":"in cooldown"}]})",
                                         0);
    CHECK(holds(text, "would be made"));
    CHECK(holds(text, "observed only"));
    CHECK(holds(text, "refused: in cooldown; clamped: bounds"));
}

TEST_CASE("an error of several lines is one line of the history", "[render]") {
    const std::string text = render_history(
        R"({"entries":[{"at":"2026-01-01T00:00:00Z","event":"reload_failed","adjustment":0,"reason":"not loaded\na.yaml:1:1: version is 1\n    version: 2\n"}]})",
        0);
    CHECK(holds(text, "not loaded a.yaml:1:1: version is 1 version: 2\n"));
}

#include "export/json.h"

#include <nlohmann/json.hpp>

#include "catch.h"
#include "world.h"

using namespace gotuned;
using namespace gotuned::test;
using Json = nlohmann::json;

namespace {

const TargetNamer name = [](const TargetId& target) { return "the " + to_string(target); };

}  // namespace

TEST_CASE("a value carries its number, unit and text; unlimited is a word; absence its reason", "[json]") {
    World world;
    world.process(1, "s", [](SignalTable& table) {
        table.set(Signal::mem_rss, bytes(2048));
        table.set(Signal::fd_limit, count(unlimited_value));
        table.set(Signal::fd_used, Absent{Absence::not_permitted, "ptrace"});
        table.set(Signal::syscall_read, distribution({std::chrono::microseconds(10)}));
    });
    const auto snapshot = world.next();
    const Json json = Json::parse(signal_values_json(*snapshot, {ProcessId{1, 100, 7}, ProcessId{9, 9, 9}}, name));
    REQUIRE(json["targets"].size() == 1);  // one that left has no values
    const Json& signals = json["targets"][0]["signals"];
    CHECK(signals["mem.rss"]["value"] == 2048);
    CHECK(signals["mem.rss"]["unit"] == "bytes");
    CHECK(signals["mem.rss"]["text"] == "2KiB");
    CHECK(signals["fd.limit"]["value"] == "unlimited");
    CHECK(signals["fd.used"]["absent"] == "not_permitted");
    CHECK(signals["fd.used"]["detail"] == "ptrace");
    CHECK(signals["syscall.read"]["count"] == 1);
    CHECK(signals["syscall.read"]["observed_seconds"] == 5);
    CHECK(json["targets"][0]["target"]["name"] == "the process:1:100:7");
}

TEST_CASE("names that are not UTF-8 still give valid JSON", "[json]") {
    World world;
    world.process(1, "bad\xff\n\"name");
    const auto snapshot = world.next();
    StatusInput input;
    input.snapshot = snapshot.get();
    const Json json = Json::parse(status_json(input, name));
    CHECK(json["processes"][0]["service"] == "bad\xEF\xBF\xBD\n\"name");
}

TEST_CASE("status has all its parts before the first tick and without a rulebook", "[json]") {
    StatusInput input;
    input.not_ready = "starting";
    const Json json = Json::parse(status_json(input, name));
    CHECK(json["ready"] == false);
    CHECK(json["not_ready"] == "starting");
    for (const char* part : {"rulebook", "processes", "standings", "adjustments", "probes", "drops", "kernel",
                             "preflight", "conflicts", "journal_warning", "unsafe", "cost"})
        CHECK(json.contains(part));
}

TEST_CASE("status says how to go on where nothing is enforced", "[json]") {
    const Rulebook rulebook;
    StatusInput input;
    input.rulebook = &rulebook;
    CHECK(Json::parse(status_json(input, name))["next_step"].get<std::string>().find("gotunectl profile balanced") !=
          std::string::npos);
}

TEST_CASE("the catalogue names every signal", "[json]") {
    const Json json = Json::parse(signal_catalogue_json());
    CHECK(json["signals"].size() == signals().size());
    CHECK(json["signals"][0]["name"] == "netpoll.wait");
    CHECK(json["signals"][0]["unit"] == "time");
}

TEST_CASE("an explanation is a tree with the values that were seen", "[json]") {
    Rule rule;
    rule.name = "r";
    Explanation explanation;
    explanation.when = {"a > 1", Reading<Value>(Value(true)), {{"a", Reading<Value>(Value(count(2))), {}}}};
    explanation.needed = std::chrono::seconds(5);
    const Json json =
        Json::parse(explain_json(rule, {{HostId{}, explanation}, {CgroupId{3}, fail("no such target")}}, name));
    CHECK(json["targets"][0]["when"]["text"] == "a > 1");
    CHECK(json["targets"][0]["when"]["parts"][0]["value"]["value"] == 2);
    CHECK(json["targets"][0]["needed_seconds"] == 5);
    CHECK(json["targets"][1]["error"] == "no such target");
}

TEST_CASE("an explanation carries what holds the rule back, and each write", "[json]") {
    Rule rule;
    Explanation explanation;
    explanation.writes.emplace_back().knob = "rlimit.nofile";
    explanation.writes[0].to = Reading<Value>(Value(count(9)));
    PlanItem item;
    item.now = Reading<Value>(Value(count(1)));
    item.to = Reading<Value>(Value(count(8)));
    item.clamped = "lowered";
    item.refused = "cooldown: 4m left";
    const Json json = Json::parse(
        explain_json(rule, {{HostId{}, explanation, {"the condition is false"}, {item}}}, name))["targets"][0];
    CHECK(json["held_back"][0] == "the condition is false");
    CHECK(json["writes"][0]["now"]["value"] == 1);
    CHECK(json["writes"][0]["to"]["value"] == 8);
    CHECK(json["writes"][0]["clamped"] == "lowered");
    CHECK(json["writes"][0]["refused"] == "cooldown: 4m left");
}

TEST_CASE("status carries what a drifted value holds, and the rules that yield", "[json]") {
    StatusInput input;
    LiveAdjustment live;
    live.state = AdjustmentState::drifted;
    live.now = "77";
    live.note = "the rule yields";
    input.adjustments = {live};
    live.state = AdjustmentState::undo_deferred;
    live.undo_cause = UndoCause::rule_gone;
    input.adjustments.push_back(live);
    input.yields = {{"r", HostId{}, "it holds 77", "gotunectl resume r host"}};
    const Json json = Json::parse(status_json(input, name));
    CHECK(json["adjustments"][0]["now"] == "77");
    CHECK(json["adjustments"][0]["note"] == "the rule yields");
    CHECK(json["adjustments"][1]["undo_cause"] == "rule_gone");
    CHECK(json["yields"][0]["command"] == "gotunectl resume r host");
}

TEST_CASE("history, plan and undo keep their field names", "[json]") {
    HistoryEntry entry;
    entry.id = 3;
    entry.at = WallTime(std::chrono::milliseconds(1'700'000'000'123));
    entry.event = "applied";
    CHECK(Json::parse(history_json({entry}))["entries"][0]["at"] == "2023-11-14T22:13:20.123Z");
    PlanItem item;
    item.knob = "rlimit.nofile";
    item.to = Reading<Value>(Value(count(65536)));
    const Json plan = Json::parse(plan_json({item}, "abc", "balanced", name));
    CHECK(plan["items"][0]["to"]["value"] == 65536);
    CHECK(plan["items"][0]["mode"] == "observe");
    UndoOutcome outcome;
    outcome.id = 17;
    outcome.state = AdjustmentState::undo_deferred;
    CHECK(Json::parse(undo_json({outcome}))["outcomes"][0]["state"] == "undo_deferred");
}

// What `explain` says keeps a rule from acting.
#include "main/held_back.h"

#include "catch.h"

using namespace gotuned;
using namespace std::chrono_literals;

namespace {

const MonoTime at{1h};

struct Case {
    Rule rule{};
    Explanation explanation{};
    std::vector<LiveAdjustment> live{};
    RuleStanding standing{};
    Case() {
        rule.name = "raise";
        explanation.when.value = Value(true);
    }
    LiveAdjustment& in_force(AdjustmentState state) {
        LiveAdjustment one;
        one.id = 3;
        one.group = 3;
        one.rule = "raise";
        one.knob = "rlimit.nofile";
        one.original = count(256);
        one.set = count(1024);
        one.state = state;
        one.kept_at = at - 10s;
        live = {one};
        return live.front();
    }
    [[nodiscard]] std::string only() const {
        const auto all = held_back(rule, explanation, live, &standing, at);
        REQUIRE(all.size() == 1);
        return all.front();
    }
};

}  // namespace

TEST_CASE("nothing holds back a rule whose condition has held for long enough") {
    const Case one;
    CHECK(held_back(one.rule, one.explanation, {}, nullptr, at).empty());
}

TEST_CASE("the condition holds a rule back while it is false, unknown or young") {
    Case one;
    one.explanation.when.value = Value(false);
    CHECK(one.only() == "the condition is false");
    one.explanation.when.value = Absent{Absence::not_observed, {}};
    CHECK(one.only().starts_with("the condition is unknown: not_observed"));
    one.explanation.when.value = Value(true);
    one.explanation.held = 5s;
    one.explanation.needed = 10s;
    CHECK(one.only() == "the condition has held for 5s of 10s");
}

TEST_CASE("a target that is none of the rule's is named as such, beside its condition") {
    Case one;
    one.explanation.note = "opted out by unit";
    CHECK(one.only() == "the target opted out by unit");
    one.explanation.when.value = Value(false);
    CHECK(held_back(one.rule, one.explanation, {}, nullptr, at).size() == 2);
}

TEST_CASE("what is in force holds its own rule back, until the next step is due") {
    Case one;
    one.in_force(AdjustmentState::applied);
    CHECK(one.only() == "adjustment 3 (rlimit.nofile to 1024) is in force and being verified");
    one.in_force(AdjustmentState::kept);
    CHECK(one.only() == "adjustment 3 (rlimit.nofile to 1024) is in force and kept");
    one.rule.repeat = {3, 1min};
    CHECK(one.only() == "adjustment 3 is kept at step 1 of 3: the next in 50s");
    one.live.front().kept_at = at - 1min;
    CHECK(held_back(one.rule, one.explanation, one.live, nullptr, at).empty());
    one.rule.verify.otherwise = Otherwise::keep;
    const Decision next = as_if_it_fired(one.rule, HostId{}, one.explanation, one.live, at);
    CHECK(next.step == 2);
    CHECK(next.group == 3);
    CHECK(next.at == at);
    CHECK(next.otherwise == Otherwise::keep);
    one.in_force(AdjustmentState::undo_deferred).note = "condition over; 505 in use, the old limit is 256";
    CHECK(one.only() == "adjustment 3 waits to be put back: condition over; 505 in use, the old limit is 256");
}

TEST_CASE("a drifted value is told with what it holds, what was set, the original, and what lifts the yield") {
    Case one;
    LiveAdjustment& live = one.in_force(AdjustmentState::drifted);
    live.now = "2000 (hard 4096)";
    live.note = "the rule yields until gotunectl resume raise 4711";
    CHECK(one.only() ==
          "adjustment 3 has drifted: rlimit.nofile holds 2000 (hard 4096), we set 1024, the original was 256; the rule "
          "yields until gotunectl resume raise 4711");
}

TEST_CASE("a rule that comes first is named") {
    Case one;
    one.standing.state = RuleStanding::State::yielding;
    one.standing.yields_to = "other";
    CHECK(one.only() == "rule other comes first");
}

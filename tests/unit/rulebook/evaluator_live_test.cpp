// What becomes of a change once it is written: verification, repeat, undo_when, removal, reload.
#include <fmt/format.h>

#include "rules.h"

using namespace gotuned;
using namespace gotuned::test;
using namespace std::chrono_literals;

namespace {

/// Fires, is written just after the first Snapshot, and then sees one letter a Snapshot: t expect true, f false,
/// ? unknown. Answers what was decided at each: . nothing, k kept, u kept unverified, x failed.
std::string verify(const Rule& rule, const std::string& seen) {
    Scene scene({rule});
    scene.full();
    scene.look();
    REQUIRE(scene.fired());
    scene.apply();
    std::string decided;
    for (const char letter : seen) {
        if (letter == 't') scene.roomy();
        if (letter == 'f') scene.full();
        if (letter == '?') scene.blind();
        scene.look();
        const auto keeps = scene.of(DecisionKind::keep);
        const auto fails = scene.of(DecisionKind::fail);
        CHECK(keeps.size() + fails.size() <= 1);
        CHECK_FALSE(scene.fired());
        decided += !fails.empty() ? 'x' : keeps.empty() ? '.' : keeps[0].verified ? 'k' : 'u';
    }
    return decided;
}

}  // namespace

TEST_CASE("verification follows this table") {
    // Tick 5 s, settle 5 s, hold 25 s; read back 10 ms after a Snapshot. So Snapshots 1 and 2 settle (their windows
    // begin before 5.01 s), 3 to 7 are in hold, at 7 (35 s) hold is over, and at 12 (60 s) its extension is.
    const struct {
        std::string why, seen, decided;
    } table[] = {
        {"true throughout", "ttttttt", "......k"},
        {"nobody looks while it settles", "ffttttt", "......k"},
        {"one false fails at once", "tttf", "...x"},
        {"and stays failed until it is undone", "tttftttt", "...xxxxx"},
        {"two true ones are enough beside unknown ones", "tt?t?t?", "......k"},
        {"one is too few: hold is extended once", "tt?t????", "........"},
        {"a second one after the extension comes too late", "tt?t????????t",
         "...........x"
         "x"},
        {"a second one within the extension keeps it at its end", "tt?t????t???", "...........k"},
        {"without a second one it fails as unknown", "tt?t????????", "...........x"},
        {"unknown throughout fails as unknown", "????????????", "...........x"},
        {"false in the extension fails at once", "tt?t????f", "........x"},
        {"kept is said until tune has kept it", "ttttttttt", "......kkk"},
    };
    for (const auto& row : table) {
        INFO(row.why << ": " << row.seen);
        CHECK(verify(verified(), row.seen) == row.decided);
    }
}

TEST_CASE("a change without verify is kept unverified at the next Snapshot") {
    CHECK(verify(rule(), "t") == "u");
    CHECK(verify(rule(), "?") == "u");
}

TEST_CASE("a hold shorter than two ticks still wants two true Snapshots") {
    Rule brief = verified();
    brief.verify.settle = 0s;
    brief.verify.hold = 0s;
    CHECK(verify(brief, "ttt") == "..k");
    CHECK(verify(brief, "t?t") == "..x");
}

TEST_CASE("a verdict tells why") {
    Rule kept_on_fail = verified();
    kept_on_fail.verify.otherwise = Otherwise::keep;
    Scene scene({kept_on_fail});
    scene.full();
    scene.look();
    scene.apply();
    scene.roomy();
    scene.look();
    scene.look();
    scene.full();
    scene.look();
    const auto fails = scene.of(DecisionKind::fail);
    REQUIRE(fails.size() == 1);
    CHECK(fails[0].reason == "expect false");
    CHECK(fails[0].group == 1);
    CHECK(fails[0].otherwise == Otherwise::keep);
    CHECK(to_string(fails[0].evidence) == "fd.used (900) / fd.limit (1000) = 90% < 80%  ⇒ false");
}

TEST_CASE("a value that is written anew is verified from the start") {
    Scene scene({verified()});
    scene.full();
    scene.look();
    scene.apply();
    scene.roomy();
    for (int i = 0; i < 6; ++i) scene.look();
    scene.apply(2);
    for (int i = 0; i < 6; ++i) {
        scene.look();
        CHECK(scene.of(DecisionKind::keep).empty());
    }
    scene.look();
    REQUIRE(scene.of(DecisionKind::keep).size() == 1);
    CHECK(scene.of(DecisionKind::keep)[0].step == 2);
}

TEST_CASE("what was written while nobody looked settles from now on") {
    Scene scene({verified()});
    scene.roomy();
    scene.apply().read_back = scene.world.snapshot.at - 10min;
    std::string decided;
    for (int i = 0; i < 8; ++i) {
        scene.look();
        decided += scene.of(DecisionKind::keep).empty() ? '.' : 'k';
    }
    CHECK(decided ==
          "......k"
          "k");
}

TEST_CASE("all adjustments of a decision are judged together") {
    Scene scene({rule()});
    scene.full();
    scene.look();
    LiveAdjustment second = scene.apply();
    second.id = 99;
    second.knob = "rlimit.nproc";
    scene.world.snapshot.adjustments.push_back(second);
    scene.rulebook.rules[0].adjust.push_back(nofile());
    scene.rulebook.rules[0].adjust.back().knob = "rlimit.nproc";
    scene.look();
    CHECK(scene.of(DecisionKind::keep).size() == 1);
    scene.world.snapshot.adjustments[0].state = AdjustmentState::undo_deferred;
    scene.look();
    CHECK(scene.last.decisions.empty());
}

TEST_CASE("the next step of a chain waits for `every`, counted from kept, up to at_most") {
    Rule steps = rule();
    steps.repeat = {3, 10s};
    Scene scene({steps});
    scene.full();
    scene.look();
    CHECK(scene.of(DecisionKind::fire)[0].group == 0);
    scene.apply();
    scene.look();
    CHECK_FALSE(scene.fired());  // still being verified
    scene.keep();
    scene.look();
    CHECK_FALSE(scene.fired());
    scene.look();
    REQUIRE(scene.fired());
    CHECK(scene.of(DecisionKind::fire)[0].step == 2);
    CHECK(scene.of(DecisionKind::fire)[0].group == 1);
    scene.apply(3);
    scene.keep();
    for (int i = 0; i < 5; ++i) {
        scene.look();
        CHECK_FALSE(scene.fired());
        CHECK(scene.standing().state == RuleStanding::State::kept);
    }
}

TEST_CASE("a rule without repeat fires once while its change is live") {
    Scene scene({rule()});
    scene.full();
    scene.look();
    scene.apply();
    scene.keep();
    for (int i = 0; i < 5; ++i) {
        scene.look();
        CHECK_FALSE(scene.fired());
    }
    scene.world.snapshot.adjustments.clear();  // undone: the chain has ended, cooldown is the guard's
    scene.look();
    CHECK(scene.fired());
}

TEST_CASE("undo_when counts only once kept, and its clock stands still while unknown") {
    Rule undone = verified();
    undone.undo_when = expression("fd.used < original(rlimit.nofile) * 50%", ExpressionRole::undo_when);
    undone.undo_for = 10s;
    Scene scene({undone});
    scene.full();
    scene.look();
    scene.apply();
    scene.world.set(Signal::fd_used, count(100));
    for (int i = 0; i < 6; ++i) {
        scene.look();
        CHECK(scene.of(DecisionKind::undo).empty());
    }
    scene.keep();
    std::string undo;
    for (const char seen : std::string("tt?ttft"
                                       "tt")) {
        if (seen == 't') scene.world.set(Signal::fd_used, count(100));
        if (seen == 'f') scene.full();
        if (seen == '?') scene.blind();
        scene.look();
        undo += scene.of(DecisionKind::undo).empty() ? '.' : '!';
    }
    CHECK(undo == "....!...!");
    const auto undos = scene.of(DecisionKind::undo);
    REQUIRE(undos.size() == 1);
    CHECK(undos[0].group == 1);
    CHECK(undos[0].reason == "undo_when held for 10s");
    CHECK(to_string(undos[0].evidence) == "fd.used (100) < original(rlimit.nofile) (1000) * 50% = 500  ⇒ true");
}

TEST_CASE("undo_when beats the next step") {
    Rule both = rule();
    both.repeat = {3, 0s};
    both.undo_when = expression("true", ExpressionRole::undo_when);
    both.undo_for = 0s;
    Scene scene({both});
    scene.full();
    scene.look();
    scene.apply();
    scene.keep();
    scene.look();
    CHECK(scene.of(DecisionKind::undo).size() == 1);
    CHECK_FALSE(scene.fired());
}

TEST_CASE("a live change that no rule stands behind is undone, with the reason") {
    const auto reason = [](auto&& change) -> std::string {
        Scene scene({rule()});
        scene.full();
        scene.look();
        scene.apply();
        scene.keep();
        change(scene);
        scene.look();
        const auto undos = scene.of(DecisionKind::undo);
        CHECK_FALSE(scene.fired());
        if (undos.size() != 1) return fmt::format("{} undos", undos.size());
        CHECK(undos[0].group == 1);
        CHECK(undos[0].rule == "raise-nofile");
        return undos[0].reason;
    };
    CHECK(reason([](Scene& scene) { scene.rulebook.rules.clear(); }) == "rule removed");
    CHECK(reason([](Scene& scene) { scene.rulebook.rules[0].mode = Mode::observe; }) == "rule no longer enforced");
    CHECK(reason([](Scene& scene) { scene.rulebook.rules[0].adjust[0].knob = "rlimit.nproc"; }) ==
          "rule no longer writes rlimit.nofile");
    CHECK(reason([](Scene& scene) { scene.rulebook.rules[0].targets = {"others"}; }) ==
          "does not match: not in targets [others]");
    CHECK(reason([](Scene& scene) {
              auto& process = scene.world.add_process(first_process, first_cgroup);
              process.opted_out = true;
              process.opt_out_source = "unit";
          }) == "opted out by unit");
    CHECK(reason([](Scene& scene) { scene.rulebook.rules[0].for_ = 1h; }) == "0 undos");
    CHECK(reason([](Scene& scene) { scene.world.snapshot.processes.clear(); }) == "0 undos");
    CHECK(reason([](Scene& scene) { scene.world.change([](ProcessState& state) { state.exited = true; }); }) ==
          "0 undos");
}

TEST_CASE("what has drifted or waits for its undo is left alone, and the rule does not fire there") {
    for (const AdjustmentState state : {AdjustmentState::drifted, AdjustmentState::undo_deferred}) {
        Scene scene({rule()});
        scene.full();
        scene.look();
        scene.apply().state = state;
        scene.look();
        CHECK(scene.last.decisions.empty());
        scene.rulebook.rules.clear();
        scene.look();
        CHECK(scene.last.decisions.empty());
    }
}

TEST_CASE("an undo that undo_when began and that waits is called off when the condition is back") {
    Rule both = rule();
    both.for_ = 5s;
    both.undo_when = expression("fd.used < 300", ExpressionRole::undo_when);
    const auto decided = [](const Rule& judged, UndoCause cause, std::string_view seen) {
        Scene scene({judged});
        scene.look();
        scene.apply().undo_cause = cause;
        scene.keep().state = AdjustmentState::undo_deferred;
        std::string all;
        for (const char letter : seen) {
            if (letter == 't') scene.full();
            if (letter == 'r') scene.roomy();
            if (letter == 'l') scene.world.set(Signal::fd_used, count(100));
            if (letter == '?') scene.blind();
            scene.look();
            const auto off = scene.of(DecisionKind::call_off);
            CHECK(scene.last.decisions.size() == off.size());
            all += off.empty() ? '.' : '!';
            if (off.empty()) continue;
            CHECK(off[0].group == 1);
            CHECK(off[0].reason.starts_with("when held for "));
        }
        return all;
    };
    CHECK(decided(both, UndoCause::condition_over, "lrtt?tr") == "...!.!.");
    CHECK(decided(both, UndoCause::verification_failed, "tttt") == "....");
    CHECK(decided(both, UndoCause::rule_gone, "tttt") == "....");
    CHECK(decided(both, UndoCause::asked_for, "tttt") == "....");
    CHECK(decided(both, UndoCause::other, "tttt") == "....");
    Rule still = both;
    still.undo_when = expression("fd.used > 300", ExpressionRole::undo_when);
    CHECK(decided(still, UndoCause::condition_over, "tttt") == "....");  // it would begin anew at once
    Rule none = both;
    none.undo_when = nullptr;
    CHECK(decided(none, UndoCause::condition_over, "tttt") == ".!!!");
    Rule observing = both;
    observing.mode = Mode::observe;
    CHECK(decided(observing, UndoCause::condition_over, "tttt") == "....");
}

TEST_CASE("a group is not called off while another of its undos has another cause") {
    Scene scene({rule()});
    scene.full();
    scene.look();
    scene.apply().undo_cause = UndoCause::condition_over;
    scene.keep().state = AdjustmentState::undo_deferred;
    LiveAdjustment other = scene.world.snapshot.adjustments[0];
    other.id = 99;
    other.undo_cause = UndoCause::asked_for;
    scene.world.snapshot.adjustments.push_back(other);
    scene.look();
    CHECK(scene.of(DecisionKind::call_off).empty());
}

TEST_CASE("an undo says what began it") {
    Rule undone = rule();
    undone.undo_when = expression("true", ExpressionRole::undo_when);
    undone.undo_for = 0s;
    Scene scene({undone});
    scene.full();
    scene.look();
    scene.apply();
    scene.keep();
    scene.look();
    CHECK(scene.of(DecisionKind::undo).at(0).cause == UndoCause::condition_over);
    scene.rulebook.rules.clear();
    scene.look();
    CHECK(scene.of(DecisionKind::undo).at(0).cause == UndoCause::rule_gone);
}

TEST_CASE("a reload keeps the clock of a rule whose condition did not change") {
    Rule ten = rule();
    ten.for_ = 10s;
    const auto fires_after_reload = [&ten](auto&& edit) {
        Scene scene({ten});
        scene.full();
        scene.look();
        scene.look();
        Rulebook edited = scene.rulebook;
        edit(edited);
        carry_over(scene.rulebook, edited, scene.state);
        scene.rulebook = edited;
        scene.look();
        return scene.fired();
    };
    CHECK(fires_after_reload([](Rulebook&) {}));
    CHECK(fires_after_reload([](Rulebook& book) { book.rules[0].adjust = {nofile("fd.limit * 3")}; }));
    CHECK(fires_after_reload(
        [](Rulebook& book) { book.rules[0].when = expression("fd.used/fd.limit > 80%"); }));  // only spaces
    CHECK_FALSE(
        fires_after_reload([](Rulebook& book) { book.rules[0].when = expression("fd.used / fd.limit > 81%"); }));
    CHECK_FALSE(fires_after_reload([](Rulebook& book) { book.rules[0].for_ = 15s; }));
    CHECK_FALSE(fires_after_reload([](Rulebook& book) { book.rules[0].name = "another"; }));
}

TEST_CASE("a reload that changes verify starts verification at settle") {
    Scene scene({verified()});
    scene.full();
    scene.look();
    scene.apply();
    scene.roomy();
    for (int i = 0; i < 6; ++i) scene.look();
    Rulebook edited = scene.rulebook;
    edited.rules[0].verify.hold = 20s;
    carry_over(scene.rulebook, edited, scene.state);
    scene.rulebook = edited;
    std::string decided;
    for (int i = 0; i < 7; ++i) {
        scene.look();
        decided += scene.of(DecisionKind::keep).empty() ? '.' : 'k';
    }
    // At the first it starts; settle 5 s and a whole window: the third counts; hold ends 25 s after the start.
    CHECK(decided == ".....kk");
}

TEST_CASE("keeps and undos come before fires") {
    Rule first = rule("a-first");
    Scene scene({first, rule("live", "false")});
    scene.full();
    scene.look();
    scene.apply(1, "live").knob = "rlimit.nproc";
    scene.look();
    REQUIRE(scene.last.decisions.size() == 2);
    CHECK(scene.last.decisions[0].kind == DecisionKind::undo);
    CHECK(scene.last.decisions[1].kind == DecisionKind::fire);
}

TEST_CASE("a cgroup that is for a moment without a Go process keeps what it was given; one that stays so does not") {
    Rule grouped = rule("high", "true");
    grouped.scope = Scope::cgroup;
    Scene scene({grouped});
    scene.look();
    scene.apply(1, "high", first_cgroup).knob = grouped.adjust.front().knob;
    scene.keep();
    const auto process = scene.world.snapshot.processes.at(first_process);
    // A service that re-execs is gone for one Snapshot; a daemon that just started sees nobody at first.
    for (int again = 0; again < 2; ++again) {
        scene.world.snapshot.processes.clear();
        scene.look();
        scene.look();
        CHECK(scene.of(DecisionKind::undo).empty());
        scene.world.snapshot.processes[first_process] = process;
        scene.look();
        CHECK(scene.of(DecisionKind::undo).empty());
    }
    scene.world.snapshot.processes.clear();
    scene.look();
    scene.look();
    scene.look();
    REQUIRE(scene.of(DecisionKind::undo).size() == 1);
    CHECK(scene.of(DecisionKind::undo).front().reason == "no Go process is in it");
}

TEST_CASE("an edited condition is judged by a Snapshot that the old one has seen, as plan needs it") {
    Scene scene({rule("edited", "fd.used > 950")});
    scene.full();
    scene.look();
    CHECK_FALSE(scene.fired("edited"));
    Rulebook edited = scene.rulebook;
    edited.rules.front() = rule("edited", "fd.used > 800");
    carry_over(scene.rulebook, edited, scene.state);
    const Evaluation planned = evaluate(edited, scene.world.snapshot, scene.state);
    CHECK(std::any_of(planned.decisions.begin(), planned.decisions.end(),
                      [](const Decision& decision) { return decision.kind == DecisionKind::fire; }));
}

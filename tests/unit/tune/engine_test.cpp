// The life of an adjustment: every transition, on sysctls of a fake tree.
#include "tune/engine.h"

#include <algorithm>

#include "at_point.h"
#include "bench.h"
#include "catch.h"

using namespace gotuned;
using namespace gotuned::test;

namespace {

Decision swap_to(const Bench& bench, double value, const std::string& by = "less-swap") {
    return bench.fire(by, HostId{}, {{swappiness, count(value)}});
}
Decision next_step(const Bench& bench, double value, int step) {
    Decision decision = swap_to(bench, value);
    decision.step = step;
    decision.group = bench.only().group;
    return decision;
}
std::uint64_t total(const Engine& engine, const std::string& outcome) {
    std::uint64_t sum = 0;
    for (const AdjustmentTotal& one : engine.totals())
        if (one.outcome == outcome) sum += one.count;
    return sum;
}

}  // namespace

TEST_CASE("a decision is journaled, written, read back and reported as applied") {
    Bench bench;
    bench.start();
    bench.clock.advance(std::chrono::seconds(7));
    Decision decision = swap_to(bench, 10);
    decision.before["fd.used"] = Value(count(3));
    bench.act(decision);
    CHECK(bench.sysctl("vm/swappiness") == "10");
    const LiveAdjustment live = bench.only();
    CHECK(live.state == AdjustmentState::applied);
    CHECK(live.rule == "less-swap");
    CHECK(live.target == TargetId(HostId{}));
    CHECK(live.knob == swappiness);
    CHECK(live.original == Value(count(60)));
    CHECK(live.set == Value(count(10)));
    CHECK(live.step == 1);
    CHECK(live.read_back == bench.clock.mono());
    CHECK(live.before.at("fd.used") == Reading<Value>(Value(count(3))));
    const HistoryEntry told = bench.told.last("applied");
    CHECK(told.original == "60");
    CHECK(told.from == "60");
    CHECK(told.to == "10");
    CHECK(told.target == "host");
    CHECK(told.actor == "rule");
    CHECK_FALSE(told.evidence.empty());
    CHECK(total(*bench.engine, "applied") == 1);
}

TEST_CASE("the journal has it before the kernel does") {
    Bench bench;
    bench.start();
    std::string at_commit;
    {
        const AtPoint look("after journal plan", 1, [&] { at_commit = bench.sysctl("vm/swappiness"); });
        bench.act(swap_to(bench, 10));
    }
    CHECK(at_commit == "60");
    CHECK(bench.sysctl("vm/swappiness") == "10");
}

TEST_CASE("a change that verified is kept, and undone when the rule says so") {
    Bench bench;
    bench.start();
    bench.act(swap_to(bench, 10));
    bench.clock.advance(std::chrono::seconds(30));
    bench.keep();
    CHECK(bench.only().state == AdjustmentState::kept);
    CHECK(bench.only().kept_at == bench.clock.mono());
    CHECK(bench.sysctl("vm/swappiness") == "10");
    bench.undo();
    CHECK(bench.sysctl("vm/swappiness") == "60");
    CHECK(bench.engine->live().empty());
    CHECK(bench.told.last("undone").reason == "the test says so");
    CHECK(bench.told.last("undone").from == "10");
    CHECK(bench.told.last("undone").to == "60");
}

TEST_CASE("a change is kept as of the Snapshot that decided so, however late the loop gets to it") {
    Bench bench;
    bench.start();
    bench.act(swap_to(bench, 10));
    const Otherwise otherwise = GENERATE(Otherwise::undo, Otherwise::keep);
    Decision decision;
    decision.kind = otherwise == Otherwise::keep ? DecisionKind::fail : DecisionKind::keep;
    decision.rule = "less-swap";
    decision.group = bench.only().group;
    decision.otherwise = otherwise;
    decision.at = bench.clock.mono() + std::chrono::seconds(5);
    bench.clock.advance(std::chrono::milliseconds(5003));
    bench.act(decision);
    CHECK(bench.only().kept_at == decision.at);
}

TEST_CASE("a change that did not verify is undone, and its quarantine doubles each time up to a limit") {
    Bench bench;
    bench.options.per_minute = 1000;
    bench.start();
    Duration expected = std::chrono::minutes(20);  // of a cooldown of 10 minutes
    for (int round = 0; round < 3; ++round) {
        bench.act(swap_to(bench, 10));
        REQUIRE(bench.sysctl("vm/swappiness") == "10");
        bench.fail();
        CHECK(bench.sysctl("vm/swappiness") == "60");
        bench.clock.advance(expected - std::chrono::seconds(1));
        bench.act(swap_to(bench, 10));
        CHECK(bench.refusal().starts_with("quarantine: "));
        CHECK(bench.engine->live().empty());
        bench.clock.advance(std::chrono::seconds(1));
        expected *= 2;
    }
    CHECK(bench.told.count("verify_failed") == 3);
}

TEST_CASE("a verification that fails with otherwise: keep leaves the value and is kept") {
    Bench bench;
    bench.start();
    bench.act(swap_to(bench, 10));
    bench.verdict(DecisionKind::fail, Otherwise::keep);
    CHECK(bench.only().state == AdjustmentState::kept);
    CHECK(bench.sysctl("vm/swappiness") == "10");
    CHECK(total(*bench.engine, "verify_failed") == 1);
}

TEST_CASE("cooldown starts when the chain ends") {
    Bench bench;
    bench.start();
    bench.act(swap_to(bench, 10));
    bench.clock.advance(std::chrono::hours(2));
    bench.keep();
    bench.undo();
    bench.clock.advance(std::chrono::minutes(9));
    bench.act(swap_to(bench, 10));
    CHECK(bench.refusal() == "cooldown: 1m left");
    bench.clock.advance(std::chrono::minutes(1));
    bench.act(swap_to(bench, 10));
    CHECK(bench.sysctl("vm/swappiness") == "10");
}

TEST_CASE("a cooldown that a reload has shortened is over sooner, also after a restart; a longer one is not later") {
    Bench bench;
    bench.start();
    bench.act(swap_to(bench, 10));
    bench.keep();
    bench.undo();
    bench.restart(nullptr);
    bench.clock.advance(std::chrono::minutes(3));
    Decision decision = swap_to(bench, 10);
    decision.cooldown = std::chrono::hours(1);
    bench.act(decision);
    CHECK(bench.refusal() == "cooldown: 7m left");
    decision.cooldown = std::chrono::minutes(5);
    CHECK(bench.engine->plan({decision}, *bench.snapshot())[0].refused == "cooldown: 2m left");
    bench.clock.advance(std::chrono::minutes(2));
    bench.act(decision);
    CHECK(bench.sysctl("vm/swappiness") == "10");
}

TEST_CASE("a step that fails goes back to the last kept value, and the end of the chain to the first original") {
    Bench bench;
    bench.start();
    bench.act(swap_to(bench, 40));
    bench.keep();
    bench.act(next_step(bench, 20, 2));
    CHECK(bench.only().step == 2);
    CHECK(bench.only().state == AdjustmentState::applied);
    CHECK(bench.only().original == Value(count(60)));
    bench.fail();
    CHECK(bench.sysctl("vm/swappiness") == "40");
    CHECK(bench.only().state == AdjustmentState::kept);
    CHECK(bench.only().step == 1);
    CHECK(bench.only().set == Value(count(40)));
    bench.undo();
    CHECK(bench.sysctl("vm/swappiness") == "60");
    CHECK(bench.engine->live().empty());
}

TEST_CASE("kept steps are one chain with one undo") {
    Bench bench;
    bench.start();
    bench.act(swap_to(bench, 40));
    bench.keep();
    const std::int64_t id = bench.only().id;
    bench.act(next_step(bench, 20, 2));
    bench.keep();
    bench.act(next_step(bench, 10, 3));
    bench.keep();
    CHECK(bench.only().id == id);
    CHECK(bench.only().step == 3);
    bench.undo();
    CHECK(bench.sysctl("vm/swappiness") == "60");
}

TEST_CASE("a step is taken while cooldown would hold up a new chain") {
    Bench bench;
    bench.start();
    bench.act(swap_to(bench, 40));
    bench.keep();
    bench.undo();
    bench.clock.advance(std::chrono::minutes(10));
    bench.act(swap_to(bench, 40));
    bench.keep();
    bench.act(next_step(bench, 20, 2));
    CHECK(bench.sysctl("vm/swappiness") == "20");
}

TEST_CASE("a step of a value that somebody else changed is refused") {
    Bench bench;
    bench.start();
    bench.act(swap_to(bench, 40));
    bench.keep();
    bench.set_sysctl("vm/swappiness", "77");
    bench.act(next_step(bench, 20, 2));
    CHECK(bench.sysctl("vm/swappiness") == "77");
    CHECK(bench.refusal().starts_with("yields"));
}

TEST_CASE("a group is written in order and undone in reverse") {
    Bench bench;
    bench.start();
    std::vector<std::string> seen;
    const AtPoint look("after sysctl write", 3,
                       [&] { seen = {bench.sysctl("vm/swappiness"), bench.sysctl("vm/page-cluster")}; });
    bench.act(bench.fire("both", HostId{}, {{swappiness, count(10)}, {page_cluster, count(0)}}));
    REQUIRE(bench.engine->live().size() == 2);
    CHECK(bench.engine->live()[0].group == bench.engine->live()[1].group);
    bench.undo();
    CHECK(seen == std::vector<std::string>{"10", "3"});  // the last that was written goes first
    CHECK(bench.sysctl("vm/swappiness") == "60");
    CHECK(bench.sysctl("vm/page-cluster") == "3");
}

TEST_CASE("if one write of a group fails, those before it are undone") {
    Bench bench;
    bench.start();
    {
        const AtPoint refuse("after sysctl write", 2,
                             [&] { bench.set_sysctl("vm/page-cluster", "3"); });  // "the kernel kept it"
        bench.act(bench.fire("both", HostId{}, {{swappiness, count(10)}, {page_cluster, count(0)}}));
    }
    CHECK(bench.sysctl("vm/swappiness") == "60");
    CHECK(bench.sysctl("vm/page-cluster") == "3");
    CHECK(bench.engine->live().empty());
    CHECK(bench.told.last("failed").knob == page_cluster);
    CHECK(bench.told.last("undone").knob == swappiness);
    bench.act(bench.fire("both", HostId{}, {{swappiness, count(10)}, {page_cluster, count(0)}}));
    CHECK(bench.refusal().starts_with("quarantine"));
}

TEST_CASE("a write that left something else than was wanted or was there is put back as failed") {
    Bench bench;
    bench.start();
    {
        const AtPoint vanish("after sysctl write", 1, [&] {
            std::filesystem::rename(bench.dir / "proc/sys/vm/swappiness", bench.dir / "aside");
        });
        bench.act(swap_to(bench, 10));
    }
    // It could not be read back: an undo is owed, and waits for the file.
    CHECK(bench.only().state == AdjustmentState::undo_deferred);
    std::filesystem::rename(bench.dir / "aside", bench.dir / "proc/sys/vm/swappiness");
    bench.tick();
    CHECK(bench.engine->live().empty());
    CHECK(bench.sysctl("vm/swappiness") == "60");
}

TEST_CASE("a value that was changed between plan and write is left alone") {
    Bench bench;
    bench.start();
    {
        const AtPoint foreign("after journal plan", 1, [&] { bench.set_sysctl("vm/swappiness", "77"); });
        bench.act(swap_to(bench, 10));
    }
    CHECK(bench.sysctl("vm/swappiness") == "77");
    CHECK(bench.engine->live().empty());
}

TEST_CASE("what holds its value already is left out of a group, and the rest is written") {
    Bench bench;
    bench.start();
    bench.act(bench.fire("both", HostId{}, {{swappiness, count(60)}, {page_cluster, count(0)}}));
    CHECK(bench.only().knob == page_cluster);
}

TEST_CASE("a value that somebody else changed is drifted: hands off until resume") {
    Bench bench;
    bench.start();
    bench.act(swap_to(bench, 10));
    bench.keep();
    bench.set_sysctl("vm/swappiness", "77");
    bench.tick();
    CHECK(bench.only().state == AdjustmentState::drifted);
    CHECK(bench.told.last("drifted").reason == "it holds 77, not our 10; the original was 60");
    bench.undo();
    CHECK(bench.sysctl("vm/swappiness") == "77");
    CHECK(bench.only().state == AdjustmentState::drifted);
    bench.clock.advance(std::chrono::hours(1));
    bench.act(swap_to(bench, 10));
    CHECK(bench.refusal().starts_with("yields: it holds 77"));
    CHECK_FALSE(bench.engine->resume("other", HostId{}, "root"));
    REQUIRE(bench.engine->resume("less-swap", HostId{}, "root"));
    bench.act(swap_to(bench, 10));
    CHECK(bench.sysctl("vm/swappiness") == "10");
    CHECK(bench.only().original == Value(count(77)));
}

TEST_CASE("resume takes a drifted value as it is") {
    Bench bench;
    bench.start();
    bench.act(swap_to(bench, 10));
    bench.set_sysctl("vm/swappiness", "77");
    bench.tick();
    REQUIRE(bench.engine->resume("less-swap", HostId{}, "root"));
    CHECK(bench.engine->live().empty());
    CHECK(bench.sysctl("vm/swappiness") == "77");
}

TEST_CASE("a yield is remembered over a restart") {
    Bench bench;
    bench.start();
    bench.act(swap_to(bench, 10));
    bench.set_sysctl("vm/swappiness", "77");
    bench.tick();
    const Rulebook book = rulebook({rule("less-swap", {swappiness})});
    bench.restart(&book);
    CHECK(bench.only().state == AdjustmentState::drifted);
    bench.undo();
    bench.clock.advance(std::chrono::hours(1));
    bench.act(swap_to(bench, 10));
    CHECK(bench.refusal().starts_with("yields"));
}

TEST_CASE("an undo that finds the original there already is done") {
    Bench bench;
    bench.start();
    bench.act(swap_to(bench, 10));
    bench.set_sysctl("vm/swappiness", "60");
    bench.undo();
    CHECK(bench.engine->live().empty());
    CHECK(bench.told.count("undone") == 1);
}

TEST_CASE("an operator undoes one group, or all") {
    Bench bench;
    bench.start();
    bench.act(swap_to(bench, 10));
    bench.act(bench.fire("other", HostId{}, {{page_cluster, count(0)}}));
    const auto one = bench.undo_asked(bench.engine->live()[1].id, false);
    REQUIRE(one.size() == 1);
    CHECK(one[0].state == AdjustmentState::undone);
    CHECK(one[0].knob == page_cluster);
    CHECK(bench.sysctl("vm/swappiness") == "10");
    CHECK(bench.told.last("undone").actor == "uid 0 (root)");
    CHECK(bench.undo_asked(0, false).size() == 1);
    CHECK(bench.sysctl("vm/swappiness") == "60");
    CHECK(bench.undo_asked(0, false).empty());
    CHECK(bench.undo_asked(4711, false).empty());
}

TEST_CASE("an undo that is asked for while the write is under way follows it") {
    Bench bench;
    bench.start();
    std::atomic<bool> go{false};
    const AtPoint hold("before sysctl write", 1, [&] {
        while (!go) ::usleep(1000);
    });
    bench.engine->act({bench.fire("both", HostId{}, {{swappiness, count(10)}, {page_cluster, count(0)}})},
                      bench.snapshot());
    std::vector<UndoOutcome> outcomes;
    bench.engine->undo(0, false, "root", [&](std::vector<UndoOutcome> all) { outcomes = std::move(all); });
    go = true;
    bench.settle();
    CHECK(outcomes.size() == 2);
    CHECK(bench.engine->live().empty());
    CHECK(bench.sysctl("vm/swappiness") == "60");
    CHECK(bench.sysctl("vm/page-cluster") == "3");
}

TEST_CASE("before it ends the daemon puts everything back, unless it is to keep it") {
    Bench bench;
    const bool undo = GENERATE(true, false);
    bench.options.undo_on_stop = undo;
    bench.start();
    bench.act(bench.fire("both", HostId{}, {{swappiness, count(10)}, {page_cluster, count(0)}}));
    const auto outcomes = bench.engine->stop(std::chrono::seconds(10));
    CHECK(outcomes.size() == (undo ? 2U : 0U));
    CHECK(bench.sysctl("vm/swappiness") == (undo ? "60" : "10"));
}

TEST_CASE("advice is recorded once a cooldown, and changes nothing") {
    Bench bench;
    bench.start();
    Decision decision = bench.fire("backlog", HostId{}, {});
    PlannedWrite& write = decision.writes.emplace_back();
    write.knob = "advise";
    write.text = "raise the listen backlog";
    bench.act(decision);
    bench.act(decision);
    CHECK(bench.told.count("advised") == 1);
    CHECK(bench.told.last("advised").to == "raise the listen backlog");
    CHECK(bench.engine->live().empty());
    bench.clock.advance(std::chrono::minutes(10));
    bench.act(decision);
    CHECK(bench.told.count("advised") == 2);
}

TEST_CASE("five failed verifications within ten minutes open the circuit, until an operator resumes") {
    Bench bench;
    bench.start();
    bench.act(bench.fire("stays", HostId{}, {{page_cluster, count(0)}}));
    bench.keep();
    for (int i = 0; i < 5; ++i) {
        CHECK_FALSE(bench.engine->circuit_open());
        bench.act(swap_to(bench, 10, "rule-" + std::to_string(i)));
        Decision failed;
        failed.kind = DecisionKind::fail;
        failed.rule = "rule-" + std::to_string(i);
        failed.group = bench.engine->live().at(1).group;
        bench.act(failed);
    }
    CHECK(bench.engine->circuit_open());
    CHECK(bench.told.count("circuit_open") == 1);
    bench.act(swap_to(bench, 10, "another"));
    CHECK(bench.refusal().starts_with("circuit_open"));
    CHECK(bench.sysctl("vm/page-cluster") == "0");  // what was verified stays
    const Rulebook book = rulebook({rule("stays", {page_cluster})});
    bench.restart(&book);
    CHECK(bench.engine->circuit_open());
    bench.engine->pause(false, "root");
    CHECK_FALSE(bench.engine->circuit_open());
    bench.act(swap_to(bench, 10, "another"));
    CHECK(bench.sysctl("vm/swappiness") == "10");
}

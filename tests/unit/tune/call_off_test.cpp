// An undo that waits until it is safe, and is not wanted any more when it would be; and what every undo says of why
// it began.
#include "bench.h"
#include "catch.h"
#include "child.h"
#include "tune/sqlite.h"

using namespace gotuned;
using namespace gotuned::test;

namespace {

/// A raised limit whose undo waits: more descriptors are open than the old limit allows.
struct Waiting : Bench {
    Child child{};
    const Rulebook stands = rulebook({rule("raise", {"rlimit.nofile"})});
    explicit Waiting(UndoCause cause = UndoCause::condition_over) : Bench(Proc::real) {
        start();
        see(child.id());
        act(fire("raise", child.id(), {{"rlimit.nofile", count(1024)}}));
        keep();
        child.open_descriptors(500);
        undo(cause);
        REQUIRE(only().state == AdjustmentState::undo_deferred);
    }
    void becomes_safe() {
        child.close_descriptors();
        tick();
        tick();
    }
};

}  // namespace

TEST_CASE("an undo that is called off leaves the value, which is kept as before") {
    Waiting bench;
    const MonoTime kept_at = bench.only().kept_at;
    CHECK(bench.only().undo_cause == UndoCause::condition_over);
    bench.tick();
    bench.call_off();
    CHECK(bench.only().state == AdjustmentState::kept);
    CHECK(bench.only().kept_at == kept_at);
    CHECK(bench.told.last("kept").reason ==
          "the test says so: its undo is called off (condition over: the test says so)");
    bench.becomes_safe();
    CHECK(bench.child.soft() == 1024);
    CHECK(bench.only().state == AdjustmentState::kept);
    bench.undo(UndoCause::condition_over);
    CHECK(bench.child.soft() == 256);
}

TEST_CASE("an undo that something else than its condition began is not called off") {
    Waiting bench(GENERATE(UndoCause::rule_gone, UndoCause::verification_failed, UndoCause::asked_for));
    bench.call_off();
    CHECK(bench.only().state == AdjustmentState::undo_deferred);
    bench.becomes_safe();
    CHECK(bench.child.soft() == 256);
}

TEST_CASE("an operator's undo of what waits already is not called off") {
    Waiting bench;
    CHECK(bench.undo_asked(0, false).at(0).state == AdjustmentState::undo_deferred);
    CHECK(bench.only().undo_cause == UndoCause::asked_for);
    bench.call_off();
    CHECK(bench.only().state == AdjustmentState::undo_deferred);
}

TEST_CASE("after a restart, too, an undo is called off, and only one that its condition began") {
    const UndoCause cause = GENERATE(UndoCause::condition_over, UndoCause::verification_failed);
    Waiting bench(cause);
    bench.restart(&bench.stands);
    CHECK(bench.only().undo_cause == cause);
    bench.call_off();
    const bool off = cause == UndoCause::condition_over;
    CHECK(bench.only().state == (off ? AdjustmentState::kept : AdjustmentState::undo_deferred));
    bench.restart(&bench.stands);
    CHECK(bench.only().state == (off ? AdjustmentState::kept : AdjustmentState::undo_deferred));
}

TEST_CASE("a group of which one is put back already is put back whole") {
    Bench bench(Bench::Proc::real);
    bench.start();
    Child child;
    bench.see(child.id());
    bench.act(bench.fire("raise", child.id(), {{"rlimit.nofile", count(1024)}, {"cpu.affinity", CpuSet({0})}}));
    REQUIRE(bench.engine->live().size() == 2);
    bench.keep();
    child.open_descriptors(500);
    bench.undo(UndoCause::condition_over);
    CHECK(bench.only().state == AdjustmentState::undo_deferred);
    const bool restarted = GENERATE(false, true);
    const Rulebook book = rulebook({rule("raise", {"rlimit.nofile", "cpu.affinity"})});
    if (restarted) bench.restart(&book);
    bench.call_off();
    CHECK(bench.only().state == AdjustmentState::undo_deferred);
}

TEST_CASE("the history says why an undo began: at once, and when it has to wait") {
    for (const auto& [cause, words] :
         {std::pair{UndoCause::condition_over, "condition over: the test says so"},
          std::pair{UndoCause::verification_failed, "verification failed: the test says so"},
          std::pair{UndoCause::rule_gone, "rule gone: the test says so"}}) {
        Bench bench;
        bench.start();
        bench.act(bench.fire("less-swap", HostId{}, {{swappiness, count(10)}}));
        bench.keep();
        bench.undo(cause);
        CHECK(bench.told.last("undone").reason == words);
        Waiting waits(cause);
        CHECK(waits.told.last("undo_deferred").reason.starts_with(std::string(words) + "; "));
        waits.becomes_safe();
        CHECK(waits.told.last("undone").reason == words);
    }
    Bench bench;
    bench.start();
    bench.act(bench.fire("less-swap", HostId{}, {{swappiness, count(10)}}));
    bench.undo_asked(0, false);
    CHECK(bench.told.last("undone").reason == "asked for");
}

TEST_CASE("a journal that an older version wrote gains what it did not have") {
    Waiting bench;
    bench.engine.reset();
    {
        auto journal = Database::open(bench.dir / "run/journal.db", Database::Access::create);
        REQUIRE(
            journal->execute("ALTER TABLE adjustment DROP COLUMN undo_cause; ALTER TABLE standing DROP COLUMN "
                             "cooldown_from; PRAGMA user_version=1"));
    }
    bench.restart(&bench.stands);
    CHECK(bench.only().state == AdjustmentState::undo_deferred);
    CHECK(bench.only().undo_cause == UndoCause::other);
    bench.becomes_safe();
    CHECK(bench.child.soft() == 256);
}

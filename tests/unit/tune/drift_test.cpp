// What is told of a value that somebody else has changed: for as long as the rule yields, and after a restart.
#include "base/text.h"
#include "bench.h"
#include "catch.h"
#include "child.h"

using namespace gotuned;
using namespace gotuned::test;

namespace {

/// A raised limit that the process changes itself while its undo waits.
struct DriftedWhileWaiting : Bench {
    Child child{};
    DriftedWhileWaiting() : Bench(Proc::real) {
        start();
        see(child.id());
        act(fire("raise", child.id(), {{"rlimit.nofile", count(1024)}}));
        keep();
        child.open_descriptors(500);
        undo(UndoCause::condition_over);
        REQUIRE(only().state == AdjustmentState::undo_deferred);
        child.set_own_soft(2000);
        tick();
    }
};

/// A kept sysctl that somebody else has written.
struct Drifted : Bench {
    const Rulebook stands = rulebook({rule("less-swap", {swappiness})});
    Drifted() {
        start();
        act(fire("less-swap", HostId{}, {{swappiness, count(10)}}));
        keep();
        set_sysctl("vm/swappiness", "77");
        tick();
    }
};

std::string boot_of(const Bench& bench) {
    return std::string(trim(*read_file(bench.options.roots.proc + "/sys/kernel/random/boot_id")));
}

}  // namespace

TEST_CASE("drift that is found while an undo waits stays to be seen") {
    DriftedWhileWaiting bench;
    const LiveAdjustment live = bench.only();
    CHECK(live.state == AdjustmentState::drifted);
    CHECK(live.original == Value(count(256)));
    CHECK(live.set == Value(count(1024)));
    CHECK(live.now == "2000 (hard 4096)");
    CHECK(live.note == "the rule yields until gotunectl resume raise " + std::to_string(bench.child.pid()));
    CHECK(bench.told.last("drifted").reason ==
          "it holds 2000 (hard 4096), not our 1024 (hard 4096); the original was 256 (hard 4096); found when it was to "
          "be put back (condition over: the test says so)");
    CHECK(bench.told.count("drifted") == 1);
    bench.tick();
    CHECK(bench.told.count("drifted") == 1);
    CHECK(bench.child.soft() == 2000);
    bench.child.end();
    bench.tick();
    CHECK(bench.engine->live().empty());
    CHECK(bench.engine->yields().empty());
}

TEST_CASE("an undo of what has drifted says what was there, what is, and that it stays") {
    Drifted bench;
    for (int again = 0; again < 2; ++again) {
        const auto outcomes = bench.undo_asked(0, false);
        REQUIRE(outcomes.size() == 1);
        CHECK(outcomes[0].state == AdjustmentState::drifted);
        CHECK(outcomes[0].reason == "it holds 77, not our 10; the original was 60; it is left alone");
    }
    bench.engine.reset();
    bool running = false;
    const auto offline = undo_offline(bench.options, bench.clock, false, running);
    CHECK(offline->at(0).state == AdjustmentState::drifted);
    CHECK(offline->at(0).reason == "it holds 77, not our 10; the original was 60; it is left alone");
    bench.set_sysctl("vm/swappiness", "60");
    CHECK(undo_offline(bench.options, bench.clock, false, running)->at(0).state == AdjustmentState::undone);
    CHECK(undo_offline(bench.options, bench.clock, false, running)->empty());
}

TEST_CASE("what a drifted value is now is looked at each tick, also after a restart") {
    Drifted bench;
    CHECK(bench.only().now == "77");
    bench.set_sysctl("vm/swappiness", "78");
    bench.tick();
    CHECK(bench.only().now == "78");
    bench.restart(&bench.stands);
    bench.set_sysctl("vm/swappiness", "79");
    bench.tick();
    CHECK(bench.only().now == "79");
    CHECK(bench.only().note == "the rule yields until gotunectl resume less-swap host");
}

TEST_CASE("a plan says why a rule yields, how to lift it, and what else holds it back") {
    Drifted bench;
    const auto refused = [&] {
        return bench.engine->plan({bench.fire("less-swap", HostId{}, {{swappiness, count(10)}})}, *bench.snapshot())
            .at(0)
            .refused;
    };
    CHECK(refused() ==
          "yields: it holds 77, not our 10; the original was 60; until gotunectl resume less-swap host; cooldown: 10m "
          "left");
    bench.engine->pause(true, "root");
    CHECK(refused().starts_with("paused: gotunectl resume lifts it; yields: "));
    const auto other =
        bench.engine->plan({bench.fire("other", HostId{}, {{swappiness, count(10)}})}, *bench.snapshot());
    CHECK(other.at(0).refused.starts_with("held: by rule less-swap (adjustment 1, drifted)"));
}

TEST_CASE("a rule that yields is listed with what lifts it, for as long as it yields") {
    Drifted bench;
    bench.restart(&bench.stands);
    REQUIRE(bench.engine->yields().size() == 1);
    CHECK(bench.engine->yields()[0].rule == "less-swap");
    CHECK(bench.engine->yields()[0].command == "gotunectl resume less-swap host");
    CHECK(bench.engine->yields()[0].why.find("the original was 60") != std::string::npos);
    REQUIRE(bench.engine->resume("less-swap", HostId{}, "root"));
    CHECK(bench.engine->yields().empty());
    CHECK(bench.engine->live().empty());
}

TEST_CASE("a journaled drift whose yield was lost in a crash yields again") {
    Drifted bench;
    bench.engine.reset();
    {
        auto journal = Journal::open(bench.dir / "run/journal.db", "boot-a");
        Standing standing;
        standing.rule = "less-swap";
        standing.target = HostId{};
        REQUIRE((*journal)->forget(standing));
    }
    bench.restart(&bench.stands);
    CHECK(bench.engine->yields().size() == 1);
}

TEST_CASE("a yield does not outlive its process") {
    DriftedWhileWaiting bench;
    bench.engine.reset();
    bench.child.end();
    {
        auto journal = Journal::open(bench.dir / "run/journal.db", boot_of(bench));
        JournalEntry entry = (*journal)->open_entries()->at(0);
        entry.let_go = true;  // no adjustment tells of it any more
        REQUIRE((*journal)->save(entry));
        REQUIRE((*journal)->standings()->size() == 1);
    }
    bench.restart(nullptr);
    CHECK(bench.engine->yields().empty());
}

namespace {

SysctlWrite write_by(const std::string& command, const std::string& path = "vm/swappiness") {
    SysctlWrite write;
    write.path = path;
    write.from = "10";
    write.to = "42";
    write.command = command;
    write.cgroup = "cron.service";
    write.pid = 4711;
    return write;
}

}  // namespace

TEST_CASE("a foreign write is looked at without a tick, and its writer is named wherever the drift is told") {
    Bench bench;
    bench.start();
    bench.act(bench.fire("less-swap", HostId{}, {{swappiness, count(10)}}));
    bench.set_sysctl("vm/swappiness", "42");
    bench.engine->foreign_write(write_by("sysctl"));
    bench.settle();
    CHECK(bench.only().state == AdjustmentState::drifted);
    const std::string writer = "sysctl (pid 4711, user 0, in cron.service), 10 → 42";
    CHECK(bench.told.last("drifted").actor == writer);
    CHECK(bench.told.last("drifted").reason == "it holds 42, not our 10; the original was 60; written by " + writer);
    CHECK(bench.only().note.starts_with("written by " + writer + "; the rule yields until"));
    REQUIRE(bench.engine->yields().size() == 1);
    CHECK(bench.engine->yields()[0].why.find(writer) != std::string::npos);
}

TEST_CASE("a foreign write that changed nothing is no drift") {
    Bench bench;
    bench.start();
    bench.act(bench.fire("less-swap", HostId{}, {{swappiness, count(10)}}));
    bench.engine->foreign_write(write_by("sysctl"));
    bench.settle();
    CHECK(bench.only().state == AdjustmentState::applied);
}

TEST_CASE("a foreign write to what nobody holds, or to the net of another namespace, names nobody") {
    Bench bench;
    bench.start();
    bench.dir.put("proc/self/ns/net", "");
    bench.act(bench.fire("rmem", HostId{}, {{"sysctl.net.ipv4.tcp_rmem", std::string("1 2 3")}}));
    bench.set_sysctl("net/ipv4/tcp_rmem", "4 5 6");
    SysctlWrite elsewhere = write_by("sysctl", "net/ipv4/tcp_rmem");
    elsewhere.net_namespace = 1;  // no file has it
    bench.engine->foreign_write(elsewhere);
    bench.engine->foreign_write(write_by("sysctl", "vm/page-cluster"));
    bench.settle();
    CHECK(bench.only().state == AdjustmentState::applied);
    bench.tick();
    CHECK(bench.told.last("drifted").actor == "someone else");
}

TEST_CASE("what a stranger calls himself cannot spoil the log") {
    Bench bench;
    bench.start();
    bench.act(bench.fire("less-swap", HostId{}, {{swappiness, count(10)}}));
    bench.set_sysctl("vm/swappiness", "42");
    bench.engine->foreign_write(write_by("a\nb\x1b[2J"));
    bench.settle();
    CHECK(bench.told.last("drifted").reason.find('\n') == std::string::npos);
    CHECK(bench.told.last("drifted").reason.find('\x1b') == std::string::npos);
}

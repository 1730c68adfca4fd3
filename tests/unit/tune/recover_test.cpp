// What a start makes of what the daemon before it left: by a clean end with on_stop: keep, or by SIGKILL.
#include "bench.h"
#include "catch.h"
#include "child.h"
#include "full_disk.h"
#include "tune/sqlite.h"

using namespace gotuned;
using namespace gotuned::test;

namespace {

/// A kept adjustment that a daemon left behind.
struct Left : Bench {
    Left() {
        start();
        act(fire("less-swap", HostId{}, {{swappiness, count(10)}}));
        keep();
        engine.reset();
    }
    const Rulebook stands = rulebook({rule("less-swap", {swappiness})});
};

}  // namespace

TEST_CASE("an adjustment whose rule still stands and whose value is ours is adopted") {
    Left bench;
    bench.restart(&bench.stands);
    CHECK(bench.sysctl("vm/swappiness") == "10");
    CHECK(bench.only().state == AdjustmentState::kept);
    CHECK(bench.only().original == Value(count(60)));
    CHECK(bench.told.count("adopted") == 1);
    bench.undo();
    CHECK(bench.sysctl("vm/swappiness") == "60");
}

TEST_CASE("verification of an adopted change starts at settle") {
    Bench bench;
    bench.start();
    bench.act(bench.fire("less-swap", HostId{}, {{swappiness, count(10)}}));
    bench.clock.advance(std::chrono::minutes(3));
    const Rulebook book = rulebook({rule("less-swap", {swappiness})});
    bench.restart(&book);
    CHECK(bench.only().state == AdjustmentState::applied);
    CHECK(bench.only().read_back == bench.clock.mono());
}

TEST_CASE("an adjustment whose rule is gone, only observes, or writes another knob is undone") {
    Left bench;
    const Rulebook book = GENERATE(rulebook({}), rulebook({rule("less-swap", {swappiness}, Mode::observe)}),
                                   rulebook({rule("less-swap", {page_cluster})}));
    bench.restart(&book);
    CHECK(bench.sysctl("vm/swappiness") == "60");
    CHECK(bench.engine->live().empty());
}

TEST_CASE("without a rulebook everything is adopted, so that a typo never causes an undo") {
    Left bench;
    bench.restart(nullptr);
    CHECK(bench.sysctl("vm/swappiness") == "10");
    CHECK(bench.only().state == AdjustmentState::kept);
}

TEST_CASE("a value that somebody changed while no daemon ran is drifted") {
    Left bench;
    bench.set_sysctl("vm/swappiness", "33");
    bench.restart(&bench.stands);
    CHECK(bench.only().state == AdjustmentState::drifted);
    CHECK(bench.sysctl("vm/swappiness") == "33");
}

TEST_CASE("a reboot makes every entry void") {
    Left bench;
    bench.dir.put("proc/sys/kernel/random/boot_id", "boot-b\n");
    bench.restart(&bench.stands);
    CHECK(bench.engine->live().empty());
    CHECK(bench.sysctl("vm/swappiness") == "10");
    CHECK(bench.told.last("gone").reason == "the host was rebooted since");
}

TEST_CASE("cooldown and quarantine go on over a restart") {
    Bench bench;
    bench.start();
    bench.act(bench.fire("less-swap", HostId{}, {{swappiness, count(10)}}));
    bench.fail();
    bench.restart(nullptr);
    bench.act(bench.fire("less-swap", HostId{}, {{swappiness, count(10)}}));
    CHECK(bench.refusal().starts_with("quarantine"));
}

TEST_CASE("an undo that was deferred goes on after a restart") {
    Bench bench(Bench::Proc::real);
    bench.start();
    Child child;
    bench.see(child.id());
    bench.act(bench.fire("raise", child.id(), {{"rlimit.nofile", count(1024)}}));
    child.open_descriptors(500);
    bench.undo();
    const Rulebook book = rulebook({rule("raise", {"rlimit.nofile"})});
    bench.restart(&book);
    CHECK(bench.only().state == AdjustmentState::undo_deferred);
    CHECK(child.soft() == 1024);
    child.close_descriptors();
    bench.tick();
    CHECK(child.soft() == 256);
}

TEST_CASE("an entry of a process whose number another has now is void") {
    Bench bench(Bench::Proc::real);
    bench.start();
    Child child;
    bench.see(child.id());
    bench.act(bench.fire("raise", child.id(), {{"rlimit.nofile", count(1024)}}));
    bench.engine.reset();
    {
        auto journal = Database::open(bench.dir / "run/journal.db", Database::Access::create);
        ProcessId other = child.id();
        other.start_ticks += 5;
        REQUIRE(journal->execute("UPDATE adjustment SET target='" + to_string(TargetId(other)) + "'"));
    }
    const Rulebook book = rulebook({});
    bench.restart(&book);
    CHECK(bench.engine->live().empty());
    CHECK(child.soft() == 1024);
    CHECK(bench.told.count("gone") == 1);
}

TEST_CASE("children that were forked while no daemon ran are found at the start and undone later") {
    Bench bench(Bench::Proc::real);
    bench.start();
    Child child;
    bench.see(child.id());
    bench.act(bench.fire("raise", child.id(), {{"rlimit.nofile", count(1024)}}));
    bench.engine.reset();
    const pid_t heir = child.fork_child();
    bench.start();
    std::vector<pid_t> watched;
    bench.engine->heir_changed = [&](pid_t pid, bool add) {
        if (add) watched.push_back(pid);
    };
    const Rulebook book = rulebook({rule("raise", {"rlimit.nofile"})});
    REQUIRE(bench.engine->recover(*bench.snapshot(), &book));
    bench.settle();
    CHECK(watched == std::vector<pid_t>{child.pid(), heir});
    bench.undo();
    CHECK(Child::nofile(heir).rlim_cur == 256);
}

TEST_CASE("a knob of a newer version is left as it is, and does not keep the others from being undone") {
    Left bench;
    {
        auto journal = Database::open(bench.dir / "run/journal.db", Database::Access::create);
        REQUIRE(journal->execute(
            "INSERT INTO adjustment(grp, rule, target, knob, boot, state, original, before, wanted, held, held_detail) "
            "VALUES(77, 'r', 'host', 'quantum.entanglement', 'boot-a', 'kept', 'b:true', 'b:true', 'b:false', "
            "'b:false', '')"));
    }
    bench.start();
    const auto outcomes = bench.undo_asked(0, false);
    REQUIRE(outcomes.size() == 2);
    CHECK(std::count_if(outcomes.begin(), outcomes.end(),
                        [](const UndoOutcome& o) { return o.state == AdjustmentState::failed; }) == 1);
    CHECK(bench.sysctl("vm/swappiness") == "60");
    CHECK(bench.only().knob == "quantum.entanglement");
}

TEST_CASE("a broken journal is moved aside, and the daemon starts and says so") {
    Left bench;
    bench.dir.put("run/journal.db", "rubbish rubbish rubbish");
    bench.restart(&bench.stands);
    CHECK(bench.engine->live().empty());
    CHECK(bench.told.last("failed").reason.find("moved to") != std::string::npos);
    CHECK(bench.engine->journal_warning().find("moved to") != std::string::npos);
}

TEST_CASE("undo without a daemon fails where the journal cannot tell what there is to put back") {
    Left bench;
    bench.dir.put("run/journal.db", "rubbish rubbish rubbish");
    bool running = true;
    const auto outcomes = undo_offline(bench.options, bench.clock, false, running, [&] { return &bench.told; });
    REQUIRE(outcomes);
    REQUIRE(outcomes->size() == 1);
    CHECK(outcomes->at(0).state == AdjustmentState::failed);
    CHECK(outcomes->at(0).reason.find("moved to") != std::string::npos);
    CHECK(bench.sysctl("vm/swappiness") == "10");
    CHECK(undo_offline(bench.options, bench.clock, false, running)->empty());
}

TEST_CASE("undo without a daemon puts back what it left also where there is no space to journal it") {
    Left bench;
    bool running = true;
    {
        const FullDisk full(4);  // for "60\n", not for a page of the journal
        const auto outcomes = undo_offline(bench.options, bench.clock, false, running);
        REQUIRE(outcomes);
        REQUIRE(outcomes->size() == 1);
        CHECK(outcomes->at(0).state == AdjustmentState::undone);
    }
    CHECK(bench.sysctl("vm/swappiness") == "60");
}

TEST_CASE("undo without a daemon puts back what it left") {
    Left bench;
    bool running = true;
    const auto outcomes = undo_offline(bench.options, bench.clock, false, running);
    REQUIRE(outcomes);
    CHECK_FALSE(running);
    REQUIRE(outcomes->size() == 1);
    CHECK(outcomes->at(0).state == AdjustmentState::undone);
    CHECK(bench.sysctl("vm/swappiness") == "60");
    CHECK(undo_offline(bench.options, bench.clock, false, running)->empty());
}

TEST_CASE("undo without a daemon does nothing while one is running") {
    Left bench;
    bench.restart(&bench.stands);
    bool running = false;
    bool asked = false;
    const auto outcomes = undo_offline(bench.options, bench.clock, false, running, [&] {
        asked = true;
        return &bench.told;
    });
    REQUIRE(outcomes);
    CHECK(running);
    CHECK_FALSE(asked);  // the history is the daemon's
    CHECK(outcomes->empty());
    CHECK(bench.sysctl("vm/swappiness") == "10");
}

TEST_CASE("undo without a daemon is safe unless forced") {
    Bench bench(Bench::Proc::real);
    bench.start();
    Child child;
    bench.see(child.id());
    bench.act(bench.fire("raise", child.id(), {{"rlimit.nofile", count(1024)}}));
    child.open_descriptors(500);
    bench.engine.reset();
    bool running = false;
    CHECK(undo_offline(bench.options, bench.clock, false, running)->at(0).state == AdjustmentState::undo_deferred);
    CHECK(child.soft() == 1024);
    CHECK(undo_offline(bench.options, bench.clock, true, running)->at(0).state == AdjustmentState::undone);
    CHECK(child.soft() == 256);
}

TEST_CASE("an undo that is tried again each minute is told of once, until its reason is another") {
    Bench bench(Bench::Proc::real);
    bench.start();
    Child child;
    bench.see(child.id());
    bench.act(bench.fire("raise", child.id(), {{"rlimit.nofile", count(1024)}}));
    child.open_descriptors(500);
    bench.engine.reset();
    const auto try_again = [&bench] {
        bool running = false;
        const auto outcomes =
            undo_offline(bench.options, bench.clock, false, running, [&bench] { return &bench.told; });
        REQUIRE(outcomes);
        REQUIRE(outcomes->size() == 1);
        CHECK(outcomes->at(0).state == AdjustmentState::undo_deferred);
    };
    try_again();
    CHECK(bench.told.count("undo_deferred") == 1);
    try_again();
    child.open_descriptors(1);  // another number is no other reason
    try_again();
    CHECK(bench.told.count("undo_deferred") == 1);
    // The daemon that comes back for a moment goes on with the same undo, and an operator's wish is another reason.
    const Rulebook book = rulebook({rule("raise", {"rlimit.nofile"})});
    bench.restart(&book);
    CHECK(bench.told.count("undo_deferred") == 1);
    CHECK(bench.undo_asked(0, false).at(0).state == AdjustmentState::undo_deferred);
    CHECK(bench.told.count("undo_deferred") == 2);
    bench.engine.reset();
    try_again();
    CHECK(bench.told.count("undo_deferred") == 2);
}

TEST_CASE("undo where no daemon ever ran does nothing and makes nothing") {
    Bench bench;
    bool running = true;
    CHECK(undo_offline(bench.options, bench.clock, false, running)->empty());
    CHECK_FALSE(running);
    CHECK_FALSE(std::filesystem::exists(bench.dir / "run"));
}

TEST_CASE("a second daemon does not start") {
    Bench bench;
    bench.start();
    const auto second = Engine::open(bench.options, bench.clock, nullptr);
    REQUIRE_FALSE(second);
    CHECK(second.error().what.find("another gotuned") != std::string::npos);
}

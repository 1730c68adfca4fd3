// What the engine does when the kernel, or a file system, does not answer.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <functional>

#include "at_point.h"
#include "bench.h"
#include "catch.h"

using namespace gotuned;
using namespace gotuned::test;

namespace {

Decision swap_to(const Bench& bench, double value) {
    return bench.fire("less-swap", HostId{}, {{swappiness, count(value)}});
}

/// The next write to a sysctl does not come back until it may go on.
struct Block {
    std::atomic<bool> began{false}, go{false};
    const AtPoint hold{"before sysctl write", 1, [this] {
                           began = true;
                           while (!go) ::usleep(1000);
                       }};
};

/// Until the worker is in what is said to block, and the deadline is over. What is overtaken before it got there would
/// leave the block to another.
void past_the_deadline(Bench& bench, const Block& block) {
    for (int i = 0; i < 10000 && !block.began; ++i) ::usleep(1000);
    REQUIRE(block.began);
    for (int i = 0; i < 3000 && bench.told.count("overdue") == 0; ++i) {
        bench.clock.advance(std::chrono::seconds(6));
        bench.engine->tick(bench.snapshot());
        ::usleep(1000);
    }
    REQUIRE(bench.told.count("overdue") == 1);
}

/// Takes what has come back, as the loop does, without waiting for what has not.
void complete_until(Bench& bench, const std::function<bool()>& done) {
    for (int i = 0; i < 10000 && !done(); ++i) {
        bench.engine->complete();
        ::usleep(1000);
    }
    REQUIRE(done());
}

}  // namespace

TEST_CASE("a write that does not come back is reported once, holds up no other, and is settled when it does") {
    Bench bench;
    bench.start();
    Block block;
    bench.engine->act({swap_to(bench, 10)}, bench.snapshot());
    past_the_deadline(bench, block);
    bench.clock.advance(std::chrono::seconds(6));
    bench.engine->tick(bench.snapshot());
    CHECK(bench.told.count("overdue") == 1);
    CHECK(bench.told.last("overdue").knob == swappiness);
    CHECK(bench.engine->totals().back().outcome == "overdue");
    CHECK(bench.only().state == AdjustmentState::planned);
    CHECK(bench.only().note.starts_with("the write is still running after "));

    bench.engine->act({bench.fire("other", HostId{}, {{page_cluster, count(0)}})}, bench.snapshot());
    complete_until(bench, [&] { return bench.told.last("applied").rule == "other"; });
    CHECK(bench.sysctl("vm/page-cluster") == "0");
    CHECK(bench.engine->busy());

    block.go = true;
    bench.settle();
    CHECK(bench.engine->live().front().state == AdjustmentState::applied);
    CHECK(bench.engine->live().front().note.empty());
    CHECK(bench.engine->live().front().read_back == bench.clock.mono());
    CHECK(bench.sysctl("vm/swappiness") == "10");
}

TEST_CASE("an undo of what has not come back is answered at once, and done when it does") {
    Bench bench;
    bench.start();
    Block block;
    bench.engine->act({swap_to(bench, 10)}, bench.snapshot());
    std::vector<UndoOutcome> asked_before;
    std::vector<UndoOutcome> asked_after;
    bench.engine->undo(0, false, "root", [&](std::vector<UndoOutcome> all) { asked_before = std::move(all); });
    past_the_deadline(bench, block);
    REQUIRE(asked_before.size() == 1);
    CHECK(asked_before[0].state == AdjustmentState::failed);
    CHECK(asked_before[0].reason.starts_with("the write is still running after "));
    bench.engine->undo(0, false, "root", [&](std::vector<UndoOutcome> all) { asked_after = std::move(all); });
    complete_until(bench, [&] { return !asked_after.empty(); });
    CHECK(asked_after[0].state == AdjustmentState::failed);
    block.go = true;
    bench.settle();
    CHECK(bench.engine->live().empty());
    CHECK(bench.sysctl("vm/swappiness") == "60");
}

TEST_CASE("an undo that does not come back is told of, holds up no other, and is done when it does") {
    Bench bench;
    bench.start();
    bench.act(swap_to(bench, 10));
    bench.act(bench.fire("other", HostId{}, {{page_cluster, count(0)}}));
    Block block;
    // In reverse: the undo of page-cluster is the one that blocks.
    std::vector<UndoOutcome> outcomes;
    bench.engine->undo(0, false, "root", [&](std::vector<UndoOutcome> all) { outcomes = std::move(all); });
    past_the_deadline(bench, block);
    CHECK(bench.told.last("overdue").knob == page_cluster);
    complete_until(bench, [&] { return !outcomes.empty(); });
    REQUIRE(outcomes.size() == 2);
    for (const UndoOutcome& outcome : outcomes) {
        const bool blocks = outcome.knob == page_cluster;
        CHECK(outcome.state == (blocks ? AdjustmentState::failed : AdjustmentState::undone));
        CHECK(outcome.reason.starts_with(blocks ? "the undo is still running after " : "asked for"));
    }
    CHECK(bench.sysctl("vm/swappiness") == "60");
    CHECK(bench.only().note.starts_with("the undo is still running after "));
    block.go = true;
    bench.settle();
    CHECK(bench.engine->live().empty());
    CHECK(bench.sysctl("vm/page-cluster") == "3");
}

TEST_CASE("a value that cannot be read any more does not keep drift of others from being seen") {
    Bench bench;
    bench.start();
    bench.act(swap_to(bench, 10));
    bench.act(bench.fire("other", HostId{}, {{page_cluster, count(0)}}));
    // As a dead file system: to open a FIFO for reading waits for somebody who writes.
    const std::string path = bench.dir / "proc/sys/vm/swappiness";
    REQUIRE(::unlink(path.c_str()) == 0);
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    bench.set_sysctl("vm/page-cluster", "7");
    complete_until(bench, [&] {
        bench.clock.advance(std::chrono::seconds(6));
        bench.engine->tick(bench.snapshot());
        return bench.told.count("drifted") == 1;
    });
    CHECK(bench.told.last("drifted").knob == page_cluster);
    const Fd writer(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    REQUIRE(::write(writer.get(), "10\n", 3) == 3);
    bench.settle();
}

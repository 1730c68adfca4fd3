#include "main/pressure_watch.h"

#include "catch.h"

using namespace gotuned;
using namespace std::chrono_literals;

namespace {

void add(Snapshot& snapshot, std::uint64_t inode, double stall) {
    auto cgroup = std::make_shared<CgroupState>();
    cgroup->id = {inode};
    cgroup->signals.set(Signal::cg_memory_stall_rate, ratio(stall));
    snapshot.cgroups[cgroup->id] = cgroup;
}

}  // namespace

TEST_CASE("all cgroups get a trigger as long as there are enough") {
    Snapshot snapshot;
    for (std::uint64_t i = 1; i <= 3; ++i) add(snapshot, i, 0);
    CHECK(choose_for_triggers(snapshot, {}, 3).size() == 3);
}

TEST_CASE("with too few triggers those that stall most get one") {
    Snapshot snapshot;
    for (std::uint64_t i = 1; i <= 9; ++i) add(snapshot, i, static_cast<double>(i) / 10);
    CHECK(choose_for_triggers(snapshot, {}, 2) == std::set<CgroupId>{{8}, {9}});
}

TEST_CASE("a cgroup that has a trigger keeps it, one that is gone does not") {
    Snapshot snapshot;
    for (std::uint64_t i = 1; i <= 9; ++i) add(snapshot, i, static_cast<double>(i) / 10);
    CHECK(choose_for_triggers(snapshot, {{1}, {100}}, 2) == std::set<CgroupId>{{1}, {9}});
}

TEST_CASE("a cgroup whose stall is unknown comes last") {
    Snapshot snapshot;
    add(snapshot, 2, 0.1);
    auto unread = std::make_shared<CgroupState>();
    unread->id = {1};
    snapshot.cgroups[unread->id] = unread;
    CHECK(choose_for_triggers(snapshot, {}, 1) == std::set<CgroupId>{{2}});
}

TEST_CASE("the first event is told at once, those after it are gathered") {
    const MonoTime start{1h};
    WakePacer pacer;
    CHECK_FALSE(pacer.waiting());
    pacer.stalled({7});
    CHECK(pacer.waiting());
    CHECK(pacer.due(start) == start);
    CHECK(pacer.take(start).cgroups == std::set<CgroupId>{{7}});
    CHECK_FALSE(pacer.waiting());

    pacer.stalled({7});
    pacer.stalled({8});
    pacer.host_stalled();
    CHECK(pacer.due(start + 10ms) == start + least_between_wakes);
    const auto stalled = pacer.take(start + least_between_wakes);
    CHECK(stalled.host);
    CHECK(stalled.cgroups == std::set<CgroupId>{{7}, {8}});
    CHECK_FALSE(pacer.take(start + 1s).host);
}

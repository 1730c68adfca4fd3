#include <algorithm>
#include <map>
#include <set>

#include "catch.h"
#include "observe/signal.h"
#include "observe/snapshot.h"

using namespace gotuned;

TEST_CASE("every signal has one line in the table, in the order of the enum, with a name of its own") {
    REQUIRE(signals().size() == static_cast<std::size_t>(Signal::end_of_signals));
    std::set<std::string_view> names;
    for (std::size_t i = 0; i < signals().size(); ++i) {
        const SignalInfo& row = signals()[i];
        INFO(row.name);
        CHECK(row.id == static_cast<Signal>(i));
        CHECK(&info(row.id) == &row);
        CHECK(names.insert(row.name).second);
        CHECK(find_signal(row.name) == row.id);
        CHECK_FALSE(row.meaning.empty());
        CHECK_FALSE(row.source.empty());
    }
    CHECK_FALSE(find_signal("epoll"));
    CHECK_FALSE(find_signal(""));
    CHECK_FALSE(find_signal("epoll.wake.p99"));
}

TEST_CASE("a signal's name begins with the scope it belongs to") {
    for (const SignalInfo& row : signals()) {
        INFO(row.name);
        CHECK(row.name.starts_with("cgroup.") == (row.scope == Scope::cgroup));
        CHECK(row.name.starts_with("host.") == (row.scope == Scope::host));
    }
}

TEST_CASE("the signals of a process come first, then a cgroup's, then the host's") {
    CHECK(std::is_sorted(signals().begin(), signals().end(), [](const SignalInfo& left, const SignalInfo& right) {
        const auto place = [](Scope scope) { return scope == Scope::process ? 0 : scope == Scope::cgroup ? 1 : 2; };
        return place(left.scope) < place(right.scope);
    }));
}

TEST_CASE("what a signal is exported as follows from what it is") {
    for (const SignalInfo& row : signals()) {
        INFO(row.name);
        CHECK((row.exported == Export::histogram) == (row.kind == SignalKind::distribution));
        CHECK((row.exported == Export::label) == (row.kind == SignalKind::text));
        if (row.exported == Export::counter) CHECK(row.name.ends_with(".rate"));
        if (row.name.ends_with(".rate")) CHECK(row.exported == Export::counter);
        if (row.name.ends_with(".ratio")) CHECK(row.unit == unit::ratio);
    }
}

TEST_CASE("the names that rules and dashboards rely on are there with their units") {
    const std::map<std::string_view, Unit> expected{
        {"epoll.wake", unit::time},
        {"netpoll.sleep", unit::time},
        {"netpoll.poll.rate", unit::per_second},
        {"errors.emfile.rate", unit::per_second},
        {"syscall.read", unit::time},
        {"syscall.jitter", unit::time},
        {"fd.used", unit::count},
        {"mem.rss", unit::bytes},
        {"cpu.usage", unit::ratio},
        {"cgroup.memory.psi.some_10s", unit::ratio},
        {"cgroup.memory.events.high.rate", unit::per_second},
        {"cgroup.memory.workingset.refault.rate", unit::per_second},
        {"cgroup.cpu.throttled.ratio", unit::ratio},
        {"cgroup.memory.stall.rate", unit::ratio},
        {"host.memory.psi.some_10s", unit::ratio},
        {"host.swap.in.rate", unit::bytes_per_second},
    };
    for (const auto& [name, unit] : expected) {
        INFO(name);
        const auto found = find_signal(name);
        REQUIRE(found);
        CHECK(info(*found).unit == unit);
    }
}

TEST_CASE("a statistic has the unit of its signal, count and rate have their own") {
    const SignalInfo& wake = info(Signal::epoll_wake);
    for (const std::string_view name : {"p50", "p90", "p99", "max", "mean", "stddev", "count", "rate"}) {
        const auto statistic = parse_statistic(name);
        REQUIRE(statistic);
        CHECK(to_string(*statistic) == name);
        CHECK(unit_of(wake, *statistic) == (name == "count"  ? unit::count
                                            : name == "rate" ? unit::per_second
                                                             : unit::time));
    }
    CHECK_FALSE(parse_statistic("p95"));
}

TEST_CASE("every state of an adjustment is printed and parsed the same") {
    for (int i = 0; i <= static_cast<int>(AdjustmentState::failed); ++i) {
        const auto state = static_cast<AdjustmentState>(i);
        CHECK(parse_adjustment_state(to_string(state)) == state);
    }
    CHECK_FALSE(parse_adjustment_state("unknown"));
}

TEST_CASE("a process's cgroup is found by its inode, and there is none without one") {
    Snapshot snapshot;
    const auto cgroup = std::make_shared<CgroupState>();
    cgroup->id = CgroupId{42};
    snapshot.cgroups[CgroupId{42}] = cgroup;
    const auto state_in = [](std::uint64_t inode) {
        GoProcess process;
        process.cgroup_inode = inode;
        ProcessState state;
        state.process = std::make_shared<GoProcess>(process);
        return state;
    };
    CHECK(snapshot.cgroup_of(state_in(42)) == cgroup.get());
    CHECK(snapshot.cgroup_of(state_in(43)) == nullptr);
    CHECK(snapshot.cgroup_of(state_in(0)) == nullptr);
    CHECK(snapshot.cgroup_of(ProcessState{}) == nullptr);
}

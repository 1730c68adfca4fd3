// What happens between two ticks, and how processes end.
#include "catch.h"
#include "observer_world.h"

using namespace gotuned;
using namespace gotuned::test;

TEST_CASE("between two ticks memory and pressure of the named cgroups are new, all else is as it was") {
    World world;
    world.host.write_cgroup("/svc");
    world.host.write_cgroup("/other");
    const auto process = world.host.process(10, 100, "/svc");
    const auto other = world.host.process(11, 100, "/other");
    world.found(process);
    world.found(other);
    world.tick();
    const auto last = world.tick();
    const CgroupId id{process->cgroup_inode};
    const CgroupId beside{other->cgroup_inode};
    world.host.tree.write("cgroup/svc/memory.pressure", "some avg10=20.00 avg60=0.00 avg300=0.00 total=1100000\n");
    world.host.tree.write("cgroup/svc/pids.current", "99\n");
    world.host.tree.write("cgroup/other/memory.current", "7\n");
    world.host.tree.write("proc/meminfo", "MemAvailable: 1 kB\nSwapTotal: 100 kB\nSwapFree: 60 kB\n");
    world.host.tree.write("proc/stat", "cpu  100 0 100 800 0 0 0 0 0 0\nctxt 5000\n");
    CHECK(world.observer->stalled({id, beside}) == std::set<CgroupId>{id});
    world.clock->advance(200ms);
    const auto woken =
        world.observer->refresh(*last, {id, CgroupId{12345}}, world.clock->mono(), world.clock->wall(), {});
    REQUIRE(woken->woken_for);
    CHECK(*woken->woken_for == std::set<CgroupId>{id});
    CHECK(woken->sequence == last->sequence + 1);
    CHECK(woken->at == last->at + 200ms);
    const SignalTable& table = woken->cgroups.at(id)->signals;
    CHECK(quantity(table, Signal::cg_memory_psi_some) == ratio(0.2));
    CHECK(quantity(table, Signal::cg_memory_stall_rate).value == Approx(0.5));  // 100 ms of 200 ms
    CHECK(quantity(table, Signal::cg_pids_current) == count(12));
    CHECK(woken->cgroups.at(beside) == last->cgroups.at(beside));
    CHECK(woken->processes == last->processes);
    CHECK(quantity(woken->host.signals, Signal::host_memory_available) == bytes(1024));
    CHECK(quantity(woken->host.signals, Signal::host_cpu_context_switch) == rate(0));
    CHECK(world.observer->stalled({id}).empty());

    const auto next = world.tick();
    CHECK_FALSE(next->woken_for);
    CHECK(next->window == 5200ms);
    CHECK(quantity(next->cgroups.at(id)->signals, Signal::cg_pids_current) == count(99));
    CHECK(quantity(next->host.signals, Signal::host_cpu_context_switch).value == Approx(4000 / 5.2));
}

TEST_CASE("a process that ended is told in one Snapshot only, also when a trigger makes another") {
    World world;
    const auto process = world.host.process(10);
    world.found(process);
    world.tick();
    world.observer->lost(process->id, world.clock->mono());
    const auto last = world.tick();
    CHECK(state_of(last, process).exited);
    world.clock->advance(100ms);
    const auto woken = world.observer->refresh(*last, {}, world.clock->mono(), world.clock->wall(), {});
    CHECK(woken->processes.empty());
}

TEST_CASE("a cgroup that vanished is not read between two ticks") {
    World world;
    world.host.write_cgroup("/svc");
    const auto process = world.host.process(10, 100, "/svc");
    world.found(process);
    const auto last = world.tick();
    world.host.tree.remove("cgroup/svc");
    world.clock->advance(100ms);
    const CgroupId id{process->cgroup_inode};
    const auto woken = world.observer->refresh(*last, {id}, world.clock->mono(), world.clock->wall(), {});
    CHECK(woken->woken_for->empty());
    CHECK(woken->cgroups.at(id) == last->cgroups.at(id));
    CHECK_FALSE(world.observer->directory(id));
    CHECK_FALSE(world.observer->directory(CgroupId{12345}));
}

TEST_CASE("how a service's processes end is told by those that live on") {
    World world;
    world.probes.given_reports.push_back(ProbeReport{"process_exit", "tp_btf", true});
    const auto first = world.host.process(10);
    const auto second = world.host.process(11);
    world.found(first);
    world.found(second);
    CHECK(absence(state_of(world.tick(), first).signals, Signal::exit_total) == Absence::not_observed);
    const auto quiet = world.tick();
    CHECK(quantity(state_of(quiet, first).signals, Signal::exit_total) == rate(0));
    CHECK(quiet->lives.empty());

    world.observer->ended(11, 2U << 8U);
    world.observer->lost(second->id, world.clock->mono());
    world.found(world.host.process(12, 200));
    const auto snapshot = world.tick();
    CHECK(snapshot->lives.at("server") == ServiceLife{1, 1, 0, 0, 1});
    const SignalTable& told = state_of(snapshot, first).signals;
    CHECK(quantity(told, Signal::exit_total) == rate(0.2));
    CHECK(quantity(told, Signal::exit_panic) == rate(0.2));
    CHECK(quantity(told, Signal::exit_oom) == rate(0));
    CHECK(quantity(told, Signal::restarts) == rate(0.2));
    const auto after = world.tick();
    CHECK(quantity(state_of(after, first).signals, Signal::exit_total) == rate(0));
}

TEST_CASE("a process that executes another file has not ended") {
    World world;
    world.probes.given_reports.push_back(ProbeReport{"process_exit", "tp_btf", true});
    const auto process = world.host.process(10);
    world.found(process);
    world.tick();
    world.observer->lost(process->id, world.clock->mono());
    world.found(world.host.process(10));
    CHECK(world.tick()->lives.empty());
}

TEST_CASE("where no probe sees processes end, exits are absent and not zero") {
    World world;
    const auto process = world.host.process(10);
    world.found(process);
    world.tick();
    CHECK(absence(state_of(world.tick(), process).signals, Signal::exit_total) == Absence::not_attached);
    CHECK(absence(state_of(world.tick(), process).signals, Signal::restarts) == Absence::not_attached);
}

TEST_CASE("major faults are told a second, and an idle process has none") {
    World world;
    const auto process = world.host.process(10);
    world.found(process);
    world.probes.next[process->id] = World::busy();
    world.tick();
    world.host.tree.write("proc/10/stat", "10 (server) S 1 1 1 0 -1 0 0 0 50 0 100 0 0 0 20 0 5 0 100 0 0\n");
    world.probes.next[process->id] = World::busy();
    CHECK(quantity(state_of(world.tick(), process).signals, Signal::fault_major) == rate(10));
    world.tick();
    CHECK(quantity(state_of(world.tick(), process).signals, Signal::fault_major) == rate(0));
}

#include "catch.h"
#include "observer_world.h"

using namespace gotuned;
using namespace gotuned::test;

TEST_CASE("a process that was found has its signals in the next Snapshot") {
    World world;
    const auto process = world.host.process(10);
    world.found(process);
    world.probes.next[process->id] = World::busy();
    const auto snapshot = world.tick();
    const ProcessState& state = state_of(snapshot, process);
    CHECK(state.process == process);
    CHECK(state.active);
    CHECK_FALSE(state.exited);
    CHECK(state.service == "server");
    CHECK(quantity(state.signals, Signal::fd_used) == count(3));
    CHECK(quantity(state.signals, Signal::fd_limit) == count(1024));
    CHECK(quantity(state.signals, Signal::mem_rss) == bytes(102400));
    CHECK(quantity(state.signals, Signal::proc_threads_ratio).value == Approx(0.0005));
    CHECK(quantity(state.signals, Signal::nproc_used) == count(5));
    CHECK(std::get<std::string>(*state.signals.get(Signal::go_version).value) == "go1.22.3");
    CHECK(std::get<DistributionPtr>(*state.signals.get(Signal::epoll_wake).value)->count() == Approx(1));
}

TEST_CASE("every signal of a process is set, with a value or a reason") {
    World world;
    const auto process = world.host.process(10, 100, "/svc");
    world.host.write_cgroup("/svc");
    const auto placed = world.host.process(10, 100, "/svc");
    world.found(placed);
    const auto snapshot = world.tick();
    for (const SignalInfo& row : signals()) {
        INFO(row.name);
        const SignalTable& table = row.scope == Scope::process  ? state_of(snapshot, placed).signals
                                   : row.scope == Scope::cgroup ? snapshot->cgroups.begin()->second->signals
                                                                : snapshot->host.signals;
        bool set = false;
        table.for_each_presence([&](Signal id, bool, Absence) { set = set || id == row.id; });
        CHECK(set);
        const auto value = table.get(row.id).value;
        if (!value) continue;
        CHECK((row.kind == SignalKind::quantity) == std::holds_alternative<Quantity>(*value));
        CHECK((row.kind == SignalKind::distribution) == std::holds_alternative<DistributionPtr>(*value));
        if (row.kind == SignalKind::quantity) CHECK(std::get<Quantity>(*value).unit == row.unit);
    }
}

TEST_CASE("CPU usage needs two readings and is counted in CPUs") {
    World world;
    const auto process = world.host.process(10);
    world.found(process);
    world.probes.next[process->id] = World::busy();
    CHECK(absence(state_of(world.tick(), process).signals, Signal::cpu_usage) == Absence::not_observed);
    world.host.write_process(10, 100, 100 + 1000);  // 10 s of CPU in 5 s
    world.probes.next[process->id] = World::busy();
    CHECK(quantity(state_of(world.tick(), process).signals, Signal::cpu_usage).value == Approx(2));
}

TEST_CASE("an idle process is not read again and its state is shared between Snapshots") {
    World world;
    const auto process = world.host.process(10);
    world.found(process);
    world.tick();
    world.tick();
    const auto before = world.tick();
    world.host.tree.write("proc/10/fd/3", "");
    const auto after = world.tick();
    CHECK(after->processes.at(process->id) == before->processes.at(process->id));
    CHECK(quantity(state_of(after, process).signals, Signal::fd_used) == count(3));
    CHECK(state_of(after, process).read_at < after->at);
    CHECK_FALSE(state_of(after, process).active);
}

TEST_CASE("an idle process is read once a minute") {
    World world;
    const auto process = world.host.process(10);
    world.found(process);
    const auto first = world.tick();
    world.host.tree.write("proc/10/fd/3", "");
    SnapshotPtr last;
    for (int i = 0; i < 11; ++i) last = world.tick();
    CHECK(quantity(state_of(last, process).signals, Signal::fd_used) == count(3));
    last = world.tick();
    CHECK(quantity(state_of(last, process).signals, Signal::fd_used) == count(4));
    CHECK(state_of(last, process).read_at == last->at);
}

TEST_CASE("a context switch is enough for a process to be read again") {
    World world;
    const auto process = world.host.process(10);
    world.found(process);
    for (int i = 0; i < 3; ++i) world.tick();
    world.host.tree.write("proc/10/fd/3", "");
    world.probes.next[process->id] = World::busy();
    CHECK(quantity(state_of(world.tick(), process).signals, Signal::fd_used) == count(4));
}

TEST_CASE("a process that was written to is read again though it is idle") {
    World world;
    const auto process = world.host.process(10);
    world.found(process);
    for (int i = 0; i < 3; ++i) world.tick();
    world.host.tree.write(
        "proc/10/limits",
        "Max processes             100  100  processes\nMax open files            2048  4096  files\n");
    world.observer->touch(process->id);
    CHECK(quantity(state_of(world.tick(), process).signals, Signal::fd_limit) == count(2048));
}

TEST_CASE("rates of a process that fell idle are zero, not what they were") {
    World world;
    const auto process = world.host.process(10);
    world.found(process);
    world.tick();
    SlotDelta delta = World::busy();
    delta.migrations = 50;
    world.probes.next[process->id] = delta;
    world.host.write_process(10, 100, 600);
    const auto busy = world.tick();
    CHECK(quantity(state_of(busy, process).signals, Signal::cpu_migrations) == rate(10));
    CHECK(quantity(state_of(busy, process).signals, Signal::cpu_usage).value == Approx(1));
    const auto idle = world.tick();
    CHECK(quantity(state_of(idle, process).signals, Signal::cpu_migrations) == rate(0));
    CHECK(quantity(state_of(idle, process).signals, Signal::cpu_usage).value == 0);
    CHECK(std::get<DistributionPtr>(*state_of(idle, process).signals.get(Signal::epoll_wake).value)->count() == 0);
}

TEST_CASE("CPU time used after a long idleness is set against this tick alone") {
    World world;
    const auto process = world.host.process(10);
    world.found(process);
    for (int i = 0; i < 10; ++i) world.tick();
    world.host.write_process(10, 100, 100 + 500);
    world.probes.next[process->id] = World::busy();
    CHECK(quantity(state_of(world.tick(), process).signals, Signal::cpu_usage).value == Approx(1));
}

TEST_CASE("an idle process keeps no exposure that it no longer has") {
    World world;
    const auto process = world.host.process(10);
    world.found(process);
    for (int i = 0; i < 3; ++i) world.tick();
    SlotDelta unseen = World::quiet();
    unseen.observed = 0s;
    world.probes.otherwise = unseen;
    CHECK(absence(state_of(world.tick(), process).signals, Signal::errors_emfile) == Absence::not_observed);
}

TEST_CASE("a process that ended is in exactly one Snapshot, with its last differences") {
    World world;
    const auto process = world.host.process(10);
    world.found(process);
    world.tick();
    world.probes.next[process->id] = World::busy();
    world.observer->lost(process->id, world.clock->mono());
    CHECK_FALSE(world.probes.watched.contains(process->id));
    const auto snapshot = world.tick();
    CHECK(state_of(snapshot, process).exited);
    CHECK(std::get<DistributionPtr>(*state_of(snapshot, process).signals.get(Signal::epoll_wake).value)->count() ==
          Approx(1));
    CHECK(absence(state_of(snapshot, process).signals, Signal::fd_used) == Absence::vanished);
    CHECK_FALSE(world.tick()->processes.contains(process->id));
}

TEST_CASE("the end of a process that nobody found is no matter") {
    World world;
    world.observer->lost(ProcessId{10, 1, 1}, world.clock->mono());
    world.observer->touch(ProcessId{10, 1, 1});
    CHECK(world.tick()->processes.empty());
}

TEST_CASE("a process that executed its own file anew ends in one Snapshot and begins in the next") {
    World world;
    const auto process = world.host.process(10);
    world.found(process);
    world.tick();
    world.observer->lost(process->id, world.clock->mono());
    world.found(process);
    CHECK(state_of(world.tick(), process).exited);
    CHECK_FALSE(state_of(world.tick(), process).exited);
}

TEST_CASE("a reused pid is never read as the process that had it") {
    World world;
    const auto process = world.host.process(10, 100);
    world.found(process);
    world.tick();
    world.host.write_process(10, 999);
    world.probes.next[process->id] = World::busy();
    const auto snapshot = world.tick();
    for (const Signal id :
         {Signal::fd_used, Signal::mem_rss, Signal::cpu_usage, Signal::nproc_used, Signal::cpu_allowed})
        CHECK(absence(state_of(snapshot, process).signals, id) == Absence::vanished);
}

TEST_CASE("a process that vanished before its end was reported has no values of /proc") {
    World world;
    const auto process = world.host.process(10);
    world.found(process);
    world.tick();
    world.host.tree.remove("proc/10");
    world.probes.next[process->id] = World::busy();
    const auto snapshot = world.tick();
    CHECK(absence(state_of(snapshot, process).signals, Signal::fd_used) == Absence::vanished);
    CHECK(std::get<DistributionPtr>(*state_of(snapshot, process).signals.get(Signal::epoll_wake).value)->count() ==
          Approx(1));
}

TEST_CASE("without probes every process is read at every tick, and theirs is not attached") {
    World world(false);
    const auto process = world.host.process(10);
    world.found(process);
    world.tick();
    world.host.tree.write("proc/10/fd/3", "");
    const auto snapshot = world.tick();
    CHECK(quantity(state_of(snapshot, process).signals, Signal::fd_used) == count(4));
    CHECK(absence(state_of(snapshot, process).signals, Signal::epoll_wake) == Absence::not_attached);
    CHECK(absence(state_of(snapshot, process).signals, Signal::errors_emfile) == Absence::not_attached);
}

TEST_CASE("a process that got no slot says why, and asks again after a minute") {
    World world;
    world.probes.full = true;
    const auto process = world.host.process(10);
    world.found(process);
    const auto snapshot = world.tick();
    const Absent why = state_of(snapshot, process).signals.get(Signal::epoll_wake).value.absent();
    CHECK(why.reason == Absence::not_attached);
    CHECK(why.detail.find("no free slot") != std::string::npos);
    world.probes.full = false;
    world.tick();
    CHECK(world.probes.watched.empty());
    world.tick(1min);
    CHECK(world.probes.watched.contains(process->id));
}

TEST_CASE("a process keeps what blocked in a tick without a window beside its signals, for that tick") {
    World world;
    const auto process = world.host.process(10);
    world.found(process);
    SlotDelta delta = World::busy();
    delta.observed = 0s;
    delta.blocked[GT_FSYNC].record(40ms);
    world.probes.next[process->id] = delta;
    const auto snapshot = world.tick();
    CHECK(absence(state_of(snapshot, process).signals, Signal::syscall_fsync) == Absence::not_observed);
    REQUIRE(state_of(snapshot, process).beside.size() == 1);
    CHECK(state_of(world.tick(), process).beside.empty());
    world.probes.next[process->id] = delta;
    world.observer->lost(process->id, world.clock->mono());
    CHECK(state_of(world.tick(), process).beside.size() == 1);
}

TEST_CASE("where no system-call window can be opened its signals are not attached, else not observed") {
    World world;
    SlotDelta unseen = World::quiet();
    unseen.observed = 0s;
    world.probes.otherwise = unseen;
    const auto process = world.host.process(10);
    world.found(process);
    CHECK(absence(state_of(world.tick(), process).signals, Signal::syscall_read) == Absence::not_observed);
    world.probes.given_reports[0].attached = false;
    world.probes.next[process->id] = World::busy();
    world.probes.next[process->id].observed = 0s;
    CHECK(absence(state_of(world.tick(), process).signals, Signal::syscall_read) == Absence::not_attached);
}

TEST_CASE("services are named by the function that was given, and again after a reload") {
    World world;
    const auto process = world.host.process(10);
    world.found(process);
    world.observer->name_services([](const GoProcess&) { return "payments"; });
    CHECK(state_of(world.tick(), process).service == "payments");
    for (int i = 0; i < 3; ++i) world.tick();
    world.observer->name_services([](const GoProcess&) { return "ledger"; });
    CHECK(state_of(world.tick(), process).service == "ledger");
}

TEST_CASE("a process found again is described anew and goes on") {
    World world;
    const auto process = world.host.process(10);
    world.found(process);
    for (int i = 0; i < 3; ++i) world.tick();
    auto described = *process;
    described.labels["app"] = "x";
    const auto anew = std::make_shared<const GoProcess>(described);
    world.found(anew);
    const auto snapshot = world.tick();
    CHECK(state_of(snapshot, process).process == anew);
    CHECK(state_of(snapshot, process).since == world.clock->mono() - 20s);
}

TEST_CASE("a Snapshot has the planned time, the time since the one before, and what tune reported") {
    World world;
    LiveAdjustment adjustment;
    adjustment.id = 7;
    const MonoTime first = world.clock->mono();
    const auto one = world.observer->observe(first, world.clock->wall(), {adjustment});
    const auto two = world.observer->observe(first + 5s, world.clock->wall(), {});
    CHECK(one->window == 0s);
    CHECK(one->adjustments.at(0).id == 7);
    CHECK(two->window == 5s);
    CHECK(two->at == first + 5s);
    CHECK(two->adjustments.empty());
    CHECK(two->sequence == one->sequence + 1);
}

TEST_CASE("a cgroup is in the Snapshot once, as long as a process is in it") {
    World world;
    world.host.write_cgroup("/svc");
    const auto one = world.host.process(10, 100, "/svc");
    const auto two = world.host.process(11, 100, "/svc");
    world.found(one);
    world.found(two);
    auto snapshot = world.tick();
    REQUIRE(snapshot->cgroups.size() == 1);
    CHECK(snapshot->cgroup_of(state_of(snapshot, one)) == snapshot->cgroup_of(state_of(snapshot, two)));
    CHECK(snapshot->cgroup_of(state_of(snapshot, one))->path == "/svc");
    world.observer->lost(one->id, world.clock->mono());
    CHECK(world.tick()->cgroups.size() == 1);
    world.observer->lost(two->id, world.clock->mono());
    CHECK(world.tick()->cgroups.empty());
}

namespace {

/// One Go process in a cgroup without any trouble.
struct CalmService : World {
    CgroupId id{};
    CalmService() {
        host.write_cgroup("/svc", 1);
        host.calm("/svc");
        const auto process = host.process(10, 100, "/svc");
        found(process);
        id = CgroupId{process->cgroup_inode};
    }
    /// Of the cgroup in the next Snapshot.
    std::shared_ptr<const CgroupState> state() { return tick()->cgroups.at(id); }
    /// Something ran in it, for so long in all.
    void use_cpu(int msec, int usec = 0) const {
        host.tree.write("cgroup/svc/cpu.stat",
                        fmt::format("usage_usec {}\nnr_periods 100\nnr_throttled 10\n", 1000 * msec + usec));
    }
};

}  // namespace

TEST_CASE("a cgroup in which nothing ran is shared, after its rates have come down") {
    CalmService service;
    service.state();
    service.host.tree.write("cgroup/svc/memory.events", "high 15\nmax 6\noom_kill 1\n");
    service.use_cpu(2);
    CHECK(quantity(service.state()->signals, Signal::cg_memory_events_high) == rate(2));
    const auto settled = service.state();
    CHECK(quantity(settled->signals, Signal::cg_memory_events_high) == rate(0));
    CHECK(service.state() == settled);
    std::shared_ptr<const CgroupState> last;
    for (int i = 0; i < 12; ++i) last = service.state();
    CHECK(last != settled);
}

TEST_CASE("a cgroup that ran without any trouble is read once, one under pressure until that is forgotten") {
    CalmService service;
    service.state();
    service.use_cpu(2);
    const auto ran = service.state();
    CHECK(service.state() == ran);
    service.use_cpu(3);
    service.host.tree.write("cgroup/svc/io.pressure", "full avg10=4.00 avg60=0.00 avg300=0.00 total=0\n");
    for (int i = 0; i < 3; ++i) service.tick();  // within 15 s
    const auto pressed = service.state();
    CHECK(quantity(pressed->signals, Signal::cg_io_psi_full) == ratio(0.04));
    CHECK(service.state() != pressed);
    service.host.calm("/svc");
    const auto calm = service.state();
    CHECK(quantity(calm->signals, Signal::cg_io_psi_full) == ratio(0));
    CHECK(service.state() == calm);
}

TEST_CASE("what next to nothing ran in is not read again until it adds up") {
    CalmService service;
    service.use_cpu(2);
    service.state();
    const auto quiet = service.state();
    service.use_cpu(2, 600);
    for (int i = 0; i < 4; ++i) CHECK(service.state() == quiet);
    service.use_cpu(3, 100);
    for (int i = 0; i < 3; ++i) service.tick();  // within 15 s
    CHECK(service.state() != quiet);
}

TEST_CASE("what others do in a quiet cgroup whose Go processes sleep is seen within 15 s") {
    CalmService service;
    service.state();
    const auto quiet = service.state();
    service.use_cpu(2);
    CHECK(service.state() == quiet);
    CHECK(service.state() == quiet);
    const auto seen = service.state();
    CHECK(seen != quiet);
    // From then on it is looked at in each tick, until nothing runs there.
    service.use_cpu(3);
    CHECK(service.state() != seen);
}

TEST_CASE("a cgroup that is touched is read again though nothing ran in it") {
    CalmService service;
    for (int i = 0; i < 3; ++i) service.tick();
    service.host.tree.write("cgroup/svc/memory.current", "2000000\n");
    CHECK(quantity(service.state()->signals, Signal::cg_memory_current) == bytes(1000000));
    service.observer->touch(service.id);
    service.observer->touch(CgroupId{service.id.inode + 1});  // one that nobody watches is no matter
    const auto read = service.state();
    CHECK(quantity(read->signals, Signal::cg_memory_current) == bytes(2000000));
    CHECK(service.state() == read);
}

TEST_CASE("a limit that somebody sets on a quiet cgroup is seen in the next tick, by its processes, too") {
    CalmService service;
    for (int i = 0; i < 3; ++i) service.tick();
    const auto quiet = service.state();
    CHECK(service.state() == quiet);
    service.host.tree.write("cgroup/svc/cpu.max", "120000 100000\n");
    const auto snapshot = service.tick();
    const auto limited = snapshot->cgroups.at(service.id);
    CHECK(quantity(limited->signals, Signal::cg_cpu_quota) == count(1.2));
    CHECK(snapshot->processes.begin()->second->read_at == limited->read_at);
    CHECK(service.state() == limited);
    // What the kernel writes is no setting, and neither is a PSI trigger.
    service.host.tree.write("cgroup/svc/memory.events", "high 15\nmax 6\noom_kill 1\n");
    service.host.tree.write("cgroup/svc/memory.pressure", "some 150000 1000000");
    CHECK(service.state() == limited);
}

TEST_CASE("the sysctls that somebody named are in the Snapshot") {
    World world;
    world.host.tree.write("proc/sys/net/core/somaxconn", "4096\n");
    world.observer->want_sysctls({"net.core.somaxconn", "vm.none"});
    const auto snapshot = world.tick();
    REQUIRE(snapshot->host.sysctls.size() == 2);
    CHECK(snapshot->host.sysctls.at("net.core.somaxconn").value() == "4096");
    CHECK(snapshot->host.sysctls.at("vm.none").absent().reason == Absence::not_supported);
}

// rlimits and affinity of real processes: writing, putting back, and when not to.
#include <linux/capability.h>

#include "bench.h"
#include "catch.h"
#include "child.h"
#include "tune/cpu_topology.h"
#include "tune/thread_masks.h"

using namespace gotuned;
using namespace gotuned::test;

namespace {

constexpr const char* nofile = "rlimit.nofile";
constexpr const char* affinity = "cpu.affinity";

struct ProcessBench : Bench {
    ProcessBench() : Bench(Proc::real) { start(); }
    Decision raise(const Child& child, double to, const std::string& knob = nofile) {
        see(child.id());
        return fire("raise", child.id(), {{knob, count(to)}});
    }
    Decision pin(const Child& child, const std::string& list) {
        CpuSet cpus;
        REQUIRE(CpuSet::parse(list, cpus));
        see(child.id());
        return fire("pin", child.id(), {{affinity, cpus}});
    }
};
std::string mask(pid_t thread) { return thread_cpus(thread)->list(); }
std::string all_cpus(const Child& child) { return allowed_cpus({}, child.pid())->list(); }
bool one_cpu_only(const Child& child) {
    if (allowed_cpus({}, child.pid())->size() >= 2) return false;
    WARN("SKIPPED: only one CPU here");
    return true;
}

}  // namespace

TEST_CASE("a soft limit is raised within the hard one, and both are put back") {
    ProcessBench bench;
    const Child child;
    bench.act(bench.raise(child, 1024));
    CHECK(Child::nofile(child.pid()).rlim_cur == 1024);
    CHECK(Child::nofile(child.pid()).rlim_max == Child::hard);
    CHECK(bench.told.last("applied").original == "256 (hard 4096)");
    CHECK(bench.told.last("applied").target == "payments pid " + std::to_string(child.pid()));
    bench.undo();
    CHECK(Child::nofile(child.pid()).rlim_cur == 256);
    CHECK(Child::nofile(child.pid()).rlim_max == Child::hard);
}

TEST_CASE("a hard limit is raised if it may be, else the value is clamped to it and that is said") {
    ProcessBench bench;
    const Child child;
    bench.act(bench.raise(child, 8192));
    if (has_capability(CAP_SYS_RESOURCE)) {
        CHECK(Child::nofile(child.pid()).rlim_cur == 8192);
        CHECK(Child::nofile(child.pid()).rlim_max == 8192);
        bench.undo();
        CHECK(Child::nofile(child.pid()).rlim_max == Child::hard);
    } else {
        CHECK(Child::nofile(child.pid()).rlim_cur == Child::hard);
        CHECK(bench.told.last("planned").reason.find("the hard limit is 4096") != std::string::npos);
    }
}

TEST_CASE("a write that meets a hard limit it cannot raise is clamped to it") {
    if (has_capability(CAP_SYS_RESOURCE)) {
        WARN("SKIPPED: hard limits can be raised here");
        return;
    }
    const Child child;
    const Knob& knob = *find_knob(nofile);
    const KnobAt at{{}, nofile, child.id(), {}};
    const auto written = knob.write(at, *knob.read(at), count(100000));
    REQUIRE(written);
    CHECK(written->held.value == Value(count(Child::hard)));
    CHECK(written->note.find("could not be raised") != std::string::npos);
}

TEST_CASE("more than fs.nr_open is never asked for") {
    const Child child;
    const Knob& knob = *find_knob(nofile);
    PlannedWrite planned;
    planned.knob = nofile;
    planned.to = Value(count(unlimited_value));
    planned.most = count(unlimited_value);
    const auto fitted = knob.fit({{}, nofile, child.id(), {}}, planned, true);
    REQUIRE(fitted);
    std::uint64_t nr_open = 0;
    REQUIRE(parse_u64(*read_file("/proc/sys/fs/nr_open"), nr_open));
    CHECK(std::get<Quantity>(fitted->to).value <= static_cast<double>(nr_open));
}

TEST_CASE("a rule's own bounds narrow, and widen only with unsafe") {
    Bench bench;
    PlannedWrite planned;
    planned.knob = swappiness;
    planned.most = count(500);
    planned.least = count(20);
    const Knob& knob = *find_knob(swappiness);
    const KnobAt at{bench.options.roots, swappiness, HostId{}, {}};
    planned.to = Value(count(400));
    CHECK(knob.fit(at, planned, false)->to == Value(count(200)));
    CHECK(knob.fit(at, planned, true)->to == Value(count(400)));
    planned.to = Value(count(0));
    CHECK(knob.fit(at, planned, false)->to == Value(count(20)));
    planned.to = Value(std::string("999"));
    CHECK(knob.fit(at, planned, false)->to == Value(count(200)));
}

TEST_CASE("an undo that would leave a process without descriptors waits, is told once, and is made when it is safe") {
    ProcessBench bench;
    Child child;
    bench.act(bench.raise(child, 1024));
    bench.keep();
    child.open_descriptors(500);
    bench.undo();
    CHECK(bench.only().state == AdjustmentState::undo_deferred);
    CHECK(child.soft() == 1024);
    CHECK(bench.told.last("undo_deferred").reason.find("in use, the old limit is 256") != std::string::npos);
    bench.tick();
    bench.tick();
    CHECK(child.soft() == 1024);
    CHECK(bench.told.count("undo_deferred") == 1);
    child.close_descriptors();
    bench.tick();
    CHECK(child.soft() == 256);
    CHECK(bench.engine->live().empty());
}

TEST_CASE("only force overrides what is not safe") {
    ProcessBench bench;
    Child child;
    bench.act(bench.raise(child, 1024));
    child.open_descriptors(500);
    const auto first = bench.undo_asked(0, false);
    REQUIRE(first.size() == 1);
    CHECK(first[0].state == AdjustmentState::undo_deferred);
    CHECK(child.soft() == 1024);
    const auto second = bench.undo_asked(bench.only().id, true);
    REQUIRE(second.size() == 1);
    CHECK(second[0].state == AdjustmentState::undone);
    CHECK(child.soft() == 256);
}

TEST_CASE("the margin of an undo: a tenth of the old limit, eight at least") {
    const Knob& knob = *find_knob(nofile);
    Child child(1024);
    const KnobAt at{{}, nofile, child.id(), {}};
    const auto used = static_cast<rlim_t>(*descriptors_in_use("/proc", child.pid()));
    child.open_descriptors(static_cast<int>(90 - used));
    REQUIRE(*descriptors_in_use("/proc", child.pid()) == 90);
    CHECK(knob.undo_safe(at, {count(100), "100 4096"})->safe);
    child.open_descriptors(1);
    CHECK_FALSE(knob.undo_safe(at, {count(100), "100 4096"})->safe);
    CHECK(knob.undo_safe(at, {count(4096), "4096 4096"})->safe);  // wider than now
    CHECK(knob.undo_safe(at, {count(unlimited_value), "unlimited unlimited"})->safe);
}

TEST_CASE("the undo of a limit of tasks looks at all tasks of the user") {
    const Knob& knob = *find_knob("rlimit.nproc");
    const Child child;
    const KnobAt at{{}, "rlimit.nproc", child.id(), {}};
    const rlimit wide{RLIM_INFINITY, RLIM_INFINITY};
    rlimit now{};
    REQUIRE(::prlimit(child.pid(), RLIMIT_NPROC, nullptr, &now) == 0);
    static_cast<void>(wide);
    const auto tasks = *tasks_of_user("/proc", ::getuid());
    CHECK(tasks >= 2);
    CHECK_FALSE(knob.undo_safe(at, {count(1), "1 1"})->safe);
}

TEST_CASE("the undo of a limit of locked memory looks at what is locked") {
    const Knob& knob = *find_knob("rlimit.memlock");
    const Child child;
    const KnobAt at{{}, "rlimit.memlock", child.id(), {}};
    CHECK(knob.undo_safe(at, {bytes(65536), "65536 65536"})->safe);  // nothing is locked
}

TEST_CASE("a process that sets its own limit afterwards is left alone") {
    ProcessBench bench;
    Child child;
    bench.act(bench.raise(child, 1024));
    child.set_own_soft(2000);
    bench.tick();
    CHECK(bench.only().state == AdjustmentState::drifted);
    bench.undo();
    CHECK(child.soft() == 2000);
}

TEST_CASE("a process that ends takes its adjustment with it") {
    ProcessBench bench;
    Child child;
    bench.act(bench.raise(child, 1024));
    child.end();
    bench.engine->exited(bench.only().target.index() == 2 ? std::get<ProcessId>(bench.only().target).pid : 0);
    CHECK(bench.engine->live().empty());
    CHECK(bench.told.count("gone") == 1);
}

TEST_CASE("an end that nobody told of is found at the next tick") {
    ProcessBench bench;
    Child child;
    bench.act(bench.raise(child, 1024));
    child.end();
    bench.tick();
    CHECK(bench.engine->live().empty());
}

TEST_CASE("a process that executes another program gets its old limit back") {
    ProcessBench bench;
    Child child;
    bench.act(bench.raise(child, 1024));
    child.execute_another();
    CHECK(child.soft() == 1024);
    bench.tick();
    CHECK(child.soft() == 256);
    CHECK(bench.engine->live().empty());
}

TEST_CASE("another process with the same number is never written to") {
    ProcessBench bench;
    const Child child;
    ProcessId stranger = child.id();
    stranger.start_ticks -= 1;
    const Knob& knob = *find_knob(nofile);
    CHECK_FALSE(knob.read({{}, nofile, stranger, {}}));
    CHECK(presence({}, stranger, {}) == Presence::gone);
    bench.act(bench.fire("raise", stranger, {{nofile, count(1024)}}));
    CHECK(child.soft() == 256);
    CHECK(bench.refusal().starts_with("gone"));
}

TEST_CASE("children forked after a change are journaled and undone with it") {
    ProcessBench bench;
    std::vector<std::pair<pid_t, bool>> watched;
    bench.engine->heir_changed = [&](pid_t pid, bool add) { watched.emplace_back(pid, add); };
    Child child;
    const pid_t older = child.fork_child();
    bench.act(bench.raise(child, 1024));
    bench.engine->forked(child.pid(), older);
    const pid_t younger = child.fork_child();
    bench.engine->forked(child.pid(), younger);
    CHECK(Child::nofile(older).rlim_cur == 256);
    CHECK(Child::nofile(younger).rlim_cur == 1024);
    CHECK(watched == std::vector<std::pair<pid_t, bool>>{{child.pid(), true}, {younger, true}});
    bench.undo();
    CHECK(child.soft() == 256);
    CHECK(Child::nofile(younger).rlim_cur == 256);
    CHECK(watched.size() == 4);
    CHECK_FALSE(watched.back().second);
}

TEST_CASE("a child of which no event told is found by its parent") {
    ProcessBench bench;
    Child child;
    bench.act(bench.raise(child, 1024));
    const pid_t grandchild = child.fork_child();
    bench.undo();
    CHECK(Child::nofile(grandchild).rlim_cur == 256);
}

TEST_CASE("a child that outlives its parent is undone when the parent ends") {
    ProcessBench bench;
    Child child;
    bench.act(bench.raise(child, 1024));
    const pid_t heir = child.fork_child();
    const pid_t other = child.fork_child();
    bench.engine->forked(child.pid(), heir);
    bench.engine->forked(child.pid(), other);
    ::kill(other, SIGKILL);
    // The heir is made to live on: its end is bound to its parent's only by the signal that it asked for.
    CHECK(Child::nofile(heir).rlim_cur == 1024);
    bench.undo();
    CHECK(Child::nofile(heir).rlim_cur == 256);
    CHECK(bench.engine->live().empty());
}

TEST_CASE("a child with what an earlier step set is undone, too, at the end of the chain") {
    ProcessBench bench;
    Child child;
    bench.act(bench.raise(child, 512));
    const pid_t first = child.fork_child();
    bench.engine->forked(child.pid(), first);
    bench.keep();
    Decision step = bench.raise(child, 1024);
    step.step = 2;
    step.group = bench.only().group;
    bench.act(step);
    const pid_t second = child.fork_child();
    bench.engine->forked(child.pid(), second);
    bench.fail();
    CHECK(child.soft() == 512);
    CHECK(Child::nofile(first).rlim_cur == 512);
    CHECK(Child::nofile(second).rlim_cur == 512);
    bench.undo();
    CHECK(child.soft() == 256);
    CHECK(Child::nofile(first).rlim_cur == 256);
    CHECK(Child::nofile(second).rlim_cur == 256);
}

TEST_CASE("a knob that was inherited is held by the rule of the parent") {
    ProcessBench bench;
    Child child;
    bench.act(bench.raise(child, 1024));
    const pid_t heir = child.fork_child();
    bench.engine->forked(child.pid(), heir);
    const auto id = identify("/proc", heir);
    bench.act(bench.fire("other", *id, {{nofile, count(2000)}}));
    CHECK(bench.refusal().starts_with("held: inherited from"));
}

TEST_CASE("every thread is moved, and unpinned is put back as the full mask") {
    ProcessBench bench;
    Child child;
    if (one_cpu_only(child)) return;
    const pid_t thread = child.start_thread();
    bench.act(bench.pin(child, "0"));
    CHECK(mask(child.pid()) == "0");
    CHECK(mask(thread) == "0");
    CHECK(bench.told.last("applied").original == "unpinned");
    const pid_t later = child.start_thread();
    CHECK(mask(later) == "0");
    bench.undo();
    for (const pid_t one : {child.pid(), thread, later}) CHECK(mask(one) == all_cpus(child));
}

TEST_CASE("threads with masks of their own get these back") {
    ProcessBench bench;
    Child child;
    if (one_cpu_only(child)) return;
    const pid_t first = child.start_thread();
    const pid_t second = child.start_thread();
    child.pin_itself(1);
    bench.act(bench.pin(child, "0"));
    REQUIRE(mask(child.pid()) == "0");
    bench.undo();
    CHECK(mask(child.pid()) == "1");
    CHECK(mask(first) == all_cpus(child));
    CHECK(mask(second) == all_cpus(child));
}

TEST_CASE("a thread that pins itself afterwards is left alone, the others are put back") {
    ProcessBench bench;
    Child child;
    if (one_cpu_only(child)) return;
    const pid_t thread = child.start_thread();
    bench.act(bench.pin(child, "0"));
    child.pin_itself(1);
    bench.tick();
    CHECK(bench.only().state == AdjustmentState::applied);  // one thread of ours is left
    bench.undo();
    CHECK(mask(child.pid()) == "1");
    CHECK(mask(thread) == all_cpus(child));
}

TEST_CASE("an undo says how many threads it left alone, because somebody else has moved them") {
    ProcessBench bench;
    Child child;
    if (one_cpu_only(child)) return;
    child.start_thread();
    bench.act(bench.pin(child, "0"));
    child.pin_itself(1);
    bench.undo();
    CHECK(bench.told.last("undone").reason ==
          "the test says so; 1 thread has a mask that is not ours and was left alone");
}

TEST_CASE("a write that was interrupted is undone on the threads that it reached, and on no other") {
    ProcessBench bench;
    Child child;
    if (one_cpu_only(child)) return;
    const pid_t thread = child.start_thread();
    const Knob& knob = *find_knob(affinity);
    const KnobAt at{{}, affinity, child.id(), {}};
    const auto before = knob.read(at);
    REQUIRE(set_thread_mask(thread, {false, CpuSet({0})}));
    child.pin_itself(1);  // by somebody else
    REQUIRE(knob.restore(at, *before, {CpuSet({0}), {}}, Restore::anything));
    CHECK(mask(thread) == all_cpus(child));
    CHECK(mask(child.pid()) == "1");
    CHECK(knob.left_alone(at, *before).starts_with("1 thread has"));
}

TEST_CASE("threads that still have what an earlier step set go back, too") {
    ProcessBench bench;
    Child child;
    if (one_cpu_only(child)) return;
    const pid_t thread = child.start_thread();
    bench.act(bench.pin(child, "0"));
    bench.keep();
    Decision step = bench.pin(child, "1");
    step.step = 2;
    step.group = bench.only().group;
    bench.act(step);
    REQUIRE(mask(thread) == "1");
    REQUIRE(set_thread_mask(thread, {false, CpuSet({0})}));  // as an undo of the step does, before it is killed
    bench.undo();
    CHECK(mask(thread) == all_cpus(child));
    CHECK(mask(child.pid()) == all_cpus(child));
}

TEST_CASE("a process that was moved whole by somebody else is drifted") {
    ProcessBench bench;
    Child child;
    if (one_cpu_only(child)) return;
    bench.act(bench.pin(child, "0"));
    child.pin_itself(1);
    bench.tick();
    CHECK(bench.only().state == AdjustmentState::drifted);
}

TEST_CASE("affinity is never empty and never outside the cpuset") {
    ProcessBench bench;
    const Child child;
    bench.act(bench.pin(child, ""));
    CHECK(bench.refusal().starts_with("out_of_bounds"));
    bench.act(bench.fire("far", child.id(), {{affinity, CpuSet({8000})}}));
    CHECK(bench.refusal().starts_with("out_of_bounds"));
    bench.act(bench.fire("half", child.id(), {{affinity, CpuSet({0, 8000})}}));
    if (!one_cpu_only(child)) CHECK(mask(child.pid()) == "0");
}

TEST_CASE("pack and spread are resolved to CPUs when they are written") {
    ProcessBench bench;
    const Child child;
    if (one_cpu_only(child)) return;
    bench.see(child.id());
    Decision decision = bench.fire("pack", child.id(), {});
    PlannedWrite& write = decision.writes.emplace_back();
    write.knob = affinity;
    write.placement = Adjust::Placement{Adjust::Placement::Kind::pack, 1};
    bench.act(decision);
    CHECK(thread_cpus(child.pid())->size() == 1);
    bench.undo();
    CHECK(mask(child.pid()) == all_cpus(child));
}

TEST_CASE("masks of threads are kept compactly, and read back as they were") {
    ThreadMasks masks;
    masks.common = {true, {}};
    masks.others[11] = {false, CpuSet({0, 1, 5})};
    masks.others[12] = {false, CpuSet({0, 1, 5})};
    masks.others[13] = {false, CpuSet({2})};
    CHECK(masks.encode() == "full;0-1,5=11+12;2=13");
    const auto back = ThreadMasks::decode(masks.encode());
    REQUIRE(back);
    CHECK(back->common == masks.common);
    CHECK(back->others == masks.others);
    CHECK_FALSE(ThreadMasks::decode(""));
    CHECK_FALSE(ThreadMasks::decode("full;0=x"));
    CHECK_FALSE(ThreadMasks::decode("full;=1"));
    CHECK_FALSE(ThreadMasks::decode("rubbish"));
}

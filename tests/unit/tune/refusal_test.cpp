// Every reason for which a decision is not carried out.
#include "bench.h"
#include "catch.h"
#include "full_disk.h"
#include "tune/guard.h"

using namespace gotuned;
using namespace gotuned::test;

namespace {

Decision swap_to(const Bench& bench, double value) {
    return bench.fire("less-swap", HostId{}, {{swappiness, count(value)}});
}

/// Refused with this word, and nothing was changed.
void refused(Bench& bench, const Decision& decision, const std::string& why) {
    bench.act(decision);
    CHECK(bench.refusal().substr(0, bench.refusal().find(':')) == why);
    CHECK(bench.engine->live().empty());
    CHECK(bench.sysctl("vm/swappiness") == "60");
}

}  // namespace

TEST_CASE("a rule that only observes is recorded with what it would have done") {
    Bench bench;
    bench.start();
    Decision decision = swap_to(bench, 10);
    decision.mode = Mode::observe;
    refused(bench, decision, "observe");
    CHECK(bench.told.last("refused").from == "60");
    CHECK(bench.told.last("refused").to == "10");
}

TEST_CASE("nothing is changed while paused, also after a restart") {
    Bench bench;
    bench.start();
    bench.engine->pause(true, "uid 0 (root)");
    refused(bench, swap_to(bench, 10), "paused");
    bench.restart(nullptr);
    CHECK(bench.engine->paused());
    refused(bench, swap_to(bench, 10), "paused");
    bench.engine->pause(false, "uid 0 (root)");
    bench.act(swap_to(bench, 10));
    CHECK(bench.sysctl("vm/swappiness") == "10");
}

TEST_CASE("a write that would change nothing is refused, also when only clamping makes it so") {
    Bench bench;
    bench.start();
    refused(bench, swap_to(bench, 60), "nothing_changes");
    bench.set_sysctl("vm/swappiness", "200");
    bench.act(swap_to(bench, 5000));
    CHECK(bench.sysctl("vm/swappiness") == "200");
    CHECK(bench.engine->live().empty());
}

TEST_CASE("a value that could not be computed is not written") {
    Bench bench;
    bench.start();
    Decision decision = swap_to(bench, 10);
    decision.writes[0].to = Absent{Absence::low_exposure, "12ms of 100ms"};
    refused(bench, decision, "unknown");
    CHECK(bench.refusal() == "unknown: low_exposure: 12ms of 100ms");
}

TEST_CASE("one write that cannot be made refuses its whole group") {
    Bench bench;
    bench.start();
    refused(bench, bench.fire("both", HostId{}, {{swappiness, count(10)}, {"sysctl.vm.no_such_thing", count(1)}}),
            "unreadable");
}

TEST_CASE("a knob that is not built, or of another kind of target, is refused") {
    Bench bench;
    bench.start();
    refused(bench, bench.fire("odd", HostId{}, {{"go.gc", count(1)}}), "not_built");
    refused(bench, bench.fire("wide", HostId{}, {{"rlimit.nofile", count(1024)}}), "scope");
}

TEST_CASE("two rules do not hold one knob") {
    Bench bench;
    bench.start();
    bench.act(swap_to(bench, 10));
    bench.act(bench.fire("more-swap", HostId{}, {{swappiness, count(90)}}));
    CHECK(bench.refusal() == "held: by rule less-swap (adjustment 1)");
    CHECK(bench.sysctl("vm/swappiness") == "10");
}

TEST_CASE("a rule whose own change is in force is not told of") {
    Bench bench;
    bench.start();
    bench.act(swap_to(bench, 10));
    bench.act(swap_to(bench, 5));
    CHECK(bench.told.count("refused") == 0);
    CHECK(bench.sysctl("vm/swappiness") == "10");
}

TEST_CASE("so many changes a minute, and no more") {
    Bench bench;
    bench.options.per_minute = 2;
    bench.start();
    bench.act(
        bench.fire("both", HostId{}, {{page_cluster, count(0)}, {"sysctl.net.ipv4.tcp_rmem", std::string("1 2 3")}}));
    REQUIRE(bench.engine->live().size() == 2);
    bench.act(swap_to(bench, 10));
    CHECK(bench.refusal() == "budget: 2 changes in the last minute, 1 more wanted, 2 allowed");
    bench.clock.advance(std::chrono::minutes(1));
    bench.act(swap_to(bench, 10));
    CHECK(bench.sysctl("vm/swappiness") == "10");
}

TEST_CASE("a refusal is tried again at each Snapshot, but recorded only for a new reason") {
    Bench bench;
    bench.start();
    Decision decision = swap_to(bench, 10);
    decision.mode = Mode::observe;
    for (int i = 0; i < 5; ++i) bench.act(decision);
    CHECK(bench.told.count("refused") == 1);
    bench.engine->pause(true, "root");
    decision.mode = Mode::enforce;
    for (int i = 0; i < 5; ++i) bench.act(decision);
    CHECK(bench.told.count("refused") == 2);
    bench.engine->pause(false, "root");
    bench.act(decision);
    CHECK(bench.sysctl("vm/swappiness") == "10");
}

TEST_CASE("a refusal that was not repeated for a while is news again") {
    Bench bench;
    bench.start();
    Decision decision = swap_to(bench, 10);
    decision.mode = Mode::observe;
    bench.act(decision);
    bench.tick(std::chrono::minutes(2));
    bench.act(decision);
    CHECK(bench.told.count("refused") == 2);
}

TEST_CASE("a target that has ended is refused") {
    Bench bench(Bench::Proc::real);
    bench.start();
    bench.act(bench.fire("r", ProcessId{4194303, 1, 1}, {{"rlimit.nofile", count(1024)}}));
    CHECK(bench.refusal().starts_with("gone"));
}

TEST_CASE("a cgroup that is not seen any more is refused") {
    Bench bench;
    bench.start();
    bench.act(bench.fire("r", CgroupId{99}, {{"cgroup.memory.high", bytes(1e9)}}));
    CHECK(bench.refusal().starts_with("gone"));
}

TEST_CASE("what cannot be journaled is not done, is said once, and is done when it can be") {
    Bench bench;
    bench.start();
    {
        const FullDisk full;
        bench.engine->act({swap_to(bench, 10)}, bench.snapshot());
        bench.engine->act({swap_to(bench, 10)}, bench.snapshot());
    }
    bench.settle();
    CHECK(bench.sysctl("vm/swappiness") == "60");
    CHECK(bench.engine->live().empty());
    CHECK(bench.refusal().starts_with("journal: cannot use " + (bench.dir / "run/journal.db")));
    CHECK(bench.told.count("refused") == 1);
    bench.act(swap_to(bench, 10));
    CHECK(bench.sysctl("vm/swappiness") == "10");
    CHECK(bench.only().state == AdjustmentState::applied);
}

TEST_CASE("the changes of the last minute count against the budget after a restart, too") {
    Bench bench;
    bench.options.per_minute = 2;
    bench.start();
    bench.act(bench.fire("both", HostId{}, {{page_cluster, count(0)}}));
    bench.clock.advance(std::chrono::seconds(30));
    bench.act(bench.fire("short", HostId{}, {{"sysctl.net.ipv4.tcp_rmem", std::string("1 2 3")}}));
    bench.undo_asked(2, false);
    bench.restart(nullptr);
    bench.act(swap_to(bench, 10));
    CHECK(bench.refusal() == "budget: 2 changes in the last minute, 1 more wanted, 2 allowed");
    bench.clock.advance(std::chrono::seconds(30));
    bench.act(swap_to(bench, 10));
    CHECK(bench.sysctl("vm/swappiness") == "10");
}

TEST_CASE("plan says what would be written, and changes nothing") {
    Bench bench;
    bench.start();
    Decision decision = swap_to(bench, 5000);
    decision.mode = Mode::observe;
    const auto items = bench.engine->plan({decision}, *bench.snapshot());
    REQUIRE(items.size() == 1);
    CHECK(items[0].now == Reading<Value>(Value(count(60))));
    CHECK(items[0].wanted == Reading<Value>(Value(count(5000))));
    CHECK(items[0].to == Reading<Value>(Value(count(200))));
    CHECK(items[0].clamped == "lowered to 200: the most that is safe");
    CHECK(items[0].refused == "observe: the rule only observes");
    decision.mode = Mode::enforce;
    CHECK(bench.engine->plan({decision}, *bench.snapshot())[0].refused.empty());
    CHECK(bench.sysctl("vm/swappiness") == "60");
    CHECK(bench.told.all.empty());
}

TEST_CASE("kubelet's cgroups are left to kubelet, but for the memory.high and the burst of a container") {
    const std::string pod = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod12.slice";
    CHECK_FALSE(kubelet_objection("/kubepods.slice", "cgroup.memory.high").empty());
    CHECK_FALSE(kubelet_objection(pod, "cgroup.memory.high").empty());
    CHECK_FALSE(kubelet_objection(pod + "/cri-containerd-ab12.scope", "cgroup.memory.max").empty());
    CHECK(kubelet_objection(pod + "/cri-containerd-ab12.scope", "cgroup.memory.high").empty());
    CHECK(kubelet_objection("/kubepods/burstable/pod12/" + std::string(64, 'a'), "cgroup.memory.high").empty());
    CHECK(kubelet_objection(pod + "/cri-containerd-ab12.scope", "cgroup.cpu.max.burst").empty());
    CHECK_FALSE(kubelet_objection(pod + "/cri-containerd-ab12.scope", "cgroup.cpu.max").empty());
    CHECK_FALSE(kubelet_objection(pod, "cgroup.cpu.max.burst").empty());
    CHECK(kubelet_objection("/system.slice/payments.service", "cgroup.memory.max").empty());
}

TEST_CASE("refusals have stable words") {
    for (int i = 0; i <= static_cast<int>(Refusal::journal); ++i) {
        const std::string_view name = word(static_cast<Refusal>(i));
        CHECK_FALSE(name.empty());
        CHECK(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string_view::npos);
    }
}

TEST_CASE("failures in a row are remembered until they mean nothing any more") {
    Guard guard({});
    const MonoTime start{};
    static_cast<void>(guard.write_failed("r", HostId{}, std::chrono::minutes(10), start));
    CHECK(guard.expire(start + std::chrono::hours(24)).empty());
    CHECK(guard.expire(start + std::chrono::hours(25)).size() == 1);
    CHECK(guard.write_failed("r", HostId{}, std::chrono::minutes(10), start).failures == 1);
}

TEST_CASE("a failed write quarantines, but says nothing of the rules: the circuit stays closed") {
    Guard guard({});
    for (int i = 0; i < 20; ++i)
        static_cast<void>(guard.write_failed("r" + std::to_string(i), HostId{}, {}, MonoTime{}));
    CHECK_FALSE(guard.circuit_open());
}

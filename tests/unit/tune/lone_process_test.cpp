// cpu.affinity of a process that is all there is of its unit: real threads, and a peer that answers as systemd does.
#include "tune/lone_process.h"

#include "cgroup_bench.h"
#include "child.h"
#include "systemd_peer.h"
#include "tune/thread_masks.h"

using namespace gotuned;
using namespace gotuned::test;

namespace {

constexpr const char* affinity = "cpu.affinity";

/// Only with two CPUs there is something to choose.
CpuSet usable() { return *thread_cpus(::getpid()); }

struct LoneBench : CgroupBench {
    LoneBench() : peer(dir, "payments.service", place, options.roots.cgroup2 + place) {
        const std::string process = "proc/" + std::to_string(child.pid());
        dir.put(process + "/cgroup", "0::" + std::string(place) + "\n");
        for (const char* name : {"stat", "status", "exe", "task"})
            std::filesystem::create_symlink("/proc/" + std::to_string(child.pid()) + "/" + name,
                                            dir / (process + "/" + name));
        dir.put("sys/devices/system/cpu/online", usable().list() + "\n");
        dir.put("sys/devices/system/cpu/possible", usable().list() + "\n");
        dir.put("cgroup/cgroup.controllers", "cpuset cpu\n");
        dir.put("cgroup/cgroup.subtree_control", "cpuset cpu\n");
        file("cgroup.procs", std::to_string(child.pid()) + "\n");
        file("cgroup.stat", "nr_descendants 0\nnr_dying_descendants 0\n");
        see(child.id());
        peer.own("AllowedCPUs", "");
        peer.takes_effect = [this](const std::string& setting, const std::string& text) {
            CpuSet cpus;
            if (setting != "AllowedCPUs" || !CpuSet::parse(text, cpus)) return;
            const auto threads = numbered_entries("/proc/" + std::to_string(child.pid()) + "/task");
            for (const pid_t thread : threads.value_or(std::vector<pid_t>{}))
                static_cast<void>(set_thread_mask(thread, {cpus.empty(), cpus}));
        };
        peer.answer();
    }
    void pin(const CpuSet& cpus) { act(fire("pin", child.id(), {{affinity, cpus}})); }
    [[nodiscard]] CpuSet mask() const { return *thread_cpus(child.pid()); }
    [[nodiscard]] KnobAt process() const { return {options.roots, affinity, child.id(), {}}; }
    const CpuSet first{std::vector<int>{usable().cpus().front()}};
    Child child{};
    SystemdPeer peer;
};

}  // namespace

TEST_CASE("the only process of a unit is pinned by AllowedCPUs, and let go") {
    if (usable().size() < 2) return;
    LoneBench bench;
    bench.pin(bench.first);
    CHECK(bench.peer.sets() == 1);
    CHECK(bench.mask() == bench.first);
    CHECK(bench.file("cpuset.cpus") == bench.first.list());
    CHECK(bench.told.last("applied").original == "unpinned");
    CHECK(bench.told.last("applied").reason == "by AllowedCPUs= of its unit");
    bench.tick();
    CHECK(bench.only().state == AdjustmentState::applied);
    bench.undo();
    CHECK(bench.mask() == usable());
    CHECK(bench.peer.reloads() == 1);
    CHECK_FALSE(std::filesystem::exists(bench.peer.drop_in("AllowedCPUs")));
    CHECK(bench.told.count("undone") == 1);
}

TEST_CASE("the drop-in goes with the process") {
    if (usable().size() < 2) return;
    LoneBench bench;
    bench.pin(bench.first);
    bench.child.end();
    std::filesystem::remove_all(bench.dir / ("proc/" + std::to_string(bench.child.pid())));
    bench.tick();
    CHECK(bench.told.count("gone") == 1);
    CHECK(bench.engine->live().empty());
    CHECK_FALSE(std::filesystem::exists(bench.peer.drop_in("AllowedCPUs")));
}

TEST_CASE("where it is not the unit's only process, or something is pinned already, threads are pinned") {
    if (usable().size() < 2) return;
    LoneBench bench;
    REQUIRE(unit_of_lone_process(bench.process()).has_value());
    SECTION("another process") {
        bench.file("cgroup.procs", std::to_string(bench.child.pid()) + "\n" + std::to_string(::getpid()) + "\n");
    }
    SECTION("cgroups below") { bench.file("cgroup.stat", "nr_descendants 1\n"); }
    SECTION("the unit has AllowedCPUs") { bench.file("cpuset.cpus", usable().list() + ",100\n"); }
    SECTION("no cpuset controller") { bench.dir.put("cgroup/cgroup.controllers", "cpu\n"); }
    SECTION("no unit's own cgroup") {
        bench.dir.put("proc/" + std::to_string(bench.child.pid()) + "/cgroup", "0::/docker/ab12\n");
    }
    SECTION("a thread that is pinned") {
        bench.child.start_thread();
        bench.child.pin_itself(usable().cpus().back());
    }
    bench.pin(bench.first);
    CHECK(bench.peer.sets() == 0);
    CHECK(bench.told.count("applied") == 1);
    bench.undo();
    CHECK(bench.peer.reloads() == 0);
}

TEST_CASE("what is kept of a unit beside the masks of threads is read back as it was") {
    const KnobAt at{{}, affinity, ProcessId{1, 2, 3}, {}};
    UnitCpuset unit;
    unit.at.target = CgroupId{77};
    unit.at.place = "/system.slice/a b.service";
    unit.state = {CpuSet({1, 2}), "1-2\nunit a b.service\ndrop-in /run/x\n[Service]\nAllowedCPUs=1-2\n"};
    const std::string text = with_unit("full;0=4711", unit);
    CHECK(masks_in(text) == "full;0=4711");
    const auto back = unit_in(at, text);
    REQUIRE(back);
    CHECK(back->at.target == unit.at.target);
    CHECK(back->at.place == unit.at.place);
    CHECK(back->state == unit.state);
    CHECK_FALSE(unit_in(at, "full").has_value());
    CHECK(with_unit("full", std::nullopt) == "full");
    for (const char* broken : {"full\ncgroup ", "full\ncgroup 7", "full\ncgroup x /a\nc:1\n", "full\ncgroup 7 /a\nq"})
        CHECK_FALSE(unit_in(at, broken).has_value());
}

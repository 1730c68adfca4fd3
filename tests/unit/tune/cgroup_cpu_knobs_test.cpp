// cgroup.cpu.*, cgroup.pids.max and cgroup.cpuset.cpus on a tree in a temporary directory.
#include <atomic>
#include <chrono>
#include <thread>

#include "cgroup_bench.h"

using namespace gotuned;
using namespace gotuned::test;

namespace {

/// Makes the cgroup use so many CPUs, as cpu.stat tells.
class Busy {
public:
    Busy(const CgroupBench& bench, double cpus) : thread_([this, &bench, cpus] { burn(bench, cpus); }) {
        while (!began_) std::this_thread::yield();
    }
    Busy(const Busy&) = delete;
    Busy& operator=(const Busy&) = delete;
    ~Busy() {
        stop_ = true;
        thread_.join();
    }

private:
    void burn(const CgroupBench& bench, double cpus) {
        const auto began = std::chrono::steady_clock::now();
        while (!stop_) {
            const std::chrono::duration<double, std::micro> passed = std::chrono::steady_clock::now() - began;
            const std::string path = bench.options.roots.cgroup2 + place + "/cpu.stat";
            static_cast<void>(replace_file(
                path, "usage_usec " + std::to_string(static_cast<std::uint64_t>(passed.count() * cpus)) + "\n"));
            began_ = true;
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
    }
    std::atomic<bool> began_{false};
    std::atomic<bool> stop_{false};
    std::thread thread_;
};

Quantity milliseconds(double number) { return {number / 1000, unit::time}; }

}  // namespace

TEST_CASE("cpu.max is set in CPUs, keeps its period, and comes back as it was") {
    CgroupBench bench;
    bench.file("cpu.max", "100000 50000\n");
    bench.set("cgroup.cpu.max", count(3));
    CHECK(bench.file("cpu.max") == "150000 50000");
    CHECK(bench.only().original == Value(count(2)));
    bench.undo();
    CHECK(bench.file("cpu.max") == "100000 50000");
}

TEST_CASE("cpu.max is set to hundredths of a CPU, which is what systemd can keep") {
    CgroupBench bench;
    bench.set("cgroup.cpu.max", count(1.239));
    CHECK(bench.file("cpu.max") == "124000 100000");
}

TEST_CASE("cpu.max is bounded by the host, by the cgroups above, and from below by the kernel and the burst") {
    CgroupBench bench;
    bench.set("cgroup.cpu.max", count(100));
    CHECK(bench.file("cpu.max") == "800000 100000");
    CHECK(bench.told.last("planned").reason.find("the host has no more CPUs") != std::string::npos);
    bench.undo();
    bench.clock.advance(std::chrono::hours(1));
    bench.dir.put("cgroup/system.slice/cpu.max", "200000 100000\n");
    bench.set("cgroup.cpu.max", count(100));
    CHECK(bench.file("cpu.max") == "200000 100000");
    CHECK(bench.told.last("planned").reason.find("cpu.max of /system.slice") != std::string::npos);
    bench.undo();
    bench.clock.advance(std::chrono::hours(1));
    bench.file("cpu.max.burst", "50000\n");
    bench.set("cgroup.cpu.max", count(0.2));
    CHECK(bench.file("cpu.max") == "50000 100000");
    CHECK(bench.told.last("planned").reason.find("cpu.max.burst") != std::string::npos);
    bench.undo();
    bench.clock.advance(std::chrono::hours(1));
    bench.file("cpu.max.burst", "0\n");
    bench.file("cpu.max", "max 5000\n");
    bench.set("cgroup.cpu.max", count(0.1));
    CHECK(bench.file("cpu.max") == "1000 5000");
}

TEST_CASE("cpu.max never goes below what is in use and a margin") {
    CgroupBench bench;
    const Busy busy(bench, 6);
    bench.set("cgroup.cpu.max", count(1));
    CHECK(std::get<Quantity>(bench.only().set).value > 1);
    CHECK(bench.told.last("applied").reason.find("CPUs are in use") != std::string::npos);
}

TEST_CASE("a cpu.max of which all is in use is not lowered") {
    CgroupBench bench;
    bench.file("cpu.max", "200000 100000\n");
    const Busy busy(bench, 8);
    bench.set("cgroup.cpu.max", count(1));
    CHECK(bench.file("cpu.max") == "200000 100000");
    CHECK(bench.told.last("failed").reason.find("cannot lower cpu.max") != std::string::npos);
}

TEST_CASE("the undo of cpu.max waits while more is in use than the old one") {
    CgroupBench bench;
    bench.file("cpu.max", "100000 100000\n");
    bench.set("cgroup.cpu.max", count(4));
    {
        const Busy busy(bench, 8);
        bench.undo();
    }
    CHECK(bench.only().state == AdjustmentState::undo_deferred);
    CHECK(bench.told.last("undo_deferred").reason.find("the old limit is 1") != std::string::npos);
    bench.tick();
    CHECK(bench.file("cpu.max") == "100000 100000");
}

TEST_CASE("cpu.weight is a whole number from 1 to 10000") {
    CgroupBench bench;
    const auto [to, is] = GENERATE(table<double, std::string>({{250.4, "250"}, {0, "1"}, {20000, "10000"}}));
    bench.set("cgroup.cpu.weight", count(to));
    CHECK(bench.file("cpu.weight") == is);
    bench.undo();
    CHECK(bench.file("cpu.weight") == "100");
}

TEST_CASE("a burst is a time, no longer than the quota") {
    CgroupBench bench;
    bench.file("cpu.max", "50000 100000\n");
    bench.set("cgroup.cpu.max.burst", milliseconds(20));
    CHECK(bench.file("cpu.max.burst") == "20000");
    bench.undo();
    CHECK(bench.file("cpu.max.burst") == "0");
    bench.clock.advance(std::chrono::hours(1));
    bench.set("cgroup.cpu.max.burst", milliseconds(200));
    CHECK(bench.file("cpu.max.burst") == "50000");
}

TEST_CASE("a burst without a quota, or on a kernel that has none, is refused with the reason") {
    CgroupBench bench;
    bench.set("cgroup.cpu.max.burst", milliseconds(20));
    CHECK(bench.refusal().find("there is no quota") != std::string::npos);
    bench.file("cpu.max", "50000 100000\n");
    bench.remove("cpu.max.burst");
    bench.act(bench.fire("other", bench.id, {{"cgroup.cpu.max.burst", milliseconds(10)}}));
    CHECK(bench.refusal().find("the kernel has no such file") != std::string::npos);
    bench.dir.put("cgroup/cgroup.controllers", "cpu\n");
    bench.dir.put("cgroup/cgroup.subtree_control", "cpu\n");
    const Knob& burst = *find_knob("cgroup.cpu.max.burst");
    bench.dir.put("proc/sys/kernel/osrelease", "5.10.0-32-cloud-amd64\n");
    CHECK_FALSE(burst.ability(bench.options.roots, "").writable);
    bench.dir.put("proc/sys/kernel/osrelease", "5.14.0\n");
    CHECK(burst.ability(bench.options.roots, "").writable);
    bench.dir.put("proc/sys/kernel/osrelease", "6.1-rc3\n");
    CHECK(burst.ability(bench.options.roots, "").writable);
}

TEST_CASE("pids.max leaves room for those that are there, and is bounded by the host and the cgroups above") {
    CgroupBench bench;
    bench.file("pids.current", "300\n");
    bench.set("cgroup.pids.max", count(100));
    CHECK(bench.file("pids.max") == "330");
    bench.undo();
    CHECK(bench.file("pids.max") == "max");
    bench.clock.advance(std::chrono::hours(1));
    bench.dir.put("proc/sys/kernel/pid_max", "32768\n");
    bench.set("cgroup.pids.max", count(100000));
    CHECK(bench.file("pids.max") == "32768");
    bench.undo();
    bench.clock.advance(std::chrono::hours(1));
    bench.dir.put("cgroup/system.slice/pids.max", "2000\n");
    bench.set("cgroup.pids.max", count(100000));
    CHECK(bench.file("pids.max") == "2000");
    CHECK(bench.told.last("planned").reason.find("pids.max of /system.slice") != std::string::npos);
}

TEST_CASE("the undo of pids.max waits while the old limit has no room") {
    CgroupBench bench;
    bench.file("pids.max", "200\n");
    bench.set("cgroup.pids.max", count(400));
    bench.file("pids.current", "190\n");
    bench.undo();
    CHECK(bench.only().state == AdjustmentState::undo_deferred);
    bench.file("pids.current", "100\n");
    bench.tick();
    CHECK(bench.file("pids.max") == "200");
}

TEST_CASE("a cpuset is never empty and stays within that of the cgroup above") {
    CgroupBench bench;
    bench.dir.put("cgroup/system.slice/cpuset.cpus.effective", "0-3\n");
    bench.set("cgroup.cpuset.cpus", CpuSet({2, 3, 4, 5}));
    CHECK(bench.file("cpuset.cpus") == "2-3");
    CHECK(bench.told.last("planned").reason == "narrowed to 2-3: the cgroup above has 0-3");
    bench.undo();
    CHECK(bench.file("cpuset.cpus").empty());
    bench.clock.advance(std::chrono::hours(1));
    bench.set("cgroup.cpuset.cpus", CpuSet({6, 7}));
    CHECK(bench.refusal().find("none of the CPUs 6-7") != std::string::npos);
    bench.act(bench.fire("none", bench.id, {{"cgroup.cpuset.cpus", CpuSet()}}));
    CHECK(bench.refusal().find("not empty") != std::string::npos);
}

TEST_CASE("a list of all CPUs that the host could have is no list") {
    CgroupBench bench;
    bench.dir.put("sys/devices/system/cpu/possible", "0-7\n");
    bench.set("cgroup.cpuset.cpus", CpuSet({0, 1, 2, 3, 4, 5, 6, 7}));
    CHECK(bench.refusal().starts_with("nothing_changes: it holds all CPUs"));
    bench.file("cpuset.cpus", "0-7\n");
    bench.act(bench.fire("half", bench.id, {{"cgroup.cpuset.cpus", CpuSet({0, 1})}}));
    CHECK(bench.only().original == Value(CpuSet()));
}

TEST_CASE("a cpuset may be chosen by nearness") {
    CgroupBench bench;
    for (int cpu = 0; cpu < 8; ++cpu)
        bench.dir.put("sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/cache/index0/shared_cpu_list",
                      cpu < 4 ? "0-3\n" : "4-7\n");
    Decision decision = bench.fire("near", bench.id, {{"cgroup.cpuset.cpus", CpuSet()}});
    decision.writes[0].to = Reading<Value>();
    decision.writes[0].placement = Adjust::Placement{Adjust::Placement::Kind::pack, 4};
    bench.act(decision);
    CHECK(bench.file("cpuset.cpus") == "4-7");
}

TEST_CASE("a file that makes no sense, or is not there, is not written") {
    CgroupBench bench;
    const std::string knob = GENERATE(as<std::string>{}, "cpu.max", "cpu.weight", "pids.max", "cpuset.cpus");
    const Value to = knob == "cpuset.cpus" ? Value(CpuSet({1})) : Value(count(100));
    bench.file(knob, "nonsense of 1\n");
    bench.set("cgroup." + knob, to);
    CHECK(bench.refusal().starts_with("unreadable"));
    bench.remove(knob);
    bench.act(bench.fire("missing", bench.id, {{"cgroup." + knob, to}}));
    CHECK(bench.refusal().find("not enabled for this cgroup") != std::string::npos);
    CHECK(bench.told.count("planned") == 0);
}

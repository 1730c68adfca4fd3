#include "catch.h"
#include "temporary.h"
#include "tune/cpu_topology.h"

using namespace gotuned;
using gotuned::test::Temporary;
using Kind = Adjust::Placement::Kind;

namespace {

/// Two sockets of two cores of two threads: siblings are 0,4 1,5 | 2,6 3,7.
Roots two_sockets(const Temporary& dir) {
    const char* const siblings[] = {"0,4", "1,5", "2,6", "3,7"};
    for (int cpu = 0; cpu < 8; ++cpu) {
        const std::string base = "sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/";
        const std::string socket = cpu % 4 < 2 ? "0-1,4-5" : "2-3,6-7";
        dir.put(base + "cache/index0/shared_cpu_list", siblings[cpu % 4] + std::string("\n"));
        dir.put(base + "cache/index1/shared_cpu_list", socket + "\n");
        dir.put(base + "topology/package_cpus_list", socket + "\n");
    }
    dir.put("sys/devices/system/cpu/online", "0-7\n");
    Roots roots;
    roots.proc = dir / "proc";
    roots.sys = dir / "sys";
    return roots;
}
std::string choose(const Roots& roots, Kind kind, int cpus, const std::string& allowed = "0-7") {
    CpuSet set;
    REQUIRE(CpuSet::parse(allowed, set));
    return choose_cpus(roots, set, {kind, cpus}).list();
}

}  // namespace

TEST_CASE("pack takes the CPUs that share the most cache") {
    const Temporary dir;
    const Roots roots = two_sockets(dir);
    CHECK(choose(roots, Kind::pack, 1) == "7");
    CHECK(choose(roots, Kind::pack, 2) == "3,7");
    CHECK(choose(roots, Kind::pack, 4) == "2-3,6-7");
    CHECK(choose(roots, Kind::pack, 2, "0-3") == "2-3");
    CHECK(choose(roots, Kind::pack, 2, "0,2,4") == "0,4");
}

TEST_CASE("spread takes CPUs as far apart as can be") {
    const Temporary dir;
    const Roots roots = two_sockets(dir);
    CpuSet two;
    REQUIRE(CpuSet::parse(choose(roots, Kind::spread, 2), two));
    CHECK((two.contains(0) || two.contains(1) || two.contains(4) || two.contains(5)));
    CHECK((two.contains(2) || two.contains(3) || two.contains(6) || two.contains(7)));
    CpuSet four;
    REQUIRE(CpuSet::parse(choose(roots, Kind::spread, 4), four));
    for (const auto& [a, b] : {std::pair{0, 4}, std::pair{1, 5}, std::pair{2, 6}, std::pair{3, 7}})
        CHECK(four.contains(a) != four.contains(b));
}

TEST_CASE("more CPUs than are allowed are all that are allowed") {
    const Temporary dir;
    CHECK(choose(two_sockets(dir), Kind::pack, 20, "1-3") == "1-3");
    CHECK(choose(two_sockets(dir), Kind::spread, 3, "1-3") == "1-3");
}

TEST_CASE("without any topology to read, CPUs are chosen all the same") {
    Roots roots;
    roots.sys = "/nonexistent";
    CHECK(choose(roots, Kind::pack, 2).size() == 3);
    CHECK(choose(roots, Kind::spread, 2).size() == 3);
}

TEST_CASE("the allowed CPUs are those of the cpuset that are online") {
    const Temporary dir;
    Roots roots = two_sockets(dir);
    dir.put("proc/7/cgroup", "3:cpuset:/jobs/a\n0::/\n");
    dir.put("sys/fs/cgroup/cpuset/jobs/cpuset.effective_cpus", "0-3,12\n");
    CHECK(allowed_cpus(roots, 7)->list() == "0-3");
    dir.put("proc/8/cgroup", "0::/system.slice/x.service\n");
    CHECK(allowed_cpus(roots, 8)->list() == "0-7");
    roots.cgroup2 = dir / "unified";
    dir.put("unified/system.slice/cpuset.cpus.effective", "4-7\n");
    CHECK(allowed_cpus(roots, 8)->list() == "4-7");
}

TEST_CASE("a process that vanished, or a list that makes no sense, is an error") {
    const Temporary dir;
    Roots roots = two_sockets(dir);
    CHECK_FALSE(allowed_cpus(roots, 9));
    dir.put("proc/7/cgroup", "0::/\n");
    dir.put("sys/devices/system/cpu/online", "many\n");
    CHECK_FALSE(allowed_cpus(roots, 7));
    roots.sys = dir / "missing";
    CHECK_FALSE(allowed_cpus(roots, 7));
}

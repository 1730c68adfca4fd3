// cgroup.memory.* and sysctl.* on trees in a temporary directory.
#include "cgroup_bench.h"

using namespace gotuned;
using namespace gotuned::test;

TEST_CASE("memory.high is set and put back as max") {
    CgroupBench bench;
    bench.set("cgroup.memory.high", 500 * mib);
    CHECK(bench.file("memory.high") == "524288000");
    CHECK(bench.only().original == Value(bytes(unlimited_value)));
    bench.undo();
    CHECK(bench.file("memory.high") == "max");
}

TEST_CASE("memory.high and memory.max never go below the working set and a margin") {
    CgroupBench bench;
    const std::string name = GENERATE(as<std::string>{}, "high", "max");
    bench.set("cgroup.memory." + name, 100 * mib);
    CHECK(bench.file("memory." + name) == std::to_string(220 * 1048576));  // 200 MiB and a tenth
    CHECK(bench.told.last("planned").reason == "raised to 220MiB: the working set is 200MiB");
}

TEST_CASE("a working set that cannot be read lets nothing be set") {
    CgroupBench bench;
    const int missing = GENERATE(0, 1, 2);
    if (missing == 0) std::filesystem::remove(bench.dir / ("cgroup" + std::string(place) + "/memory.current"));
    if (missing == 1) bench.file("memory.stat", "anon 1\n");
    if (missing == 2) bench.file("memory.current", "much\n");
    bench.set("cgroup.memory.high", 500 * mib);
    CHECK(bench.file("memory.high") == "max");
    CHECK(bench.refusal().starts_with("out_of_bounds"));
}

TEST_CASE("a limit is rounded to pages as the kernel does, and bounded by the parent and the host") {
    CgroupBench bench;
    bench.set("cgroup.memory.high", 500 * mib + 1000);
    CHECK(bench.file("memory.high") == "524288000");
    bench.undo();
    bench.clock.advance(std::chrono::hours(1));
    bench.dir.put("cgroup/system.slice/memory.max", "1073741824\n");
    bench.set("cgroup.memory.high", 5000 * mib);
    CHECK(bench.file("memory.high") == "1073741824");
    CHECK(bench.told.last("planned").reason.find("memory.max of /system.slice") != std::string::npos);
}

TEST_CASE("protection is bounded by the host") {
    CgroupBench bench;
    bench.set("cgroup.memory.low", 8000 * mib);
    CHECK(bench.file("memory.low") == std::to_string(4096LL * 1048576));
}

TEST_CASE("the undo of a memory limit waits while the working set is above the old one") {
    CgroupBench bench;
    bench.file("memory.high", std::to_string(300 * 1048576) + "\n");
    bench.set("cgroup.memory.high", 800 * mib);
    bench.use(700, 100);
    bench.undo();
    CHECK(bench.only().state == AdjustmentState::undo_deferred);
    CHECK(bench.told.last("undo_deferred").reason.find("600MiB of working set, the old limit is 300MiB") !=
          std::string::npos);
    bench.use(700, 450);
    bench.tick();
    CHECK(bench.file("memory.high") == std::to_string(300 * 1048576));
}

TEST_CASE("the undo of a swap limit waits while more is in swap, that of a protection never") {
    CgroupBench bench;
    const Knob& swap = *find_knob("cgroup.memory.swap.max");
    bench.file("memory.swap.max", "max\n");
    bench.file("memory.swap.current", std::to_string(64 * 1048576) + "\n");
    CHECK_FALSE(swap.undo_safe(bench.at("cgroup.memory.swap.max"), {bytes(32 * mib), "33554432"})->safe);
    CHECK(swap.undo_safe(bench.at("cgroup.memory.swap.max"), {bytes(64 * mib), "67108864"})->safe);
    const Knob& low = *find_knob("cgroup.memory.low");
    CHECK(low.undo_safe(bench.at("cgroup.memory.low"), {bytes(0), "0"})->safe);
}

TEST_CASE("reclaim is one write, with nothing to undo") {
    CgroupBench bench;
    bench.set("cgroup.memory.reclaim", 10000 * mib);
    CHECK(bench.file("memory.reclaim") == std::to_string(300 * 1048576));  // it holds no more
    bench.keep();
    CHECK(bench.engine->live().empty());
    CHECK(bench.told.count("undone") == 0);
    bench.clock.advance(std::chrono::hours(1));
    bench.set("cgroup.memory.reclaim", 10 * mib);
    CHECK(bench.undo_asked(0, false).at(0).state == AdjustmentState::undone);
}

TEST_CASE("a cgroup that was removed, or made again under its name, is gone") {
    CgroupBench bench;
    bench.set("cgroup.memory.high", 500 * mib);
    const std::string path = bench.options.roots.cgroup2 + place;
    const bool again = GENERATE(false, true);
    // The old one is moved away, not removed: else the new one could get its inode.
    std::filesystem::rename(path, bench.dir / "removed");
    if (again) std::filesystem::create_directories(path);
    bench.tick();
    CHECK(bench.engine->live().empty());
    CHECK(bench.told.count("gone") == 1);
}

TEST_CASE("a sysctl of several numbers is compared with its white space evened out, and put back") {
    Bench bench;
    bench.start();
    const char* const knob = "sysctl.net.ipv4.tcp_rmem";
    bench.act(bench.fire("rmem", HostId{}, {{knob, std::string("4096 131072  6291456")}}));
    CHECK(bench.refusal().starts_with("nothing_changes"));
    bench.act(bench.fire("rmem", HostId{}, {{knob, std::string("4096 262144 6291456")}}));
    CHECK(bench.sysctl("net/ipv4/tcp_rmem") == "4096 262144 6291456");
    bench.set_sysctl("net/ipv4/tcp_rmem", "4096\t262144\t6291456");  // as the kernel prints it
    bench.tick();
    CHECK(bench.only().state == AdjustmentState::applied);
    bench.undo();
    CHECK(bench.sysctl("net/ipv4/tcp_rmem") == "4096 131072 6291456");
}

TEST_CASE("a sysctl's name never leaves PROC/sys") {
    Bench bench;
    bench.dir.put("proc/secret", "1\n");
    std::filesystem::create_directories(bench.dir / "proc/sys/vm");
    std::filesystem::create_symlink(bench.dir / "proc/secret", bench.dir / "proc/sys/vm/link");
    for (const std::string name : {"sysctl.//.secret", "sysctl..secret", "sysctl.vm.", "sysctl.vm..swappiness",
                                   "sysctl.vm.link", "sysctl.vm.a b"}) {
        const Knob* const knob = find_knob(name);
        REQUIRE(knob != nullptr);
        CHECK_FALSE(knob->read({bench.options.roots, name, HostId{}, {}}));
    }
    // A dot inside a part is written as a slash (sysctl.d(5)).
    bench.set_sysctl("net/ipv4/conf/eth0.100/rp_filter", "1");
    CHECK(find_knob("sysctl.") == nullptr);
    CHECK(sysctl_knob().read({bench.options.roots, "sysctl.net.ipv4.conf.eth0/100.rp_filter", HostId{}, {}}));
}

TEST_CASE("a text that would not be one line is no value of a sysctl") {
    Bench bench;
    PlannedWrite planned;
    planned.knob = swappiness;
    for (const std::string& text : {std::string("1\n2"), std::string(), std::string("1\0002", 3)}) {
        planned.to = Value(text);
        CHECK_FALSE(sysctl_knob().fit({bench.options.roots, swappiness, HostId{}, {}}, planned, false));
    }
    planned.to = Value(count(unlimited_value));
    planned.most = count(unlimited_value);
    CHECK_FALSE(sysctl_knob().fit({bench.options.roots, swappiness, HostId{}, {}}, planned, true));
}

TEST_CASE("preflight says what this host does not let us turn") {
    CgroupBench bench;
    bench.dir.put("cgroup/cgroup.controllers", "cpu io pids\n");
    const auto items =
        preflight(bench.options,
                  rulebook({rule("a", {"cgroup.memory.high", swappiness, "sysctl.vm.missing", "advise", "go.gc"})}));
    REQUIRE(items.size() == 5);
    for (const PreflightItem& item : items) {
        const bool can = item.knob == swappiness || item.knob == "advise";
        CHECK(item.writable == can);
        CHECK(item.reason.empty() == can);
    }
}

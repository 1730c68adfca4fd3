// Knobs of a cgroup that is a unit's own, against a peer that answers as systemd does.
#include "tune/systemd_units.h"

#include "cgroup_bench.h"
#include "systemd_peer.h"

using namespace gotuned;
using namespace gotuned::test;

namespace {

struct UnitBench : CgroupBench {
    UnitBench() : peer(dir, "payments.service", place, options.roots.cgroup2 + place) {
        peer.own("MemoryHigh", "max");
        peer.answer();
    }
    [[nodiscard]] bool there(const std::string& setting) const {
        return std::filesystem::exists(peer.drop_in(setting));
    }
    [[nodiscard]] std::string content(const std::string& setting) const { return *read_file(peer.drop_in(setting)); }
    void put_drop_in(const std::string& folder, const std::string& name, const std::string& line) const {
        dir.put("systemd/" + folder + "/payments.service.d/" + name, "[Service]\n" + line + "\n");
    }
    SystemdPeer peer;
};

constexpr UnitSetting memory_high{"MemoryHigh", "MemoryHigh"};

}  // namespace

TEST_CASE("a cgroup is a unit's own by its path") {
    Temporary dir;
    Roots roots;
    roots.systemd = dir / "systemd";
    CHECK(unit_of_cgroup(roots, place).empty());  // no systemd
    std::filesystem::create_directories(dir / "systemd/system");
    CHECK(unit_of_cgroup(roots, "/system.slice/web.service") == "web.service");
    CHECK(unit_of_cgroup(roots, "/system.slice/system-web.slice/web@1.service") == "web@1.service");
    CHECK(unit_of_cgroup(roots, "/system.slice") == "system.slice");
    CHECK(unit_of_cgroup(roots, "/system.slice/docker-ab12.scope") == "docker-ab12.scope");
    CHECK(unit_of_cgroup(roots, "/init.scope") == "init.scope");
    CHECK(unit_of_cgroup(roots, "/system.slice/_cpu.service") == "cpu.service");
    for (const char* other : {"/", "", "/docker/ab12", "/system.slice/web.service/payload", "/a/web.service", "/.slice",
                              "/user.slice/user-1000.slice/user@1000.service/app.slice/web.service"})
        CHECK(unit_of_cgroup(roots, other).empty());
}

TEST_CASE("a mask of CPUs has the first CPU in the first byte's lowest bit") {
    CHECK(unit_mask(CpuSet({0, 1, 9})) == std::vector<std::uint8_t>{3, 2});
    CHECK(unit_mask(CpuSet()).empty());
    CHECK(cpus_of_mask({3, 2, 0, 0}) == CpuSet({0, 1, 9}));
    CHECK(cpus_of_mask({}).empty());
}

TEST_CASE("a unit's limit is set by systemd, lasts over a reload, and its drop-in goes with the undo") {
    UnitBench bench;
    bench.set("cgroup.memory.high", 500 * mib);
    CHECK(bench.file("memory.high") == "524288000");
    CHECK(bench.peer.sets() == 1);
    CHECK(bench.content("MemoryHigh").find("MemoryHigh=524288000") != std::string::npos);
    bench.peer.daemon_reload();
    bench.tick();
    CHECK(bench.only().state == AdjustmentState::applied);
    bench.undo();
    CHECK(bench.file("memory.high") == "max");
    CHECK_FALSE(bench.there("MemoryHigh"));
    CHECK(bench.peer.reloads() == 1);
    CHECK(bench.told.count("undone") == 1);
}

TEST_CASE("after an undo the unit's own files count, also when they were edited meanwhile") {
    UnitBench bench;
    bench.set("cgroup.memory.high", 500 * mib);
    bench.peer.own("MemoryHigh", std::to_string(400 * 1048576));
    bench.peer.daemon_reload();
    CHECK(bench.file("memory.high") == "524288000");
    bench.undo();
    CHECK(bench.file("memory.high") == std::to_string(400 * 1048576));
    CHECK(bench.told.last("undone").reason.find("payments.service says 400MiB now, it said unlimited before") !=
          std::string::npos);
}

TEST_CASE("a drop-in that was there before is put back, and those of other settings stay") {
    UnitBench bench;
    bench.put_drop_in("system.control", "50-MemoryHigh.conf", "MemoryHigh=419430400");
    bench.put_drop_in("system.control", "50-MemoryLow.conf", "MemoryLow=1M");
    bench.file("memory.high", "419430400\n");
    const std::string before = bench.content("MemoryHigh");
    bench.set("cgroup.memory.high", 500 * mib);
    CHECK(bench.content("MemoryHigh") != before);
    bench.undo();
    CHECK(bench.content("MemoryHigh") == before);
    CHECK(bench.file("memory.high") == "419430400");
    CHECK(bench.there("MemoryLow"));
}

TEST_CASE("where systemd leaves the files at a reload, an undo writes what the unit says by then") {
    UnitBench bench;
    bench.peer.leave_files_at_reload();
    SECTION("as before") {
        bench.set("cgroup.memory.high", 500 * mib);
        bench.undo();
        CHECK(bench.file("memory.high") == "max");
        CHECK_FALSE(bench.there("MemoryHigh"));
    }
    SECTION("edited meanwhile") {
        bench.set("cgroup.memory.high", 500 * mib);
        bench.peer.own("MemoryHigh", std::to_string(400 * 1048576));
        bench.undo();
        CHECK(bench.file("memory.high") == std::to_string(400 * 1048576));
        CHECK(bench.told.last("undone").reason.find("says 400MiB now, it said unlimited before") != std::string::npos);
    }
    SECTION("a drop-in that was there before") {
        bench.put_drop_in("system.control", "50-MemoryHigh.conf", "MemoryHigh=419430400");
        bench.file("memory.high", "419430400\n");
        bench.set("cgroup.memory.high", 500 * mib);
        bench.undo();
        CHECK(bench.file("memory.high") == "419430400");
    }
    SECTION("a weight that is not set") {
        bench.set("cgroup.cpu.weight", count(300));
        CHECK(bench.file("cpu.weight") == "300");
        bench.undo();
        CHECK(bench.file("cpu.weight") == "100");
    }
    SECTION("a quota, with the period that the unit has") {
        bench.file("cpu.max", "10000 20000\n");
        bench.peer.own("CPUQuota", "50000 100000");
        bench.set("cgroup.cpu.max", count(1.5));
        bench.file("cpu.max", "30000 20000\n");  // the peer knows no periods
        bench.undo();
        CHECK(bench.file("cpu.max") == "10000 20000");
    }
    SECTION("no quota") {
        bench.set("cgroup.cpu.max", count(1.5));
        bench.undo();
        CHECK(bench.file("cpu.max") == "max 100000");
    }
    SECTION("a list of CPUs") {
        bench.peer.own("AllowedCPUs", "0-1");
        bench.file("cpuset.cpus", "0-1\n");
        bench.set("cgroup.cpuset.cpus", CpuSet({2, 3}));
        CHECK(bench.file("cpuset.cpus") == "2-3");
        bench.undo();
        CHECK(bench.file("cpuset.cpus") == "0-1");
    }
    SECTION("the unit was restarted: its successor began with ours") {
        bench.set("cgroup.memory.high", 500 * mib);
        bench.made_again();
        bench.tick();
        CHECK(bench.told.count("gone") == 1);
        CHECK_FALSE(bench.there("MemoryHigh"));
        CHECK(bench.file("memory.high") == "max");
        return;
    }
    SECTION("the unit was stopped") {
        bench.set("cgroup.memory.high", 500 * mib);
        std::filesystem::rename(bench.options.roots.cgroup2 + place, bench.dir / "removed");
        bench.tick();
        CHECK(bench.told.count("gone") == 1);
        CHECK_FALSE(bench.there("MemoryHigh"));
        return;
    }
    CHECK(bench.told.count("undone") == 1);
    CHECK(bench.peer.reloads() == 1);
}

TEST_CASE("a unit that was made over the bus has its drop-in beside it") {
    UnitBench bench;
    bench.dir.put("systemd/transient/payments.service", "[Service]\n");
    const auto drop_in = find_drop_in(bench.options.roots, "payments.service", memory_high);
    REQUIRE(drop_in);
    CHECK(drop_in->path == bench.dir / "systemd/transient/payments.service.d/50-MemoryHigh.conf");
    CHECK_FALSE(drop_in->text.has_value());
}

TEST_CASE("a drop-in that would win at the next reload lets nothing be set") {
    UnitBench bench;
    bench.put_drop_in("system", "override.conf", " MemoryHigh = 1G");
    bench.set("cgroup.memory.high", 500 * mib);
    CHECK(bench.refusal().find("override.conf") != std::string::npos);
    CHECK(bench.peer.sets() == 0);
    CHECK(bench.file("memory.high") == "max");
}

TEST_CASE("a drop-in that ours comes after, or of another setting, is no hindrance") {
    UnitBench bench;
    bench.put_drop_in("system", "10-memory.conf", "MemoryHigh=1G");
    bench.put_drop_in("system", "override.conf", "MemoryMax=1G");
    bench.put_drop_in("system", "50-MemoryHigh.conf", "MemoryHigh=1G");  // ours has its name and counts more
    bench.put_drop_in("system", "override.conf.bak", "MemoryHigh=1G");
    bench.set("cgroup.memory.high", 500 * mib);
    CHECK(bench.file("memory.high") == "524288000");
}

TEST_CASE("drop-ins of a template, of a prefix and of all services are looked at, too") {
    Temporary dir;
    Roots roots;
    roots.systemd = dir / "systemd";
    std::filesystem::create_directories(dir / "systemd/system");
    const std::string folder = GENERATE(as<std::string>{}, "web-a@.service.d", "web-.service.d", "service.d");
    CHECK(drop_in_objection(roots, "web-a@1.service", memory_high));
    dir.put("systemd/system/" + folder + "/zz.conf", "[Service]\nMemoryHigh=1G\n");
    CHECK_FALSE(drop_in_objection(roots, "web-a@1.service", memory_high));
    CHECK(drop_in_objection(roots, "other.service", memory_high).has_value() == (folder != "service.d"));
}

TEST_CASE("a cgroup that systemd does not know as the unit's is written by its file") {
    CgroupBench bench;
    SystemdPeer peer(bench.dir, "payments.service", "/system.slice/elsewhere.service", "/nowhere");
    peer.answer();
    bench.set("cgroup.memory.high", 500 * mib);
    CHECK(peer.sets() == 0);
    CHECK(bench.file("memory.high") == "524288000");
    bench.undo();
    CHECK(bench.file("memory.high") == "max");
    CHECK(peer.reloads() == 0);
}

TEST_CASE("a systemd that refuses changes nothing, and is quoted") {
    UnitBench bench;
    bench.peer.refuse(true);
    bench.set("cgroup.memory.high", 500 * mib);
    CHECK(bench.file("memory.high") == "max");
    CHECK(bench.told.last("failed").reason.find("Interactive authentication required") != std::string::npos);
}

TEST_CASE("a systemd that is stopped blocks nobody") {
    CgroupBench bench;
    const SystemdPeer peer(bench.dir, "payments.service", place, "/nowhere");
    const auto set = set_unit_property(bench.options.roots, "payments.service", place, memory_high, std::uint64_t{1});
    REQUIRE_FALSE(set);
    CHECK(set.error().code == ETIMEDOUT);
    CHECK(to_string(set.error()).find("does not answer") != std::string::npos);
}

TEST_CASE("a systemd that is not there any more is an error, never a write to the file behind its back") {
    CgroupBench bench;
    std::filesystem::create_directories(bench.dir / "systemd/system");
    bench.set("cgroup.memory.high", 500 * mib);
    CHECK(bench.file("memory.high") == "max");
    CHECK(bench.told.count("applied") == 0);
}

TEST_CASE("when the unit was restarted, its successor does not inherit our drop-in") {
    UnitBench bench;
    bench.set("cgroup.memory.high", 500 * mib);
    bench.made_again();
    bench.peer.daemon_reload();
    CHECK(bench.file("memory.high") == "524288000");
    bench.tick();
    CHECK(bench.engine->live().empty());
    CHECK(bench.told.count("gone") == 1);
    CHECK_FALSE(bench.there("MemoryHigh"));
    CHECK(bench.file("memory.high") == "max");
}

TEST_CASE("what somebody else set after us stays when the unit was restarted") {
    UnitBench bench;
    bench.set("cgroup.memory.high", 500 * mib);
    bench.made_again();
    bench.put_drop_in("system.control", "50-MemoryHigh.conf", "MemoryHigh=734003200");
    bench.tick();
    CHECK(bench.engine->live().empty());
    CHECK(bench.there("MemoryHigh"));
}

TEST_CASE("the successor of a cgroup is not adjusted before what is left of the other is cleared away") {
    UnitBench bench;
    bench.set("cgroup.memory.high", 500 * mib);
    bench.made_again();
    bench.now_seen->cgroups.clear();
    bench.found();
    bench.set("cgroup.memory.high", 600 * mib);
    CHECK(bench.refusal().starts_with("held: adjustment 1"));
    bench.tick();
    bench.clock.advance(std::chrono::hours(1));
    bench.set("cgroup.memory.high", 600 * mib);
    bench.undo();
    CHECK_FALSE(bench.there("MemoryHigh"));
}

TEST_CASE("an undo that ended between the removal of the drop-in and the reload is finished") {
    UnitBench bench;
    bench.set("cgroup.memory.high", 500 * mib);
    std::filesystem::remove(bench.peer.drop_in("MemoryHigh"));
    bench.undo();
    CHECK(bench.file("memory.high") == "max");
    CHECK(bench.peer.reloads() == 1);
}

TEST_CASE("the journal alone is enough to undo what was set for a unit") {
    UnitBench bench;
    bench.put_drop_in("system.control", "50-MemoryHigh.conf", "MemoryHigh=419430400");
    bench.file("memory.high", "419430400\n");
    const std::string before = bench.content("MemoryHigh");
    bench.set("cgroup.memory.high", 500 * mib);
    bench.engine.reset();
    bool running = true;
    const auto outcomes = undo_offline(bench.options, bench.clock, false, running);
    REQUIRE(outcomes);
    CHECK(outcomes->at(0).state == AdjustmentState::undone);
    CHECK(bench.content("MemoryHigh") == before);
    CHECK(bench.file("memory.high") == "419430400");
}

TEST_CASE("a controller that a unit does not need yet is turned on by systemd") {
    UnitBench bench;
    bench.remove("cpu.weight");
    bench.remove("cpu.max");
    bench.remove("pids.max");
    bench.remove("cpuset.cpus");
    bench.set("cgroup.cpu.weight", count(300));
    CHECK(bench.file("cpu.weight") == "300");
    bench.clock.advance(std::chrono::hours(1));
    bench.act(bench.fire("quota", bench.id, {{"cgroup.cpu.max", count(1.5)}}));
    CHECK(bench.file("cpu.max") == "150000 100000");
    CHECK(bench.content("CPUQuota").find("CPUQuota=150%") != std::string::npos);
    bench.act(bench.fire("tasks", bench.id, {{"cgroup.pids.max", count(500)}}));
    CHECK(bench.file("pids.max") == "500");
    bench.act(bench.fire("cpus", bench.id, {{"cgroup.cpuset.cpus", CpuSet({2, 3})}}));
    CHECK(bench.file("cpuset.cpus") == "2-3");
    CHECK(bench.told.count("applied") == 4);
    // As after the undo of the last that needed it.
    const Knob& cpus = *find_knob("cgroup.cpuset.cpus");
    bench.remove("cpuset.cpus");
    CHECK(cpus.read(bench.at("cgroup.cpuset.cpus"))->value == Value(CpuSet()));
}

TEST_CASE("a list of CPUs that systemd leaves behind becomes that of all CPUs") {
    UnitBench bench;
    bench.dir.put("sys/devices/system/cpu/possible", "0-7\n");
    bench.set("cgroup.cpuset.cpus", CpuSet({2, 3}));
    CHECK(bench.file("cpuset.cpus") == "2-3");
    SECTION("the unit has none of its own") {
        bench.undo();  // the peer is not told of the setting, and leaves the file alone at Reload, as systemd has to
        CHECK(bench.file("cpuset.cpus") == "0-7");
    }
    SECTION("an undo is finished that ended before the drop-in was removed") {
        bench.file("cpuset.cpus", "0-7\n");
        bench.undo();
        CHECK(bench.file("cpuset.cpus") == "0-7");
    }
    SECTION("by its own files the unit has the same now") {
        bench.peer.own("AllowedCPUs", "2-3");
        bench.undo();
        CHECK(bench.file("cpuset.cpus") == "2-3");
    }
    CHECK_FALSE(bench.there("AllowedCPUs"));
    CHECK(bench.told.count("undone") == 1);
}

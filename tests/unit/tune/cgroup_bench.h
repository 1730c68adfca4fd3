// A bench with one cgroup in a temporary directory, of which every controller is on.
#pragma once

#include <sys/stat.h>

#include "bench.h"
#include "catch.h"
#include "tune/knob.h"

namespace gotuned::test {

constexpr double mib = 1024.0 * 1024;
constexpr const char* place = "/system.slice/payments.service";

struct CgroupBench : Bench {
    CgroupBench() {
        options.roots.cgroup2 = dir / "cgroup";
        options.roots.sys = dir / "sys";
        dir.put("proc/meminfo", "MemTotal:        8388608 kB\nMemFree: 1 kB\n");
        dir.put("sys/devices/system/cpu/online", "0-7\n");
        file("memory.high", "max\n");
        file("memory.max", "max\n");
        file("memory.low", "0\n");
        file("memory.min", "0\n");
        file("memory.swap.max", "max\n");
        file("memory.swap.current", "0\n");
        file("memory.reclaim", "");
        file("cpu.max", "max 100000\n");
        file("cpu.weight", "100\n");
        file("cpu.max.burst", "0\n");
        file("cpu.stat", "usage_usec 1000\n");
        file("pids.max", "max\n");
        file("pids.current", "40\n");
        file("cpuset.cpus", "\n");
        use(300, 100);
        found();
        start();
    }
    void file(const std::string& name, const std::string& content) const {
        dir.put("cgroup" + std::string(place) + "/" + name, content);
    }
    [[nodiscard]] std::string file(const std::string& name) const {
        return std::string(trim(dir.get("cgroup" + std::string(place) + "/" + name)));
    }
    void remove(const std::string& name) const {
        std::filesystem::remove(dir / ("cgroup" + std::string(place) + "/" + name));
    }
    void use(int current, int inactive) const {
        file("memory.current", std::to_string(current * 1048576) + "\n");
        file("memory.stat",
             "anon 1\nfile 2\ninactive_file " + std::to_string(inactive * 1048576) + "\nactive_file 3\n");
    }
    /// The cgroup that has the place now is seen.
    void found() {
        struct stat status{};
        REQUIRE(::stat((options.roots.cgroup2 + place).c_str(), &status) == 0);
        id = CgroupId{status.st_ino};
        auto state = std::make_shared<CgroupState>();
        state->id = id;
        state->path = place;
        now_seen->cgroups[id] = state;
    }
    /// The cgroup is removed, and another is made under its name with the same files.
    void made_again() {
        const std::string path = options.roots.cgroup2 + place;
        // Moved away, not removed: else the new one could get its inode.
        std::filesystem::rename(path, dir / "removed");
        std::filesystem::create_directories(path);
        std::filesystem::copy(dir / "removed", path);
    }
    void set(const std::string& knob, const Value& to) { act(fire("memory", id, {{knob, to}})); }
    void set(const std::string& knob, double to) { set(knob, Value(bytes(to))); }
    [[nodiscard]] KnobAt at(const std::string& knob) const { return {options.roots, knob, id, place}; }
    CgroupId id{};
};

}  // namespace gotuned::test

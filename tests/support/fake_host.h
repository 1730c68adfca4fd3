// A whole fake host in a temporary tree: PROC with processes, a cgroup v2 mount, and the files of the host.
#pragma once

#include <fmt/format.h>
#include <sys/stat.h>

#include <memory>
#include <string>

#include "base/files.h"
#include "discover/go_process.h"
#include "fake_tree.h"

namespace gotuned {

class FakeHost {
public:
    FakeHost() {
        tree.write("sys/devices/system/cpu/online", "0-1\n");
        tree.write("proc/sys/kernel/random/boot_id", "5e0d3c1f-0000-4000-8000-000000000001\n");
        tree.write("proc/sys/kernel/osrelease", "6.1.0-fake\n");
        tree.write("proc/meminfo",
                   "MemTotal:  4096 kB\nMemAvailable:    1024 kB\nSwapTotal:   100 kB\nSwapFree:   60 kB\n");
        tree.write("proc/vmstat", "pswpin 0\npswpout 0\n");
        tree.write("proc/stat", "cpu  100 0 100 800 0 0 0 0 0 0\nctxt 1000\n");
        tree.write("proc/pressure/memory",
                   "some avg10=1.00 avg60=0.00 avg300=0.00 total=0\n"
                   "full avg10=0.50 avg60=0.00 avg300=0.00 total=0\n");
        tree.write("proc/pressure/cpu", "some avg10=2.00 avg60=0.00 avg300=0.00 total=0\n");
        tree.write("proc/cgroups", "#subsys_name\thierarchy\tnum_cgroups\tenabled\nmemory\t0\t1\t1\ncpu\t0\t1\t1\n");
        tree.directory("cgroup");
    }
    FakeTree tree{};

    [[nodiscard]] Roots roots() const { return {tree.path("proc"), tree.path("sys"), tree.path("cgroup")}; }

    /// A process with 3 descriptors; the start time tells it from others with its pid.
    std::shared_ptr<const GoProcess> process(pid_t pid, std::uint64_t start_ticks = 100,
                                             std::string cgroup = {}) const {
        write_process(pid, start_ticks);
        GoProcess process;
        process.id = ProcessId{pid, start_ticks, 0};
        process.exe = "/usr/bin/server";
        process.build.version = "go1.22.3";
        if (!cgroup.empty()) {
            process.cgroup_inode = inode("cgroup" + cgroup);
            process.cgroup = std::move(cgroup);
        }
        return std::make_shared<const GoProcess>(process);
    }
    void write_process(pid_t pid, std::uint64_t start_ticks, int cpu_ticks = 100, int threads = 5) const {
        const std::string folder = fmt::format("proc/{}/", pid);
        tree.write(folder + "stat", fmt::format("{} (server) S 1 1 1 0 -1 0 0 0 0 0 {} 0 0 0 20 0 {} 0 {} 0 0\n", pid,
                                                cpu_ticks, threads, start_ticks));
        tree.write(folder + "status",
                   fmt::format("Name:\tserver\nState:\tS (sleeping)\nUid:\t1000\t1000\t1000\t1000\nVmRSS:\t100 kB\n"
                               "RssAnon:\t60 kB\nRssFile:\t30 kB\nRssShmem:\t10 kB\nVmSwap:\t0 kB\nThreads:\t{}\n"
                               "Cpus_allowed_list:\t0-7\n",
                               threads));
        tree.write(folder + "limits",
                   "Max processes             100                  unlimited            processes \n"
                   "Max open files            1024                 4096                 files     \n");
        for (const char* fd : {"0", "1", "2"}) tree.write(folder + "fd/" + fd, "");
    }
    /// A cgroup with all controllers. `usage` is its CPU time in µs.
    void write_cgroup(const std::string& path, std::uint64_t usage = 1) const {
        const std::string folder = "cgroup" + path + "/";
        tree.write(folder + "cgroup.controllers", "cpuset cpu io memory pids\n");
        tree.write(folder + "memory.current", "1000000\n");
        tree.write(folder + "memory.high", "max\n");
        tree.write(folder + "memory.max", "4000000\n");
        tree.write(folder + "memory.low", "0\n");
        tree.write(folder + "memory.min", "0\n");
        tree.write(folder + "memory.swap.current", "4096\n");
        tree.write(folder + "memory.stat",
                   "anon 500000\nfile 400000\nkernel 100\nsock 200\nshmem 300\ninactive_file 250000\n"
                   "workingset_refault_anon 10\nworkingset_refault_file 20\n");
        tree.write(folder + "memory.events", "low 0\nhigh 5\nmax 6\noom 0\noom_kill 1\n");
        tree.write(folder + "memory.pressure",
                   "some avg10=10.00 avg60=0.00 avg300=0.00 total=1000000\n"
                   "full avg10=5.00 avg60=0.00 avg300=0.00 total=0\n");
        tree.write(folder + "cpu.pressure", "some avg10=3.00 avg60=0.00 avg300=0.00 total=0\n");
        tree.write(folder + "io.pressure",
                   "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
                   "full avg10=4.00 avg60=0.00 avg300=0.00 total=0\n");
        tree.write(folder + "cpu.max", "150000 100000\n");
        tree.write(folder + "cpu.stat", fmt::format("usage_usec {}\nnr_periods 100\nnr_throttled 10\n", usage));
        tree.write(folder + "pids.current", "12\n");
        tree.write(folder + "pids.max", "max\n");
    }
    /// No thread of the cgroup waited for anything of late: its pressure is zero.
    void calm(const std::string& name) const {
        for (const char* file : {"memory.pressure", "cpu.pressure", "io.pressure"})
            tree.write("cgroup" + name + "/" + file,
                       "some avg10=0.00 avg60=0.00 avg300=0.00 total=1000000\n"
                       "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n");
    }
    [[nodiscard]] std::uint64_t inode(const std::string& name) const {
        struct stat status{};
        return ::stat(tree.path(name).c_str(), &status) == 0 ? status.st_ino : 0;
    }
};

}  // namespace gotuned

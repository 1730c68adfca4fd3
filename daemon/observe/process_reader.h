// Reads one process below PROC: threads, memory, descriptors, limits, CPU time and affinity.
#pragma once

#include <cstdint>

#include "base/files.h"
#include "base/target.h"
#include "observe/counter.h"
#include "observe/held_directory.h"
#include "observe/proc_files.h"
#include "observe/snapshot.h"

namespace gotuned {

/// Everything of one reading; `status` and the others are as absent as their files.
struct ProcessFiles {
    Reading<std::uint64_t> cpu_time_ns{};
    bool cpu_clock = false;  ///< cpu_time_ns is of process_cpu_time(), else of the stat file
    std::uint64_t major_faults = 0;
    ProcStatus status{};
    Reading<std::uint64_t> descriptors{};
    Reading<Limit> nofile{};
    Reading<Limit> nproc{};
};

/// Absent when the process is not there any more, is another one (start time, executed file), or cannot be opened.
Reading<ProcessFiles> read_process(const Roots& roots, const ProcessId& id);

/// CPU time of all threads, those that ended included, in nanoseconds: the process's CPU-time clock
/// (clock_getcpuclockid(3)). It is finer than utime + stime (10 ms) and complete, which /proc/PID/schedstat is
/// not: that one is the first thread's alone. Lags by a scheduler tick at most. Absent: vanished.
Reading<std::uint64_t> process_cpu_time(pid_t pid);

/// Open descriptors: since 6.2 the size of /proc/PID/fd says it; before, its entries are counted.
Reading<std::uint64_t> count_descriptors(const HeldDirectory& process);

/// Sets threads, mem, fd, nproc.limit and cpu.allowed (within `online`).
void set_process_signals(SignalTable& table, const ProcessFiles& files, const Reading<CpuSet>& online);
/// All of them, and nproc.used, cpu.usage, fault.major.rate, mem.offheap and cpu.gomaxprocs_excess, absent for one
/// reason.
void set_process_absent(SignalTable& table, const Absent& why);

}  // namespace gotuned

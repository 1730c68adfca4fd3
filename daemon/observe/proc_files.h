// Parsers of the files below /proc/PID (proc(5)). Each takes the file's text, so that a torn or hostile one is a test
// case.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/reading.h"
#include "base/time.h"
#include "base/value.h"

namespace gotuned {

/// /proc/PID/stat, behind the command name (which may hold blanks and parentheses). Absent: malformed.
struct ProcStat {
    char state = '?';
    std::uint64_t start_ticks = 0;
    std::uint64_t major_faults = 0;  ///< of all threads, those that ended included
    Duration cpu_time{};             ///< utime + stime of all threads, those that ended included; in steps of 10 ms
};
Reading<ProcStat> parse_proc_stat(std::string_view text);

/// /proc/PID/status. A process without memory of its own (a zombie) has no mem values: vanished.
struct ProcStatus {
    Reading<std::uint64_t> uid{};  ///< real
    Reading<std::uint64_t> threads{};
    Reading<std::uint64_t> rss{}, anon{}, file{}, shmem{}, swap{};  ///< bytes
    /// Of the first thread, offline CPUs included.
    Reading<CpuSet> cpus_allowed{};
};
ProcStatus parse_proc_status(std::string_view text);

/// One line of /proc/PID/limits; "unlimited" is unlimited.
struct Limit {
    Quantity soft{};
    Quantity hard{};
};
Reading<Limit> parse_limit(std::string_view text, std::string_view name);

}  // namespace gotuned

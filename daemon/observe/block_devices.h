// The block devices of the host: how long a request takes, how many are under way, how much of the time any was
// (/proc/diskstats, Documentation/admin-guide/iostats.rst). Of the kernel's own counters, which are kept anyway: a
// tracepoint a request would tell no more of the mean, and cost every request of the host.
#pragma once

#include <map>
#include <string>

#include "base/files.h"
#include "observe/counter.h"
#include "observe/snapshot.h"

namespace gotuned {

/// One line of the file. Requests are reads, writes, discards and flushes, as far as the kernel counts them.
struct DiskCounts {
    std::string name{};
    std::uint64_t requests = 0;   ///< completed
    std::uint64_t waited_ms = 0;  ///< what they took, added up
    std::uint64_t inflight = 0;
    std::uint64_t busy_ms = 0;  ///< time in which any was under way
};
/// Absent: malformed.
Reading<DiskCounts> parse_diskstats_line(std::string_view line);

class BlockDevices {
public:
    /// So many are told at most: those that come first in the kernel's table.
    static constexpr std::size_t most = 64;

    /// Sets host.block.… by device: whole disks that were ever used, no partitions. Absent, by device: not_observed
    /// (the first reading), no_data (await without a request). When the file cannot be read the signals are absent as a
    /// whole.
    void read(HostState& host, const Roots& roots, MonoTime now);

private:
    struct Device {
        Counter requests{}, waited{}, busy{};
        bool seen = false;
    };
    std::map<std::string, Device> devices_{};
};

}  // namespace gotuned

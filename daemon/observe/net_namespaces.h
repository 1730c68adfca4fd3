// What the kernel counts by network namespace and not by process. Each namespace is read once a tick, through whichever
// of its processes asks first.
#pragma once

#include <cstdint>
#include <map>
#include <string_view>

#include "base/files.h"
#include "observe/counter.h"
#include "observe/snapshot.h"

namespace gotuned {

class NetNamespaces {
public:
    explicit NetNamespaces(Roots roots) : roots_(std::move(roots)) {}

    /// Which one a process is in: the inode of PROC/PID/ns/net. Absent: vanished, not_permitted.
    [[nodiscard]] Reading<std::uint64_t> of(pid_t pid) const;
    /// Datagrams dropped in the whole namespace because a receive buffer was full, a second, IPv4 and IPv6 together.
    SignalReading udp_rcvbuf_errors(std::uint64_t inode, pid_t pid, MonoTime now);
    /// Forgets those that nobody asked for since the last call.
    void end_tick();

private:
    struct Space {
        Counter dropped{};
        SignalReading last{};
        MonoTime read_at{};
        bool read = false;
        bool in_use = false;
    };
    Roots roots_;
    std::map<std::uint64_t, Space> spaces_{};
};

/// From /proc/PID/net/snmp, whose header lines name the columns. Absent: not_supported (no such column), malformed.
Reading<std::uint64_t> parse_udp_rcvbuf_errors(std::string_view snmp);

}  // namespace gotuned

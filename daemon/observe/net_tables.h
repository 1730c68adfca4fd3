// The tables below /proc/net of counters and of sockets in use (proc_net(5)), of the daemon's own network namespace.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/reading.h"

namespace gotuned {

/// /proc/net/netstat and /proc/net/snmp: a line of names and a line of numbers, both behind "TcpExt:".
/// Absent: not_supported (no such table or name on this kernel), malformed.
Reading<std::uint64_t> net_counter(std::string_view text, std::string_view table, std::string_view name);

/// /proc/net/sockstat: "TCP: inuse 5 orphan 0 tw 3 alloc 7 mem 1". Absent: as above.
Reading<std::uint64_t> socket_number(std::string_view text, std::string_view protocol, std::string_view name);

}  // namespace gotuned

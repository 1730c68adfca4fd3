// What the daemon itself takes beside a saturated server, at default settings: a real one is started and looked at.
#pragma once

#include <cstdint>
#include <string>

#include "load.h"

namespace gotuned::bench {

struct DaemonCost {
    double cpu_ratio = 0;      ///< its CPU time, its children's too, divided by the server's
    double window_share = 0;   ///< share of the time in which the system-call windows were open, by its own metrics
    double sockets_share = 0;  ///< share of the time in which arrivals at sockets were seen, by the same
    double cpu_cores = 0;      ///< its CPU time a second
};

struct DaemonPaths {
    std::string gotuned{};
    std::string config{};  ///< the repository's config/
    std::string folder{};  ///< for its run and state directories
};

/// A port of the loopback interface that was free a moment ago.
std::uint16_t free_port();
/// GET `path`: the whole answer, with its head.
Result<std::string> ask(std::uint16_t port, const std::string& path);
/// CPU time of a process and of its waited-for children, in clock ticks' resolution.
Result<Duration> cpu_with_children(pid_t pid);

/// Starts it, lets it measure what its probes cost, then looks for `duration`.
Result<DaemonCost> daemon_cost(const DaemonPaths& paths, Load& load, Duration duration);

}  // namespace gotuned::bench

// The saturated Go HTTP server that everything is measured on: what it got done, and with how much CPU time.
#pragma once

#include <string>

#include "base/target.h"
#include "child.h"

namespace gotuned::bench {

/// Of one slice.
struct Rate {
    double per_cpu_second = 0;  ///< requests a second of the server's CPU time
    double per_second = 0;      ///< requests a second
};

struct Load {
    Child server;
    Child wrk;
    SharedCount requests;
    ProcessId id{};

    /// Sleeps for `slice` and says what the server did in it. Errors: the server or wrk is gone.
    Result<Rate> measure(Duration slice);
};

/// Starts `server -count FILE` on a free loopback port and `wrk -t1 -c32` against it.
Result<Load> start_load(const std::string& server, const std::string& count_file);

/// pid, start time and exe of a running process, as the daemon names it.
Result<ProcessId> identify(pid_t pid);

}  // namespace gotuned::bench

// TCP and connection tracking of the host: what is dropped before any program sees it, and how near the limits are.
// Everything is of the daemon's own network namespace, which is the host's unless the daemon runs in a container.
#pragma once

#include "base/files.h"
#include "observe/counter.h"
#include "observe/snapshot.h"

namespace gotuned {

class HostNetwork {
public:
    /// Sets host.tcp.… and host.conntrack.…. Absent: not_supported (no connection tracking is loaded, a counter that
    /// this kernel does not have), malformed.
    void read(SignalTable& table, const Roots& roots, MonoTime now);

private:
    Counter overflows_{}, syn_drops_{};
};

}  // namespace gotuned

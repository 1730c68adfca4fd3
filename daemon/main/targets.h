// What people call targets: resolves TARGET of a command line (a pid, a service, a unit, a cgroup path, "host")
// against a Snapshot, and names a TargetId for them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "observe/snapshot.h"

namespace gotuned {

/// All targets meant: a service is its processes and their cgroups. Error: nothing of that name, with the nearest one.
Result<std::vector<TargetId>> resolve_target(std::string_view text, const Snapshot& snapshot);

/// "payments pid 4711", "cgroup /system.slice/x.service", "host". A target that left: its identity.
std::string describe_target(const TargetId& target, const Snapshot& snapshot);

}  // namespace gotuned

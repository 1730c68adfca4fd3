// Which CPUs a process may use, and which of them are near each other: what pack(n) and spread(n) choose by.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/files.h"
#include "base/result.h"
#include "base/value.h"
#include "rulebook/rulebook.h"

namespace gotuned {

/// The CPUs of a process's cpuset that are online (cgroup v2, v1, or all online CPUs where it is in none).
Result<CpuSet> allowed_cpus(const Roots& roots, pid_t pid);

/// pack(n): n of the allowed CPUs that share the most cache; spread(n): n that share the least. All of them when
/// there are not so many. Near is what SYS/devices/system/cpu/cpu*/cache says: CPUs are the nearer the more caches they
/// share.
CpuSet choose_cpus(const Roots& roots, const CpuSet& allowed, const Adjust::Placement& placement);

}  // namespace gotuned

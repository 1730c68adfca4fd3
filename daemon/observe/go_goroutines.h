// Where a process's goroutines can be looked into by uprobes: what the probe room asks for, from the executable's
// symbols and the layout of its release.
#pragma once

#include <string_view>

#include "discover/go_process.h"
#include "probe/probes.h"

namespace gotuned {

/// `version` as the executable or its memory tells it. Absent, not_supported: stripped, an unknown release, one before
/// Go 1.17 (arguments on the stack), another machine than x86-64.
Reading<GoroutineTarget> goroutine_target(const GoProcess& process, std::string_view version);

}  // namespace gotuned

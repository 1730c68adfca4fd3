// What the log says at start of probes that are not attached: a line for each reason, not for each probe.
#pragma once

#include <string>
#include <vector>

#include "probe/probes.h"

namespace gotuned {

/// Nothing when all are attached. When none is, what that means for the daemon as well.
std::vector<std::string> probe_summary(const std::vector<ProbeReport>& reports);

}  // namespace gotuned

// What the probes take from the watched processes' own CPU time, by what their signals say they did. Used by the tick
// for the budget governor; reads nothing itself.
#pragma once

#include "observe/snapshot.h"
#include "probe/governor.h"

namespace gotuned {

/// Of the process that they take most from. Processes that used less than a twentieth of a CPU do not count: what is
/// taken from them, nobody misses, and a few events weigh much in it.
ProcessCosts dearest_process(const Snapshot& snapshot, const ProbeCosts& costs);

/// Where the costs cannot be measured: what all watched processes did, at the assumed cost of each event.
ProbeCosts complete(ProbeCosts costs, const Snapshot& snapshot);

}  // namespace gotuned

// How many targets of a Snapshot lack a signal, and why.
#pragma once

#include <cstddef>
#include <map>
#include <utility>

#include "observe/snapshot.h"

namespace gotuned {

/// Processes that ended in it are left out; of a signal that there is one of each (disk, interrupt) it counts when none
/// could be read.
std::map<std::pair<Signal, Absence>, std::size_t> absences_of(const Snapshot& snapshot);

}  // namespace gotuned

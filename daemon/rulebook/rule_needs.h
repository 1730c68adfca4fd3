// What a rule's expressions read.
#pragma once

#include "rulebook/rulebook.h"

namespace gotuned {

/// All of its expressions together.
Expression::Needs needs_of(const Rule& rule);

/// Whether what comes out of it follows from the target's own state in the Snapshot and from its host_parts(): while
/// these are the same, so is what comes out, of one that reaches_back() as soon as its series are settled. (Of one that
/// compares the target with the host only as long as it does not come to that.)
bool follows_from_state(const Rule& rule);
/// Whether some of its expressions are about more than one Snapshot: avg, rate, p99(…, 1m).
bool reaches_back(const Rule& rule);

}  // namespace gotuned

// What a rule's expressions read.
#pragma once

#include "rulebook/rulebook.h"

namespace gotuned {

/// All of its expressions together.
Expression::Needs needs_of(const Rule& rule);

/// Whether all that it reads is the target's own state in the Snapshot, and nothing has to be remembered from one to
/// the next: while that state is the same, so is what comes out.
bool follows_from_state(const Rule& rule);

}  // namespace gotuned

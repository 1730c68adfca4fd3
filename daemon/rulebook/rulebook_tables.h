// The tables of a rulebook file and of a profile: every key that operators may write, in one place.
#pragma once

#include "rulebook/table.h"

namespace gotuned {

/// A file of rulebook.d.
const Table& rulebook_table();
/// profiles/NAME.yaml: nothing but overrides.
const Table& profile_table();

}  // namespace gotuned

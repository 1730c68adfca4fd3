// Least power: gives up every capability that no room needs, for good (bounding set, too).
#pragma once

#include "base/result.h"

namespace gotuned {

/// Keeps what is granted of the list in capabilities.cpp (each with its reason) and drops the rest from the
/// permitted, effective, inheritable, ambient and bounding sets (capabilities(7)). Never adds one.
Status drop_capabilities();

}  // namespace gotuned

// Opens a file of another user for writing as that user: what a root without CAP_DAC_OVERRIDE can do, and no more than
// it needs. The descriptor is then written to as root, with root's capabilities.
#pragma once

#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace gotuned {

/// Of the calling thread alone, and only for the time of one open(2) (setfsuid(2)). Errors: those of open(2), EACCES
/// also when the thread has neither CAP_DAC_OVERRIDE nor CAP_SETUID.
Result<Fd> open_as_owner(const std::string& path, int flags);

}  // namespace gotuned

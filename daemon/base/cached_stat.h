// What the kernel knows of a file without asking anybody: for the loop, which must not wait for a server that is dead.
#pragma once

#include <sys/stat.h>

#include <string>

#include "base/result.h"

namespace gotuned {

/// stat(2), by what is in the kernel's memory: a file of NFS or FUSE answers, too, when its server does not (statx(2),
/// AT_STATX_DONT_SYNC). `directory` and `path` as for openat(2); follows links. Fills in device, inode, mode, size and
/// time of modification, which of such a file may be old; of any other they are what stat(2) says.
Result<struct stat> cached_stat(int directory, const std::string& path);

}  // namespace gotuned

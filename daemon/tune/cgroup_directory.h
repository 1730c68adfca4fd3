// A cgroup held by its directory: a cgroup that was removed and made again under the same name is another one.
#pragma once

#include <string>

#include "base/fd.h"
#include "base/files.h"
#include "base/result.h"
#include "base/target.h"

namespace gotuned {

/// Opens the directory of a cgroup below roots.cgroup2 and checks its inode.
/// Errors: ENOENT when it is gone or another has its name; ENOTSUP when there is no unified hierarchy.
Result<Fd> open_cgroup(const Roots& roots, const CgroupId& cgroup, const std::string& place);

/// Writes to an existing file of that directory with one write(2).
Status write_cgroup_file(int directory, const std::string& name, const std::string& content);

}  // namespace gotuned

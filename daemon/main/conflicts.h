// Who else sets what our rules may set: files of sysctl.d(5) and other tuners. Found when a rulebook is loaded, logged
// and shown in `gotunectl status`; decides nothing.
#pragma once

#include <string>
#include <vector>

#include "base/files.h"
#include "rulebook/rulebook.h"

namespace gotuned {

/// Where sysctl.d's directories are: "" on a host, a tree of its own in a test.
struct ConflictRoots {
    std::string proc = "/proc";
    std::string files{};
};

/// One line for people each: sysctls that an enforced rule sets and a file, too; TuneD and bpftune when they run.
std::vector<std::string> find_conflicts(const Rulebook& rulebook, const ConflictRoots& roots);

}  // namespace gotuned

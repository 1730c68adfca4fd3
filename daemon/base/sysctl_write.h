// A write to a sysctl by somebody else, as the kernel saw it. Whether it took effect is for the reader to look.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace gotuned {

/// Text comes from strangers: it is cleaned where it is shown. Long values are cut off.
struct SysctlWrite {
    std::string path{};  ///< below /proc/sys: "vm/swappiness"
    std::string from{}, to{};
    std::string command{};  ///< name of the program, at most 15 characters
    std::string cgroup{};   ///< last part of its cgroup: mostly the unit; empty: of the root
    pid_t pid = 0;
    uid_t uid = 0;
    std::uint64_t net_namespace = 0;  ///< inode: whose net/… was written
};

}  // namespace gotuned

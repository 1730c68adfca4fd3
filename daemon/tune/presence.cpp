#include <cerrno>

#include "tune/block_device.h"
#include "tune/cgroup_directory.h"
#include "tune/knob.h"
#include "tune/net_namespace.h"
#include "tune/process.h"

namespace gotuned {

Presence presence(const Roots& roots, const TargetId& target, const std::string& place) {
    if (const auto* process = std::get_if<ProcessId>(&target)) {
        const auto held = HeldProcess::open(roots.proc, *process);
        // Only "there is none" is gone. That a process could not be looked at (no descriptors left) is no reason to
        // forget it.
        if (!held && held.error().code != ESRCH) return Presence::there;
        if (!held) return net_lives_on(roots, place) ? Presence::outlived : Presence::gone;
        const auto inode = exe_inode(roots.proc, process->pid);
        if (inode && process->exe_inode != 0 && *inode != process->exe_inode) return Presence::replaced;
        return Presence::there;
    }
    if (const auto* cgroup = std::get_if<CgroupId>(&target)) {
        const auto directory = open_cgroup(roots, *cgroup, place);
        if (!directory) return directory.error().code == ENOENT ? Presence::gone : Presence::there;
    }
    if (std::holds_alternative<HostId>(target)) return disk_presence(roots.sys, place);
    return Presence::there;
}

}  // namespace gotuned

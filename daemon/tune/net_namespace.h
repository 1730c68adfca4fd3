// The network namespace of a process, for sysctls that each namespace has for itself. Entered by a thread that is made
// for it and ends in it: no other thread of the daemon ever leaves the namespace it was started in.
//
// A place is "net:INODE:COOKIE". Inodes of namespaces are used again, cookies never in a boot (SO_NETNS_COOKIE,
// Linux 5.14; before it 0, and the inode alone must do).
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "tune/knob.h"

namespace gotuned {

/// Where the sysctls of a process are. Errors: EINVAL when it is in our own namespace, where they are the host's;
/// ESRCH; EPERM without CAP_SYS_ADMIN, with what to do about it.
Result<std::string> net_place(const Roots& roots, const ProcessId& process);
bool is_net_place(const std::string& place);
/// The inode of a place, as text.
std::string net_inode(const std::string& place);

/// Runs `work` in the namespace of a place: that of the process, or of any other that is in it when that has ended, or
/// of a name in /run/netns. Errors: ENOENT when nobody is in it any more; EPERM as above; what `work` says.
Status inside_net(const Roots& roots, const TargetId& target, const std::string& place,
                  const std::function<Status()>& work);

/// Whether the namespace can still be found without the process.
bool net_lives_on(const Roots& roots, const std::string& place);

/// Whether namespaces can be entered at all.
KnobAbility net_ability();

}  // namespace gotuned

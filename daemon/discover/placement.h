// Where a process lives, from the text of /proc/PID/cgroup alone: cgroup path, systemd unit, container, pod.
// Pure functions; the names are those that systemd, the container engines and kubelet give to cgroups.
#pragma once

#include <string>
#include <string_view>

namespace gotuned {

struct Placement {
    std::string cgroup{};  ///< path in the unified hierarchy, else in name=systemd; raw bytes, for opening files
    bool unified = false;  ///< `cgroup` is of the unified hierarchy and can be looked up below its mount
    std::string unit{};    ///< innermost .service or .scope of the host's systemd, by systemd's own name (\x2d stays)
    std::string container{};  ///< 64 hex digits, or the name with LXC and systemd-nspawn
    std::string pod{};        ///< pod uid, with its dashes
};

/// `text` is /proc/PID/cgroup (cgroups(7)). What cannot be understood leaves fields empty.
Placement parse_placement(std::string_view text);

/// Unit, container and pod of one cgroup path.
Placement place(std::string_view path);

/// The path is below a user's manager (user@1000.service/…).
bool in_user_manager(std::string_view path);

/// systemd's escaping undone: "a\x2db" is "a-b". What is no valid escape stays.
std::string unescape_unit(std::string_view name);

}  // namespace gotuned

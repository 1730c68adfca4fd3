// Targets: what a rule is evaluated for and a knob is turned on. An identity survives neither a reused pid
// nor a recreated cgroup nor a reboot: a mismatch makes an entry void, never a wrong write.
#pragma once

#include <sys/types.h>

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace gotuned {

/// The whole machine.
struct HostId {
    friend auto operator<=>(const HostId&, const HostId&) = default;
};

/// A cgroup by its inode in the unified hierarchy (what a recreated path does not share).
struct CgroupId {
    std::uint64_t inode = 0;
    friend auto operator<=>(const CgroupId&, const CgroupId&) = default;
};

/// A process by pid, start time and the inode of what it executes: exec(2) keeps pid and start time.
struct ProcessId {
    pid_t pid = 0;                  ///< thread group id, in the daemon's pid namespace
    std::uint64_t start_ticks = 0;  ///< field 22 of /proc/PID/stat, clock ticks since boot (proc(5))
    std::uint64_t exe_inode = 0;    ///< st_ino of /proc/PID/exe
    friend auto operator<=>(const ProcessId&, const ProcessId&) = default;
};

/// A total order and equality come with std::variant, so a TargetId is a map key.
using TargetId = std::variant<HostId, CgroupId, ProcessId>;

/// Exact and reversible: "host", "cgroup:INODE", "process:PID:START:EXE".
std::string to_string(const TargetId& target);
/// False when the text was not written by to_string(); `out` is then unchanged.
bool parse_target(std::string_view text, TargetId& out);

enum class Scope : std::uint8_t { host, cgroup, process };
std::string_view to_string(Scope scope);
Scope scope_of(const TargetId& target);

}  // namespace gotuned

#include "base/target.h"

#include <fmt/format.h>

#include "base/files.h"
#include "base/text.h"

namespace gotuned {

std::string to_string(const TargetId& target) {
    if (const auto* cgroup = std::get_if<CgroupId>(&target)) return fmt::format("cgroup:{}", cgroup->inode);
    if (const auto* process = std::get_if<ProcessId>(&target))
        return fmt::format("process:{}:{}:{}", process->pid, process->start_ticks, process->exe_inode);
    return "host";
}

bool parse_target(std::string_view text, TargetId& out) {
    if (text == "host") {
        out = HostId{};
        return true;
    }
    const auto parts = split(text, ':');
    std::uint64_t first = 0;
    if (parts.size() == 2 && parts[0] == "cgroup" && parse_u64(parts[1], first)) {
        out = CgroupId{first};
        return true;
    }
    std::uint64_t start = 0;
    std::uint64_t exe = 0;
    if (parts.size() == 4 && parts[0] == "process" && parse_u64(parts[1], first) && first <= INT32_MAX &&
        parse_u64(parts[2], start) && parse_u64(parts[3], exe)) {
        out = ProcessId{static_cast<pid_t>(first), start, exe};
        return true;
    }
    return false;
}

std::string_view to_string(Scope scope) {
    switch (scope) {
        case Scope::host:
            return "host";
        case Scope::cgroup:
            return "cgroup";
        case Scope::process:
            return "process";
    }
    return "unknown";
}

Scope scope_of(const TargetId& target) {
    if (std::holds_alternative<CgroupId>(target)) return Scope::cgroup;
    if (std::holds_alternative<ProcessId>(target)) return Scope::process;
    return Scope::host;
}

}  // namespace gotuned

#include "main/targets.h"

#include <fmt/format.h>

#include <set>

#include "base/files.h"
#include "base/text.h"

namespace gotuned {

Result<std::vector<TargetId>> resolve_target(std::string_view text, const Snapshot& snapshot) {
    if (text == "host") return std::vector<TargetId>{HostId{}};
    if (text.empty()) return fail("no target was named", 0, {}, "name a pid, a service, a unit, a cgroup path or host");
    if (TargetId exact; parse_target(text, exact)) return std::vector<TargetId>{exact};
    std::uint64_t pid = 0;
    const bool number = parse_u64(text, pid);
    std::set<TargetId> found;
    std::vector<std::string_view> names{"host"};
    for (const auto& [id, state] : snapshot.processes) {
        if (state->exited) continue;
        const GoProcess& process = *state->process;
        if (number ? static_cast<std::uint64_t>(id.pid) == pid : state->service == text || process.unit == text) {
            found.insert(id);
            if (const CgroupState* cgroup = snapshot.cgroup_of(*state); cgroup != nullptr && !number)
                found.insert(cgroup->id);
        }
        names.push_back(state->service);
    }
    for (const auto& [id, cgroup] : snapshot.cgroups) {
        if (cgroup->path == text) found.insert(id);
        names.push_back(cgroup->path);
    }
    if (!found.empty()) return std::vector<TargetId>(found.begin(), found.end());
    if (number) return fail(fmt::format("no Go process has pid {}", pid), 0, {}, "gotunectl status lists them");
    const std::string near = nearest(text, names);
    return fail(fmt::format("no target is called '{}'", clean_text(text)), 0, {},
                near.empty() ? "name a pid, a service, a unit, a cgroup path or host"
                             : "did you mean " + clean_text(near) + "?");
}

std::string describe_target(const TargetId& target, const Snapshot& snapshot) {
    if (const auto* process = std::get_if<ProcessId>(&target)) {
        const auto found = snapshot.processes.find(*process);
        if (found != snapshot.processes.end())
            return fmt::format("{} pid {}", clean_text(found->second->service), process->pid);
        return fmt::format("pid {}", process->pid);
    }
    if (const auto* cgroup = std::get_if<CgroupId>(&target)) {
        const auto found = snapshot.cgroups.find(*cgroup);
        return found != snapshot.cgroups.end() ? "cgroup " + clean_text(found->second->path)
                                               : fmt::format("cgroup {}", cgroup->inode);
    }
    return "host";
}

}  // namespace gotuned

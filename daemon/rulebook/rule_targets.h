// Who a rule is evaluated for in one Snapshot, and why not the others. Made once an evaluation: it remembers which
// processes match which target definition.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "rulebook/rulebook.h"

namespace gotuned {

class RuleTargets {
public:
    RuleTargets(const Rulebook& rulebook, const Snapshot& snapshot) : rulebook_(rulebook), snapshot_(snapshot) {}

    /// Good for as long as this lives: rules of one scope and the same targets share it.
    const std::vector<TargetId>& of(const Rule& rule);
    /// Empty when it is one of them; else "opted out by environment", "does not match: not in targets [payments]", …
    std::string why_not(const Rule& rule, const TargetId& target);
    /// The target definition whose metrics page app() reads for this target; empty when the rule reads none.
    std::string page_of(const Rule& rule, const TargetId& target);
    /// A process that has ended.
    [[nodiscard]] bool left(const TargetId& target) const;
    /// Of a cgroup, or of the one that a process is in; 0: none.
    [[nodiscard]] std::uint64_t cgroup_inode(const TargetId& target) const;
    /// One is the other or lies within it: a process in its cgroup, everything in the host.
    [[nodiscard]] bool overlap(const TargetId& a, const TargetId& b) const;

private:
    [[nodiscard]] const ProcessState* process(const ProcessId& id) const;
    /// Matches one of the rule's targets; opting out is not looked at.
    bool matched(const Rule& rule, const ProcessId& id);
    const std::set<ProcessId>& members(const std::string& definition);
    [[nodiscard]] std::vector<TargetId> find(const Rule& rule);

    const Rulebook& rulebook_;
    const Snapshot& snapshot_;
    std::map<std::string, std::set<ProcessId>> members_{};
    std::map<std::pair<Scope, std::vector<std::string>>, std::vector<TargetId>> found_{};
};

}  // namespace gotuned

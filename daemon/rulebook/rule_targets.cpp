#include "rulebook/rule_targets.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "rulebook/evaluator.h"

namespace gotuned {
namespace {

bool alive(const ProcessState& state) { return !state.exited && state.process != nullptr; }

std::string opted_out(const GoProcess& process) {
    return process.opt_out_source.empty() ? "opted out" : "opted out by " + process.opt_out_source;
}

std::string not_in_targets(const Rule& rule) {
    if (rule.targets.empty()) return "does not match";
    return fmt::format("does not match: not in targets [{}]", fmt::join(rule.targets, ", "));
}

}  // namespace

const ProcessState* RuleTargets::process(const ProcessId& id) const {
    const auto found = snapshot_.processes.find(id);
    return found == snapshot_.processes.end() ? nullptr : found->second.get();
}

const std::set<ProcessId>& RuleTargets::members(const std::string& definition) {
    const auto [entry, fresh] = members_.try_emplace(definition);
    if (!fresh) return entry->second;
    for (const TargetDefinition& target : rulebook_.targets) {
        if (target.name != definition) continue;
        for (const auto& [id, state] : snapshot_.processes)
            if (alive(*state) && matches(target, *state->process)) entry->second.insert(id);
    }
    return entry->second;
}

bool RuleTargets::matched(const Rule& rule, const ProcessId& id) {
    return rule.targets.empty() || std::any_of(rule.targets.begin(), rule.targets.end(),
                                               [&](const std::string& name) { return members(name).count(id) > 0; });
}

const std::vector<TargetId>& RuleTargets::of(const Rule& rule) {
    const auto [entry, fresh] = found_.try_emplace({rule.scope, rule.targets});
    if (fresh) entry->second = find(rule);
    return entry->second;
}

std::vector<TargetId> RuleTargets::find(const Rule& rule) {
    std::vector<TargetId> found;
    std::set<TargetId> untouchable;  // cgroups with a process that opted out: what is turned there would touch it
    if (rule.scope == Scope::host && rule.targets.empty()) return {HostId{}};
    for (const auto& [id, state] : snapshot_.processes) {
        if (!alive(*state)) continue;
        const GoProcess& known = *state->process;
        const CgroupId cgroup{known.cgroup_inode};
        if (known.opted_out) {
            untouchable.insert(cgroup);
            continue;
        }
        if (!matched(rule, id)) continue;
        switch (rule.scope) {
            case Scope::process:
                found.emplace_back(id);
                break;
            case Scope::cgroup:
                if (snapshot_.cgroups.contains(cgroup)) found.emplace_back(cgroup);
                break;
            case Scope::host:
                return {HostId{}};
        }
    }
    if (rule.scope == Scope::process) return found;  // in order already
    std::ranges::sort(found);
    found.erase(std::unique(found.begin(), found.end()), found.end());
    std::erase_if(found, [&untouchable](const TargetId& cgroup) { return untouchable.contains(cgroup); });
    return found;
}

std::string RuleTargets::why_not(const Rule& rule, const TargetId& target) {
    if (scope_of(target) != rule.scope)
        return fmt::format("is a {}; the rule is for a {}", to_string(scope_of(target)), to_string(rule.scope));
    const std::vector<TargetId>& all = of(rule);
    if (std::binary_search(all.begin(), all.end(), target)) return {};
    if (const auto* id = std::get_if<ProcessId>(&target)) {
        const ProcessState* state = process(*id);
        if (state == nullptr || state->process == nullptr) return "is no Go process that is seen now";
        if (state->exited) return "has ended";
        return state->process->opted_out ? opted_out(*state->process) : not_in_targets(rule);
    }
    if (const auto* cgroup = std::get_if<CgroupId>(&target)) {
        if (!snapshot_.cgroups.contains(*cgroup)) return "is no cgroup that is seen now";
        bool inhabited = false;
        for (const auto& [id, state] : snapshot_.processes) {
            if (!alive(*state) || state->process->cgroup_inode != cgroup->inode) continue;
            inhabited = true;
            if (state->process->opted_out) return "a process in it " + opted_out(*state->process);
        }
        if (!inhabited) return "no Go process is in it";
    }
    return not_in_targets(rule);
}

std::string RuleTargets::page_of(const Rule& rule, const TargetId& target) {
    if (rule.app.empty() || rule.targets.empty()) return {};
    if (rule.targets.size() == 1) return rule.targets.front();
    for (const std::string& name : rule.targets) {
        const auto& known = members(name);
        if (std::any_of(known.begin(), known.end(), [&](const ProcessId& id) { return overlap(id, target); }))
            return name;
    }
    return {};
}

bool RuleTargets::left(const TargetId& target) const {
    if (const auto* id = std::get_if<ProcessId>(&target)) {
        const ProcessState* state = process(*id);
        return state == nullptr || !alive(*state);
    }
    return false;
}

std::uint64_t RuleTargets::cgroup_inode(const TargetId& target) const {
    if (const auto* cgroup = std::get_if<CgroupId>(&target)) return cgroup->inode;
    const auto* id = std::get_if<ProcessId>(&target);
    const ProcessState* state = id == nullptr ? nullptr : process(*id);
    return state == nullptr || state->process == nullptr ? 0 : state->process->cgroup_inode;
}

bool RuleTargets::overlap(const TargetId& a, const TargetId& b) const {
    if (a == b || std::holds_alternative<HostId>(a) || std::holds_alternative<HostId>(b)) return true;
    if (a.index() == b.index()) return false;
    const std::uint64_t inode = cgroup_inode(a);
    return inode != 0 && inode == cgroup_inode(b);
}

std::vector<TargetId> targets_of(const Rulebook& rulebook, const Rule& rule, const Snapshot& snapshot) {
    return RuleTargets(rulebook, snapshot).of(rule);
}

}  // namespace gotuned

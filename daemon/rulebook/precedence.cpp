#include "rulebook/precedence.h"

#include <algorithm>

#include "rulebook/knob_catalogue.h"

namespace gotuned {
namespace {

/// Advice changes nothing, so nobody owns it.
bool is_owned(const std::string& knob) {
    const KnobInfo* known = find_knob_info(knob);
    return known == nullptr || known->takes != KnobInfo::Takes::text;
}

}  // namespace

/// The order in which rules may claim a knob: those that others yield to first, else as the rulebook has them.
std::vector<const Rule*> by_precedence(const Rulebook& rulebook) {
    const std::size_t n = rulebook.rules.size();
    std::vector<std::set<std::size_t>> first(n);
    for (std::size_t i = 0; i < n; ++i)
        for (const std::string& name : rulebook.rules[i].yields_to)
            for (std::size_t j = 0; j < n; ++j)
                if (j != i && rulebook.rules[j].name == name) first[i].insert(j);
    std::vector<const Rule*> order;
    std::vector<bool> placed(n, false);
    while (order.size() < n) {
        std::size_t next = n;
        for (std::size_t i = 0; i < n && next == n; ++i)
            if (!placed[i] && std::all_of(first[i].begin(), first[i].end(), [&](std::size_t j) { return placed[j]; }))
                next = i;
        // A cycle is a load error; should one come here, the first of it goes first.
        for (std::size_t i = 0; i < n && next == n; ++i)
            if (!placed[i]) next = i;
        placed[next] = true;
        order.push_back(&rulebook.rules[next]);
    }
    return order;
}

Claims::Claims(const Rulebook& rulebook, const LiveGroups& live) : rulebook_(rulebook) {
    for (const auto& [owner, groups] : live) {
        active_[owner.first].insert(owner.second);
        for (const LiveGroup& group : groups)
            for (const LiveAdjustment* adjustment : group.adjustments)
                owners_.try_emplace({adjustment->target, adjustment->knob}, owner.first);
    }
}

void Claims::fires(const Rule& rule, const TargetId& target) {
    if (rule.mode != Mode::enforce) return;
    active_[rule.name].insert(target);
    for (const Adjust& line : rule.adjust)
        if (is_owned(line.knob)) owners_.try_emplace({target, line.knob}, rule.name);
}

std::string Claims::comes_first(const Rule& rule, const TargetId& target, const RuleTargets& targets) const {
    if (rule.mode != Mode::enforce) return {};
    for (const std::string& name : rule.yields_to) {
        const Rule* other = rulebook_.find(name);
        const auto found = active_.find(name);
        if (other == nullptr || other->mode != Mode::enforce || found == active_.end()) continue;
        for (const TargetId& where : found->second)
            if (targets.overlap(where, target)) return name;
    }
    for (const Adjust& line : rule.adjust) {
        if (!is_owned(line.knob)) continue;
        const auto found = owners_.find({target, line.knob});
        if (found != owners_.end() && found->second != rule.name) return found->second;
    }
    return {};
}

}  // namespace gotuned

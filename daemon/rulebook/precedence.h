// Two rules for one knob: which of them acts. Those that others yield to come first, else the rulebook's order; what is
// live already stays with its rule.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "rulebook/live_groups.h"
#include "rulebook/rule_targets.h"

namespace gotuned {

/// The order in which rules may claim a knob.
std::vector<const Rule*> by_precedence(const Rulebook& rulebook);

/// Who holds what in one evaluation. Only rules that act stand in each other's way.
class Claims {
public:
    Claims(const Rulebook& rulebook, const LiveGroups& live);
    void fires(const Rule& rule, const TargetId& target);
    /// The rule that comes first: one that it yields to and that fires or holds live on a target that overlaps, or one
    /// that has a knob of this target. Empty when none does.
    [[nodiscard]] std::string comes_first(const Rule& rule, const TargetId& target, const RuleTargets& targets) const;

private:
    const Rulebook& rulebook_;
    std::map<std::string, std::set<TargetId>> active_{};                ///< where a rule fires or holds live
    std::map<std::pair<TargetId, std::string>, std::string> owners_{};  ///< target and knob → rule
};

}  // namespace gotuned

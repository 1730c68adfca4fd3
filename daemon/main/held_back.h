// What keeps a rule from acting on a target now, for `explain`: its condition, what it has in force already, rules that
// come first. What the guard objects to is the engine's to say. Decides nothing and reads nothing.
#pragma once

#include <string>
#include <vector>

#include "rulebook/evaluator.h"

namespace gotuned {

/// Sentences, the nearest obstacle first; empty when nothing here holds the rule back. `live`: of this rule and
/// target; `standing` may be null. `now` is the time of the Snapshot that was explained.
std::vector<std::string> held_back(const Rule& rule, const Explanation& explanation,
                                   const std::vector<LiveAdjustment>& live, const RuleStanding* standing, MonoTime now);

/// The decision that the rule would make `now` (the Snapshot's time), whatever its condition says: for what the engine
/// would object to. Its step is the next of the live chain.
Decision as_if_it_fired(const Rule& rule, const TargetId& target, const Explanation& explanation,
                        const std::vector<LiveAdjustment>& live, MonoTime now);

}  // namespace gotuned

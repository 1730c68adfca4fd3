// What can only be said of all rules together. Private to the loader.
#pragma once

#include <vector>

#include "rulebook/rule_reader.h"

namespace gotuned {

/// yields_to names rules that exist, and nobody yields to himself over however many corners.
void check_yields_to(const std::vector<ReadRule>& rules, Errors& errors);

/// Two enforced rules of the operator's own that certainly meet on one knob: same scope, and one unrestricted or both
/// of one target. Elsewhere the loser is reported at run time.
void check_owners(const std::vector<ReadRule>& rules, Errors& errors);

/// app() reads the metrics page of a target: a rule with it has targets, and each of them names its page.
void check_app(const std::vector<ReadRule>& rules, const std::vector<TargetDefinition>& targets, Errors& errors);

}  // namespace gotuned

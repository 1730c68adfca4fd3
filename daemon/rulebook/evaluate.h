// Values of a checked tree, and what was seen on the way. Total: every tree has a value or a reason why not.
// Private to the expression language.
#pragma once

#include <optional>

#include "rulebook/ast.h"
#include "rulebook/series.h"

namespace gotuned {

Reading<Value> evaluate_tree(const Node& node, const EvaluationContext& context, const ExpressionState& state);
/// Takes the Snapshot into the series of all widened functions.
void observe_tree(const Node& node, const EvaluationContext& context, ExpressionState& state);
Evidence explain_tree(const Node& node, const EvaluationContext& context, const ExpressionState& state);

/// What a signal of the target (or of its cgroup, or of the host) is in this Snapshot; nothing when there is no such
/// target.
std::optional<SignalReading> find_reading(const Node& node, const EvaluationContext& context);
/// How many events were really counted: a sampled distribution's counts are scaled up.
double raw_count(const SignalReading& reading);

}  // namespace gotuned

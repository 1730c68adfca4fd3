// What evaluation finds outside the expression: in the Snapshot and in live adjustments. Private to the language.
#pragma once

#include "rulebook/ast.h"

namespace gotuned {

Reading<Value> look_up_signal(const Node& node, const EvaluationContext& context);
/// The whole distribution, whatever its exposure: the series judges that over its window.
Reading<DistributionPtr> distribution_of(const Node& node, const EvaluationContext& context);
Reading<Value> look_up_app(const Node& node, const EvaluationContext& context);
Reading<Value> look_up_query(const Node& node, const EvaluationContext& context);
Reading<Value> look_up_sysctl(const Node& node, const EvaluationContext& context);
/// Of a process its own variable; GOTUNED_ENVIRONMENT, and all of a cgroup or host rule, also from the host's.
Reading<Value> look_up_environment(const Node& node, const EvaluationContext& context);
Reading<Value> look_up_original(const Node& node, const EvaluationContext& context);
Reading<Value> look_up_before(const Node& node, const EvaluationContext& context);

}  // namespace gotuned

#include "rulebook/evaluator.h"

#include <fmt/format.h>

#include "base/text.h"
#include "rulebook/rule_state.h"
#include "rulebook/rule_targets.h"

namespace gotuned {

Result<Explanation> explain(const Rulebook& rulebook, const Snapshot& snapshot, const RuleState& state,
                            std::string_view rule_name, const TargetId& target) {
    const Rule* rule = rulebook.find(rule_name);
    if (rule == nullptr) {
        std::vector<std::string_view> names;
        for (const Rule& entry : rulebook.rules) names.push_back(entry.name);
        const std::string near = nearest(rule_name, names);
        return fail(fmt::format("no rule is called {}", clean_text(rule_name)), 0, {},
                    near.empty() ? "gotunectl status lists them" : fmt::format("did you mean {}?", near));
    }
    Explanation explanation;
    explanation.needed = rule->for_;
    RuleTargets targets(rulebook, snapshot);
    explanation.note = targets.why_not(*rule, target);
    if (scope_of(target) != rule->scope) return explanation;

    static const Cell nothing{};
    const auto found = state.data().cells.find(RuleAndTargetView{rule->name, target});
    const Cell& cell = found == state.data().cells.end() ? nothing : found->second;
    const EvaluationContext plain{snapshot, target, {}, targets.page_of(*rule, target)};
    EvaluationContext live = plain;
    for (const LiveAdjustment& adjustment : snapshot.adjustments)
        if (adjustment.rule == rule->name && adjustment.target == target) live.adjustments.push_back(&adjustment);

    const auto evidence = [](const ExpressionPtr& expression, const SeriesMemory& series,
                             const EvaluationContext& context) {
        return expression->explain(context, *series.look(expression));
    };
    explanation.when = evidence(rule->when, cell.when, plain);
    explanation.held = cell.clock.held();
    if (!live.adjustments.empty() && rule->verify.expect != nullptr)
        explanation.expect = evidence(rule->verify.expect, cell.expect, live);
    if (!live.adjustments.empty() && rule->undo_when != nullptr)
        explanation.undo_when = evidence(rule->undo_when, cell.undo_when, live);
    for (std::size_t i = 0; i < rule->adjust.size(); ++i) {
        const Adjust& line = rule->adjust[i];
        PlannedWrite write{line.knob, {}, line.placement, line.text, line.least, line.most};
        if (line.to != nullptr)
            write.to = evidence(line.to, i < cell.to.size() ? cell.to[i] : SeriesMemory(), plain).value;
        explanation.writes.push_back(std::move(write));
    }
    return explanation;
}

}  // namespace gotuned

#include "rulebook/rule_needs.h"

#include <algorithm>
#include <vector>

namespace gotuned {
namespace {

std::vector<ExpressionPtr> expressions_of(const Rule& rule) {
    std::vector<ExpressionPtr> all{rule.when, rule.verify.expect, rule.undo_when};
    for (const Adjust& line : rule.adjust) all.push_back(line.to);
    std::erase(all, nullptr);
    return all;
}

}  // namespace

Expression::Needs needs_of(const Rule& rule) {
    Expression::Needs all;
    for (const ExpressionPtr& expression : expressions_of(rule)) {
        Expression::Needs needs = expression->needs();
        all.signals.merge(needs.signals);
        all.sysctls.merge(needs.sysctls);
        all.environment.merge(needs.environment);
        all.originals.merge(needs.originals);
        all.app.merge(needs.app);
        all.queries.merge(needs.queries);
    }
    return all;
}

bool reaches_back(const Rule& rule) {
    const auto remembers = [](const ExpressionPtr& expression) {
        const auto& before = expression->before_arguments();
        return expression->remembers() ||
               std::any_of(before.begin(), before.end(), [](const auto& one) { return one->remembers(); });
    };
    const auto all = expressions_of(rule);
    return std::any_of(all.begin(), all.end(), remembers);
}

bool follows_from_state(const Rule& rule) {
    if (rule.scope == Scope::host) return false;
    const Expression::Needs needs = needs_of(rule);
    const auto remembers_host = [](const ExpressionPtr& expression) {
        return expression->remembers_host() || std::ranges::any_of(expression->before_arguments(), [](const auto& one) {
                   return one->remembers_host();
               });
    };
    return needs.sysctls.empty() && needs.environment.empty() && needs.app.empty() && needs.queries.empty() &&
           std::ranges::none_of(expressions_of(rule), remembers_host);
}

}  // namespace gotuned

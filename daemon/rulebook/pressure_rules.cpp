#include "rulebook/pressure_rules.h"

#include <algorithm>
#include <set>

#include "rulebook/rule_needs.h"

namespace gotuned {

bool answers_pressure(const Rule& rule) {
    const Expression::Needs needs = needs_of(rule);
    return needs.sysctls.empty() && needs.app.empty() && needs.queries.empty() && !needs.signals.empty() &&
           std::all_of(needs.signals.begin(), needs.signals.end(), [](Signal id) { return answers_pressure(id); });
}

PressureNeeds pressure_needs(const Rulebook& rulebook) {
    PressureNeeds needs;
    for (const Rule& rule : rulebook.rules) {
        if (!answers_pressure(rule)) continue;
        for (const Signal id : needs_of(rule).signals) {
            needs.host = needs.host || info(id).scope == Scope::host;
            needs.cgroups = needs.cgroups || info(id).scope == Scope::cgroup;
        }
    }
    return needs;
}

Evaluation carried_on(const Evaluation& last, const Evaluation& woken) {
    using Key = std::pair<std::string_view, TargetId>;
    std::set<Key> judged;
    for (const RuleStanding& standing : woken.standings) judged.insert({standing.rule, standing.target});
    Evaluation out = woken;
    out.targets = last.targets;
    std::erase_if(out.standings,
                  [](const RuleStanding& standing) { return standing.state == RuleStanding::State::idle; });
    for (const RuleStanding& standing : last.standings)
        if (!judged.contains({standing.rule, standing.target})) out.standings.push_back(standing);
    for (const Decision& decision : last.decisions)
        if (decision.kind == DecisionKind::fire && !judged.contains({decision.rule, decision.target}))
            out.decisions.push_back(decision);
    return out;
}

}  // namespace gotuned

// Which of the rulebook's knobs this host lets us turn: never a rule that fires and silently does nothing.
#include <set>

#include "tune/engine.h"
#include "tune/knob.h"
#include "tune/net_namespace.h"

namespace gotuned {

std::vector<PreflightItem> preflight(const EngineOptions& options, const Rulebook& rulebook) {
    std::set<std::string> names;
    std::set<std::string> namespaced;  // sysctls that rules set in a process's own network namespace
    for (const Rule& rule : rulebook.rules)
        for (const Adjust& adjust : rule.adjust) {
            const bool inside = rule.scope == Scope::process && adjust.knob.starts_with("sysctl.net.");
            (inside ? namespaced : names).insert(adjust.knob);
        }
    std::vector<PreflightItem> items;
    for (const std::string& name : names) {
        const Knob* const knob = find_knob(name);
        if (knob == nullptr) {
            items.push_back({name, false, "this version does not have it"});
            continue;
        }
        const KnobAbility ability = knob->ability(options.roots, name);
        items.push_back({name, ability.writable, ability.reason});
    }
    for (const std::string& name : namespaced) {
        const KnobAbility ability = net_ability();
        items.push_back({name + " of a process", ability.writable, ability.reason});
    }
    return items;
}

}  // namespace gotuned

#include "rulebook/rulebook.h"

#include <algorithm>

namespace gotuned {

std::string_view to_string(Mode mode) { return mode == Mode::enforce ? "enforce" : "observe"; }

std::string_view to_string(Severity severity) {
    switch (severity) {
        case Severity::info:
            return "info";
        case Severity::warning:
            return "warning";
        case Severity::critical:
            return "critical";
    }
    return "info";
}

const Rule* Rulebook::find(std::string_view name) const {
    const auto found = std::find_if(rules.begin(), rules.end(), [&](const Rule& rule) { return rule.name == name; });
    return found == rules.end() ? nullptr : &*found;
}

}  // namespace gotuned

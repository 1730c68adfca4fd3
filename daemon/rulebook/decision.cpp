// What an evaluation says, in words.
#include "rulebook/evaluator.h"

namespace gotuned {

Decision decision_of(DecisionKind kind, const Rule& rule, const TargetId& target, MonoTime at) {
    Decision made;
    made.kind = kind;
    made.rule = rule.name;
    made.target = target;
    made.at = at;
    made.mode = rule.mode;
    made.severity = rule.severity;
    made.cooldown = rule.cooldown;
    made.otherwise = rule.verify.otherwise;
    return made;
}

std::string_view to_string(DecisionKind kind) {
    switch (kind) {
        case DecisionKind::fire:
            return "fire";
        case DecisionKind::keep:
            return "keep";
        case DecisionKind::fail:
            return "fail";
        case DecisionKind::undo:
            return "undo";
        case DecisionKind::call_off:
            return "call_off";
    }
    return "unknown";
}

std::string_view to_string(RuleStanding::State state) {
    switch (state) {
        case RuleStanding::State::idle:
            return "idle";
        case RuleStanding::State::pending:
            return "pending";
        case RuleStanding::State::firing:
            return "firing";
        case RuleStanding::State::verifying:
            return "verifying";
        case RuleStanding::State::kept:
            return "kept";
        case RuleStanding::State::unknown:
            return "unknown";
        case RuleStanding::State::yielding:
            return "yielding";
    }
    return "unknown";
}

}  // namespace gotuned

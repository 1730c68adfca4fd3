#include "main/held_back.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace gotuned {
namespace {

std::string spell(Duration duration) { return to_string(time(std::chrono::ceil<std::chrono::seconds>(duration))); }

std::string of_condition(const Explanation& explanation) {
    const Reading<Value>& when = explanation.when.value;
    if (!when) return "the condition is unknown: " + to_string(when.absent());
    const bool* truth = std::get_if<bool>(&*when);
    if (truth == nullptr || !*truth) return "the condition is false";
    if (explanation.held >= explanation.needed) return {};
    return fmt::format("the condition has held for {} of {}", to_string(time(explanation.held)),
                       to_string(time(explanation.needed)));
}

std::string of_live(const Rule& rule, const LiveAdjustment& live, MonoTime now) {
    const std::string name = fmt::format("adjustment {}", live.id);
    switch (live.state) {
        case AdjustmentState::planned:
            return name + " is being written" + (live.note.empty() ? "" : ": " + live.note);
        case AdjustmentState::applied:
            return fmt::format("{} ({} to {}) is in force and being verified", name, live.knob, to_string(live.set));
        case AdjustmentState::undo_deferred:
            return fmt::format("{} waits to be put back: {}", name, live.note);
        case AdjustmentState::drifted:
            return fmt::format("{} has drifted: {} holds {}, we set {}, the original was {}; {}", name, live.knob,
                               live.now.empty() ? "something else" : live.now, to_string(live.set),
                               to_string(live.original), live.note);
        case AdjustmentState::kept:
            break;
        default:
            return {};
    }
    if (live.step >= rule.repeat.at_most) {
        const std::string steps = rule.repeat.at_most > 1 ? fmt::format(", the last of {} steps", live.step) : "";
        return fmt::format("{} ({} to {}) is in force and kept{}", name, live.knob, to_string(live.set), steps);
    }
    const Duration passed = now - live.kept_at;
    if (passed >= rule.repeat.every) return {};
    return fmt::format("{} is kept at step {} of {}: the next in {}", name, live.step, rule.repeat.at_most,
                       spell(rule.repeat.every - passed));
}

}  // namespace

std::vector<std::string> held_back(const Rule& rule, const Explanation& explanation,
                                   const std::vector<LiveAdjustment>& live, const RuleStanding* standing,
                                   MonoTime now) {
    std::vector<std::string> all;
    const auto add = [&all](std::string sentence) {
        if (!sentence.empty()) all.push_back(std::move(sentence));
    };
    add(explanation.note.empty() ? "" : "the target " + explanation.note);
    add(of_condition(explanation));
    for (const LiveAdjustment& one : live) add(of_live(rule, one, now));
    if (standing != nullptr && standing->state == RuleStanding::State::yielding)
        add(fmt::format("rule {} comes first", standing->yields_to));
    return all;
}

Decision as_if_it_fired(const Rule& rule, const TargetId& target, const Explanation& explanation,
                        const std::vector<LiveAdjustment>& live, MonoTime now) {
    Decision made = decision_of(DecisionKind::fire, rule, target, now);
    made.writes = explanation.writes;
    made.evidence = explanation.when;
    for (const LiveAdjustment& one : live) {
        if (one.state != AdjustmentState::kept) continue;
        made.step = one.step + 1;
        made.group = one.group;
    }
    return made;
}

}  // namespace gotuned

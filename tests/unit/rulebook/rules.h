// Rules made by hand, and a host that does what the decisions say: for tests of the evaluator.
#pragma once

#include <algorithm>

#include "catch.h"
#include "rulebook/evaluator.h"
#include "world.h"

namespace gotuned::test {

inline ExpressionPtr expression(std::string_view text, ExpressionRole role = ExpressionRole::when,
                                Scope scope = Scope::process, const Type& wanted = condition) {
    auto made = parse_expression(text, scope, role, wanted);
    INFO(text << ": " << (made ? std::string() : made.error().message));
    REQUIRE(made.has_value());
    return *made;
}
inline Adjust nofile(std::string_view to = "fd.limit * 2") {
    Adjust adjust;
    adjust.knob = "rlimit.nofile";
    adjust.to = expression(to, ExpressionRole::to, Scope::process, quantity_of(unit::count));
    return adjust;
}
inline Rule rule(const std::string& name = "raise-nofile", std::string_view when = "fd.used / fd.limit > 80%") {
    Rule made;
    made.name = name;
    made.when = expression(when);
    made.adjust = {nofile()};
    made.mode = Mode::enforce;
    return made;
}
inline Rule verified(std::string_view expect = "fd.used / fd.limit < 80%") {
    Rule made = rule();
    made.verify.present = true;
    made.verify.settle = std::chrono::seconds(5);
    made.verify.hold = std::chrono::seconds(25);
    made.verify.expect = expression(expect, ExpressionRole::expect);
    return made;
}

/// A World with a rulebook and the evaluator's memory; each look() is one Snapshot.
struct Scene {
    World world{};
    Rulebook rulebook{};
    RuleState state{};
    Evaluation last{};
    std::int64_t next_id = 1;

    explicit Scene(std::vector<Rule> rules) { rulebook.rules = std::move(rules); }

    const Evaluation& look(Duration by = tick) {
        if (state_used_) world.advance(by);
        state_used_ = true;
        return again();
    }
    /// The same Snapshot again.
    const Evaluation& again() {
        last = evaluate(rulebook, world.snapshot, state);
        return last;
    }
    /// 90% of the descriptors are used, half of them, or nobody knows.
    void full() { world.set(Signal::fd_used, count(900)); }
    void roomy() { world.set(Signal::fd_used, count(500)); }
    void blind() { world.set(Signal::fd_used, Absent{Absence::not_permitted, {}}); }

    std::vector<Decision> of(DecisionKind kind) const {
        std::vector<Decision> found;
        for (const Decision& decision : last.decisions)
            if (decision.kind == kind) found.push_back(decision);
        return found;
    }
    bool fired(const std::string& name = "raise-nofile") const {
        const auto all = of(DecisionKind::fire);
        return std::any_of(all.begin(), all.end(), [&](const Decision& d) { return d.rule == name; });
    }
    RuleStanding standing(const std::string& name = "raise-nofile", TargetId target = first_process) const {
        for (const RuleStanding& entry : last.standings)
            if (entry.rule == name && entry.target == target) return entry;
        CAPTURE(name);
        REQUIRE(last.targets.contains(name));
        return {name, target, {}, {}, {}, {}};  // idle
    }
    /// As tune: written and read back just after this Snapshot.
    LiveAdjustment& apply(int step = 1, const std::string& name = "raise-nofile", TargetId target = first_process) {
        LiveAdjustment made;
        made.id = next_id++;
        made.group = 1;
        made.rule = name;
        made.target = target;
        made.knob = "rlimit.nofile";
        made.original = count(1000);
        made.set = count(2000);
        made.step = step;
        made.read_back = world.snapshot.at + std::chrono::milliseconds(10);
        world.snapshot.adjustments = {made};
        return world.snapshot.adjustments.front();
    }
    LiveAdjustment& keep() {
        LiveAdjustment& live = world.snapshot.adjustments.front();
        live.state = AdjustmentState::kept;
        live.kept_at = world.snapshot.at;
        return live;
    }

private:
    bool state_used_ = false;
};

}  // namespace gotuned::test

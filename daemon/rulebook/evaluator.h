// The evaluator: (Rulebook, Snapshot, RuleState) → Decisions. Pure: no file, clock or thread; the same code runs
// live, in `plan` and in replay. It owns all timing of a rule but cooldown, quarantine and the budgets, which are
// tune's guard.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "observe/snapshot.h"
#include "rulebook/rulebook.h"

namespace gotuned {

enum class DecisionKind {
    fire,      ///< the condition held for `for`: make these writes (tune's guard may refuse; repeated each Snapshot)
    keep,      ///< verified through hold (or kept unverified)
    fail,      ///< expect was false, or unknown to the end: undo the step, or keep when `otherwise: keep`
    undo,      ///< undo_when held, or the rule is gone, no longer enforced, no longer matches, or opted out
    call_off,  ///< the condition is back while the undo that undo_when began is put off: no undo
};
std::string_view to_string(DecisionKind kind);

struct PlannedWrite {
    std::string knob{};
    Reading<Value> to{};  ///< computed from the Snapshot; absent: nothing may be written (unknown)
    std::optional<Adjust::Placement> placement{};
    std::string text{};  ///< advise
    std::optional<Quantity> least{}, most{};
};

struct Decision {
    DecisionKind kind{};
    std::string rule{};
    TargetId target{};
    MonoTime at{};
    Mode mode = Mode::observe;
    Severity severity = Severity::info;
    Duration cooldown{};
    std::vector<PlannedWrite> writes{};     ///< fire
    int step = 1;                           ///< fire: 1, or the next step of a live chain
    std::int64_t group = 0;                 ///< keep, fail, undo: the live group meant; fire with step > 1: the chain's
    Otherwise otherwise = Otherwise::undo;  ///< fail
    UndoCause cause = UndoCause::other;     ///< undo
    bool verified = false;                  ///< keep: false is kept(unverified)
    std::string reason{};                   ///< "undo_when held for 10m", "expect false", "rule removed", …
    Evidence evidence{};
    std::map<std::string, Reading<Value>> before{};  ///< fire: values of before(x)
};

/// What every decision takes from its rule; the rest is left as it is by default.
Decision decision_of(DecisionKind kind, const Rule& rule, const TargetId& target, MonoTime at);

/// How one rule stands for one target: for status, explain and gotuned_rule_state.
struct RuleStanding {
    std::string rule{};
    TargetId target{};
    /// yielding: would fire, but another rule comes first for this target (yields_to) or for a knob of it.
    enum class State { idle, pending, firing, verifying, kept, unknown, yielding } state{};
    Duration held{};                          ///< for how long the condition has been true
    std::shared_ptr<const Absent> unknown{};  ///< state unknown: why; else null. Shared: thousands stand so for long
    std::string yields_to{};                  ///< state yielding: the rule that comes first
};
std::string_view to_string(RuleStanding::State state);

struct Evaluation {
    std::vector<Decision> decisions{};
    /// A rule is idle for a target that is not here.
    std::vector<RuleStanding> standings{};
    std::map<std::string, std::size_t> targets{};  ///< for how many a rule was evaluated
    /// Unknown conditions by rule and reason, in this evaluation.
    std::map<std::pair<std::string, Absence>, std::uint64_t> unknowns{};
};

/// All memory between Snapshots: clocks and series by (rule, target). Copyable in depth, for plan.
class RuleState {
public:
    RuleState();
    RuleState(RuleState&&) noexcept;
    RuleState& operator=(RuleState&&) noexcept;
    ~RuleState();
    /// A copy in depth, for plan and for tests: evaluating one leaves the other as it is.
    [[nodiscard]] RuleState clone() const;
    struct Data;
    Data& data() { return *data_; }
    [[nodiscard]] const Data& data() const { return *data_; }

private:
    std::unique_ptr<Data> data_;
};

/// One step: takes the Snapshot into all clocks and series and says what follows. Decisions are repeated at each
/// Snapshot for as long as they hold (tune's state moves on, or the guard refuses): tune ignores what it has done
/// already. Keeps, failures and undos come before fires. The same Snapshot again changes no clock.
///
/// Timing, all by Snapshot::at: a clock (`for`, `undo_for`) counts the time between two Snapshots at which its
/// condition was true; unknown adds nothing and the third unknown Snapshot in a row starts it anew, false at once. A
/// rule whose adjustments are live fires again only for the next step of `repeat`. Drifted adjustments are left alone
/// and keep their rule from firing; those whose undo is deferred are tune's, but an undo that only undo_when asked for
/// is called off when the condition has held for `for` again and undo_when is false. A target that has left the
/// Snapshot (a process that ended) is tune's too: no decision is made about it. Of a Snapshot between two ticks
/// (Snapshot::woken_for) only the rules that read nothing but memory and pressure are evaluated, for the cgroups that
/// were read and the host. `last` gives its memory to the new one: with thousands of targets it is megabytes.
Evaluation evaluate(const Rulebook& rulebook, const Snapshot& snapshot, RuleState& state, Evaluation last = {});

/// After a reload: keeps clocks and series of rules whose text did not change (rulebook.md, Loading); a changed
/// `when` starts `for` anew, a changed `verify` starts at settle.
void carry_over(const Rulebook& before, const Rulebook& after, RuleState& state);

/// What `explain RULE TARGET` shows: condition tree with values, held/for, and expect / undo_when when live.
struct Explanation {
    Evidence when{};
    Duration held{}, needed{};
    std::optional<Evidence> expect{}, undo_when{};
    std::vector<PlannedWrite> writes{};
    std::string note{};  ///< "does not match: not in targets [payments]", "opted out by environment", …
};
Result<Explanation> explain(const Rulebook& rulebook, const Snapshot& snapshot, const RuleState& state,
                            std::string_view rule, const TargetId& target);

/// The targets a rule is evaluated for in this Snapshot.
std::vector<TargetId> targets_of(const Rulebook& rulebook, const Rule& rule, const Snapshot& snapshot);

}  // namespace gotuned

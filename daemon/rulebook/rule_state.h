// The evaluator's memory, by rule and target. Plain data: copied by RuleState::clone(), adapted by carry_over().
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <vector>

#include "rulebook/clocks.h"
#include "rulebook/evaluator.h"
#include "rulebook/judged_target.h"
#include "rulebook/live_groups.h"
#include "rulebook/series.h"

namespace gotuned {

/// The series of one expression. Kept as long as the expression's text is the same, whichever rulebook it is in.
class SeriesMemory {
public:
    SeriesMemory() = default;
    SeriesMemory(const SeriesMemory& other);
    SeriesMemory& operator=(const SeriesMemory& other);
    SeriesMemory(SeriesMemory&&) = default;
    SeriesMemory& operator=(SeriesMemory&&) = default;
    ~SeriesMemory() = default;

    ExpressionState& of(const ExpressionPtr& expression);
    /// For explain, which changes nothing: a fresh state when there is none of this expression.
    [[nodiscard]] std::shared_ptr<const ExpressionState> look(const ExpressionPtr& expression) const;
    [[nodiscard]] bool empty() const { return expression_ == nullptr || !expression_->remembers(); }
    /// Series::settled(), all of them, and what is done about it.
    [[nodiscard]] bool settled() const { return state_ == nullptr || state_->settled(); }
    void stayed(MonoTime until) {
        if (state_ != nullptr) state_->stayed(until);
    }

private:
    [[nodiscard]] bool fits(const ExpressionPtr& expression) const;
    ExpressionPtr expression_{};
    std::shared_ptr<ExpressionState> state_{};
};

/// What is remembered of one live group.
struct GroupMemory {
    Verification verification{};
    HoldClock undo_clock{};
};

/// What is remembered of one rule for one target. Most rules are false for most targets and remember nothing of them:
/// those have no cell.
struct Cell {
    SeriesMemory when{}, expect{}, undo_when{};
    std::vector<SeriesMemory> to{};      ///< by the line of `adjust`
    std::vector<SeriesMemory> before{};  ///< by the order in expect
    HoldClock clock{};
    std::map<std::int64_t, GroupMemory> groups{};
    bool waits = false;        ///< not evaluated, since it is settled() and the target is as it was
    bool settle_anew = false;  ///< verify was edited: the next Snapshot starts verification at settle
    bool evaluated = false;
    bool fires = false;       ///< at the last evaluation
    MonoTime last{};          ///< of the last evaluation
    std::uint64_t round = 0;  ///< in which evaluation it was last used

    [[nodiscard]] bool empty() const { return at_rest() && all(&SeriesMemory::empty); }
    /// While the target's state is the same, every evaluation would say what the last one said.
    [[nodiscard]] bool settled() const { return at_rest() && !settle_anew && all(&SeriesMemory::settled); }
    /// It waited from its last evaluation until then: its series are told.
    void stayed(MonoTime until);

private:
    [[nodiscard]] bool at_rest() const { return clock.at_rest() && groups.empty(); }
    [[nodiscard]] bool all(bool (SeriesMemory::*is)() const) const {
        const auto each = [is](const std::vector<SeriesMemory>& some) { return std::ranges::all_of(some, is); };
        return (when.*is)() && (expect.*is)() && (undo_when.*is)() && each(to) && each(before);
    }
};

struct RuleState::Data {
    std::map<TargetId, JudgedTarget> judged{};
    /// Of the rulebook that judged: another one (plan's) judges anew. After a reload carry_over() forgets, too: the
    /// place may be used again.
    const Rule* rules = nullptr;
    std::vector<RuleFacts> facts{};    ///< of these
    std::vector<const Rule*> order{};  ///< likewise, by_precedence()
    std::map<RuleAndTarget, Cell, RuleAndTargetOrder> cells{};
    std::map<std::int64_t, int>
        unmatched{};  ///< live groups whose target does not match: in how many Snapshots in a row
    std::uint64_t round = 0;
};

}  // namespace gotuned

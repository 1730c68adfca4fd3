// The clocks of a rule: how long a condition has been true, and how far the verification of a change has come.
// Plain data that the evaluator keeps by rule and target; the only time they know is that of the Snapshots.
#pragma once

#include <optional>

#include "base/time.h"
#include "rulebook/rulebook.h"

namespace gotuned {

/// Kleene's third value is nothing.
using Truth = std::optional<bool>;
Truth truth_of(const Reading<Value>& value);

/// `for`, `undo_for`. Counts the time between Snapshots at both of which the condition was true.
class HoldClock {
public:
    void update(Truth truth, MonoTime at);
    /// True now, and for at least this long.
    [[nodiscard]] bool satisfied(Duration needed) const { return true_now_ && held_ >= needed; }
    [[nodiscard]] Duration held() const { return held_; }
    void reset() { *this = HoldClock{}; }
    /// As a new one: what it counts has been false, or was never known.
    [[nodiscard]] bool at_rest() const { return !running_; }

private:
    static constexpr int patience = 2;  ///< unknown Snapshots in a row over which the clock stands still
    bool running_ = false;
    bool true_now_ = false;
    int unknowns_ = 0;
    Duration held_{};
    MonoTime mark_{};
};

enum class Verdict : std::uint8_t { open, keep, keep_unverified, failed, failed_unknown };

/// settle and hold of one written step.
class Verification {
public:
    Verification() = default;
    Verification(int step, MonoTime read_back, MonoTime settle_from)
        : step_(step), read_back_(read_back), settle_from_(settle_from) {}
    /// Whether this is about that write; another step, or a value written anew, is verified from the start.
    [[nodiscard]] bool is_of(int step, MonoTime read_back) const { return step_ == step && read_back_ == read_back; }

    /// Takes one Snapshot. The verdict stays once it is spoken.
    Verdict judge(const Verify& verify, MonoTime at, Duration window, Truth expect);
    [[nodiscard]] Verdict verdict() const { return verdict_; }

private:
    int step_ = 0;
    MonoTime read_back_{};
    MonoTime settle_from_{};
    MonoTime hold_until_{};
    bool counting_ = false;
    bool extended_ = false;
    int trues_ = 0;
    Verdict verdict_ = Verdict::open;
};

}  // namespace gotuned

// What may be changed now: the node's and the rules' standing. Memory only (the journal keeps it); reads no file
// and writes nothing. A refusal is a stable word, for metrics and for "a new record only for a new reason", and a
// detail for people.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rulebook/evaluator.h"
#include "tune/journal.h"

namespace gotuned {

enum class Refusal : std::uint8_t {
    observe,       ///< the rule's mode
    circuit_open,  ///< too many verifications failed: nothing is changed until `gotunectl resume`
    paused,
    yields,  ///< somebody else changed the value: until `gotunectl resume RULE TARGET`
    cooldown,
    quarantine,       ///< a verification failed
    in_force,         ///< this rule has an adjustment of this target already
    held,             ///< another rule holds the knob
    unknown,          ///< the value could not be computed
    not_built,        ///< no such knob in this version
    scope,            ///< the knob is of another kind of target
    kubelet,          ///< a cgroup that kubelet manages
    gone,             ///< the target has ended
    unreadable,       ///< the present value could not be read, so it could not be put back
    out_of_bounds,    ///< no safe value
    nothing_changes,  ///< the knob holds that value already
    budget,           ///< too many changes in this minute
    worker_blocked,   ///< an earlier write has not come back
    journal,          ///< what cannot be recorded is not done
};
std::string_view word(Refusal refusal);

struct Refused {
    Refusal why{};
    std::string detail{};
    /// "cooldown: 4m left".
    [[nodiscard]] std::string text() const;
};

struct GuardOptions {
    int per_minute = 10;
    int circuit_failures = 5;                            ///< so many failed verifications …
    Duration circuit_window = std::chrono::minutes(10);  ///< … within this open the circuit
    Duration longest_quarantine = std::chrono::hours(24);
};

class Guard {
public:
    explicit Guard(const GuardOptions& options) : options_(options) {}
    /// What the change budget counts over.
    static constexpr Duration budget_window = std::chrono::minutes(1);
    /// `spent`: when changes were made within the budget's window, oldest first.
    void restore(const std::vector<Standing>& standings, bool paused, bool circuit_open,
                 const std::vector<MonoTime>& spent);

    /// Mode, circuit, pause, yield, cooldown, quarantine. A step of a live chain is not held up by cooldown.
    [[nodiscard]] std::optional<Refused> admit(const Decision& decision, MonoTime now) const;
    /// All that admit() would object to, one after the other; the first is its answer.
    [[nodiscard]] std::vector<Refused> objections(const Decision& decision, MonoTime now) const;
    /// The change budget of the node.
    [[nodiscard]] std::optional<Refused> afford(std::size_t writes, MonoTime now) const;
    void spend(std::size_t writes, MonoTime now);

    // What happened; each gives back what the journal must keep.
    Standing chain_ended(const std::string& rule, const TargetId& target, Duration cooldown, MonoTime now);
    /// Quarantine, twice as long with each failure in a row. May open the circuit.
    Standing verification_failed(const std::string& rule, const TargetId& target, Duration cooldown, MonoTime now);
    /// Quarantine alike; a write that the kernel refused says nothing of what the rules are worth.
    Standing write_failed(const std::string& rule, const TargetId& target, Duration cooldown, MonoTime now);
    Standing verified(const std::string& rule, const TargetId& target);
    Standing yield(const std::string& rule, const TargetId& target, const std::string& why);
    std::optional<Standing> resume(const std::string& rule, const TargetId& target);
    /// The target is gone: nothing is left to stand.
    std::optional<Standing> forget(const std::string& rule, const TargetId& target);
    /// Removes and gives back those that mean nothing any more.
    std::vector<Standing> expire(MonoTime now);

    [[nodiscard]] bool yields(const std::string& rule, const TargetId& target) const;
    [[nodiscard]] std::vector<Standing> yielding() const;

    void pause(bool paused) { paused_ = paused; }
    [[nodiscard]] bool paused() const { return paused_; }
    void close_circuit();
    [[nodiscard]] bool circuit_open() const { return circuit_open_; }

private:
    using Key = std::pair<std::string, TargetId>;
    Standing& at(const std::string& rule, const TargetId& target);
    GuardOptions options_;
    std::map<Key, Standing> standings_{};
    std::deque<MonoTime> spent_{};
    std::deque<MonoTime> failures_{};
    bool paused_ = false;
    bool circuit_open_ = false;
};

/// "gotunectl resume less-swap host", as an operator may type it.
std::string resume_command(const std::string& rule, const TargetId& target);

/// Why a cgroup of kubelet's must not be changed; empty when it is none of them, or may be.
std::string kubelet_objection(std::string_view cgroup_path, std::string_view knob);

}  // namespace gotuned

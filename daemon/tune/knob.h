// A knob: one thing of the kernel that can be read, written and put back. Pure mechanism: a knob decides nothing,
// journals nothing and knows no rule; engine.cpp is the only caller of write() and restore(), after the journal.
// All methods may block (a write to memory.high reclaims), so writes run in the Worker. Thread safe: without state.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/files.h"
#include "base/result.h"
#include "base/target.h"
#include "base/time.h"
#include "base/value.h"
#include "rulebook/evaluator.h"

namespace gotuned {

/// Which knob of which target: all that a knob needs to find its place in the kernel.
struct KnobAt {
    Roots roots{};
    std::string knob{};  ///< full name: "sysctl.vm.swappiness"
    TargetId target{};
    std::string place{};  ///< path of a cgroup in the unified hierarchy; of others what Knob::place() says
};

/// What a knob holds, with as much beside the value as it takes to put it back: the hard limit, masks by thread.
struct KnobState {
    Value value{};         ///< what rules see: the soft limit, the mask of most threads, the sysctl
    std::string detail{};  ///< the knob's own text
    friend bool operator==(const KnobState&, const KnobState&) = default;
};

/// What would be written: a value moved into the bounds, and why it was moved.
struct Fitted {
    Value wanted{};
    Value to{};
    std::string clamped{};  ///< empty when it was not
};

/// What the kernel holds after a write.
struct Written {
    KnobState held{};
    std::string note{};  ///< "clamped to the hard limit 4096 …"; empty when there is nothing to say
};

/// Whether putting a value back harms now. Looked at afresh, never from a Snapshot.
struct UndoSafety {
    bool safe = true;
    std::string reason{};  ///< when not: "1,000 descriptors in use, the old limit is 256"
};

/// Whether a target is still the one that was meant.
enum class Presence {
    there,
    replaced,  ///< the process executes another program now (exec keeps pid, start time and limits)
    gone,      ///< ended, or its number belongs to another
    outlived,  ///< it has ended, and what was changed for it lives on: a network namespace that others are in
};
Presence presence(const Roots& roots, const TargetId& target, const std::string& place);

/// Which threads a restore() touches; without meaning for knobs of one value.
enum class Restore {
    ours,      ///< what holds our value
    anything,  ///< whatever may be of a write that was interrupted
};

struct KnobTraits {
    std::string_view name{};  ///< as in the rulebook's catalogue
    bool prefix = false;      ///< the name goes on
    Scope scope{};
    bool inherited = false;  ///< children forked later have it too
    bool one_shot = false;   ///< leaves nothing behind to undo
    bool changes = true;     ///< false: advise
    bool outlives = false;   ///< leaves something that outlives its target: see clear()
};

/// Whether a knob could be turned on this host at all.
struct KnobAbility {
    bool writable = true;
    std::string reason{};  ///< why not, or what it cannot do
};

class Knob {
public:
    Knob() = default;
    Knob(const Knob&) = delete;
    Knob& operator=(const Knob&) = delete;
    virtual ~Knob() = default;

    [[nodiscard]] virtual KnobTraits traits() const = 0;
    [[nodiscard]] virtual KnobAbility ability(const Roots& roots, const std::string& knob) const = 0;
    /// How long a write, or its undo, may well take where all is in order, before it is told of as one that does not
    /// come back; zero: as long as any other.
    [[nodiscard]] virtual Duration patience(const KnobAt& /*at*/) const { return {}; }
    /// Whether it can be turned for a target of that kind.
    [[nodiscard]] virtual bool turns(std::string_view /*knob*/, Scope scope) const { return traits().scope == scope; }
    /// What must still be there beside the target for the value to be ours, for presence(): a disk of that name and
    /// number. Journaled with the adjustment.
    [[nodiscard]] virtual Result<std::string> place(const KnobAt& at) const { return at.place; }
    [[nodiscard]] virtual Result<KnobState> read(const KnobAt& at) const = 0;
    /// Moves the planned value into the bounds: the packaged ones, the rule's, the kernel's and what the target needs
    /// now. `unsafe`: the rule's own bounds beat the packaged ones; never what the kernel or the target need.
    [[nodiscard]] virtual Result<Fitted> fit(const KnobAt& at, const PlannedWrite& planned, bool unsafe) const = 0;
    /// `before` is what was journaled. Reads back.
    [[nodiscard]] virtual Result<Written> write(const KnobAt& at, const KnobState& before, const Value& to) const = 0;
    /// Puts `original` back. Reads back.
    [[nodiscard]] virtual Result<KnobState> restore(const KnobAt& at, const KnobState& original, const KnobState& ours,
                                                    Restore which) const = 0;
    /// After restore(), for people: what of it somebody else had changed, so that it was not put back; empty: nothing.
    [[nodiscard]] virtual std::string left_alone(const KnobAt&, const KnobState& /*original*/) const { return {}; }
    /// Takes away what is left of ours once the target has ended, so that its successor does not inherit it. Nothing of
    /// anybody else's. Doing it twice is doing it once.
    [[nodiscard]] virtual Status clear(const KnobAt& at, const KnobState& original, const KnobState& ours) const;
    /// Whether the knob is exactly as it was journaled.
    [[nodiscard]] virtual Result<bool> unchanged(const KnobAt& at, const KnobState& before) const;
    /// Whether what we wrote is still there.
    [[nodiscard]] virtual Result<bool> holds(const KnobAt& at, const KnobState& ours) const;
    /// Whether a write would change anything.
    [[nodiscard]] virtual bool same(const KnobState& now, const Value& to) const { return now.value == to; }
    [[nodiscard]] virtual Result<UndoSafety> undo_safe(const KnobAt& at, const KnobState& original) const = 0;
    /// For people.
    [[nodiscard]] virtual std::string describe(const KnobState& state) const { return to_string(state.value); }
};

/// Every knob, in the order of the rulebook's catalogue.
std::span<const Knob* const> knobs();
/// By full name ("sysctl.vm.swappiness"); nullptr when there is none.
const Knob* find_knob(std::string_view name);

/// For knobs of a quantity: `to` into packaged bounds (or the rule's), then into hard ones with their own words.
struct Limit {
    double value = 0;
    std::string why{};
};
Result<Fitted> fit_quantity(const PlannedWrite& planned, double packaged_least, double packaged_most,
                            const std::optional<Limit>& hard_least, const std::optional<Limit>& hard_most, bool unsafe);

// The knobs, one a file.
const Knob& sysctl_knob();
std::span<const Knob* const> rlimit_knobs();
const Knob& affinity_knob();
std::span<const Knob* const> cgroup_memory_knobs();
const Knob& cgroup_reclaim_knob();
std::span<const Knob* const> cgroup_cpu_knobs();
const Knob& cgroup_pids_knob();
const Knob& cgroup_cpuset_knob();
std::span<const Knob* const> huge_page_knobs();
const Knob& block_scheduler_knob();
const Knob& oom_score_adj_knob();
const Knob& nice_knob();
const Knob& advise_knob();

}  // namespace gotuned

// What the Worker does with the kernel: one write, one undo, one look at all that is in force. Each owns all it
// needs and touches neither journal nor engine; the engine journals before and settles after.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tune/journal.h"
#include "tune/knob.h"

namespace gotuned {

struct WriteTask {
    const Knob* knob = nullptr;
    KnobAt at{};
    KnobState before{};  ///< as it was journaled
    Value to{};
};
struct WriteResult {
    enum class Outcome {
        written,
        foreign,  ///< somebody else changed the knob since it was journaled: nothing was written
        gone,     ///< the target has ended, or is another program now: nothing was written
        failed,   ///< something of it may be written
    } outcome{};
    std::optional<Written> written{};
    std::string reason{};
};
WriteResult run_write(const WriteTask& task);

struct UndoTask {
    const Knob* knob = nullptr;
    KnobAt at{};
    KnobState to{};
    KnobState original{};  ///< of the chain: for what outlives the target
    KnobState ours{};
    std::optional<KnobState> earlier{};  ///< what a step before it set: ours, too
    Restore which = Restore::ours;
    bool force = false;  ///< also when it harms now
    std::vector<Heir> heirs{};
    std::uint64_t since_ticks = 0;
    bool ends = true;  ///< of the chain: heirs too go back to the original; else those with the newest value alone
};
struct UndoResult {
    enum class Outcome {
        undone,
        deferred,  ///< not safe now
        drifted,   ///< the value is not ours: left alone
        gone,
        failed,  ///< could not be written; to be tried again
    } outcome{};
    std::string reason{};
    std::string now{};                ///< drifted: what the target holds, for people
    std::optional<KnobState> held{};  ///< undone: what the target holds
    std::vector<Heir> heirs{};        ///< those that still hold something of ours
};
UndoResult run_undo(const UndoTask& task);

/// Children that inherited a value: those that were forked since, descend from the target and hold one of `values`.
std::vector<Heir> find_heirs(const Knob& knob, const KnobAt& at, std::uint64_t since_ticks,
                             const std::vector<Value>& values);

struct LookTask {
    std::int64_t id = 0;
    std::uint64_t revision = 0;  ///< the engine's: a result that is older than a later change says nothing
    const Knob* knob = nullptr;
    KnobAt at{};
    KnobState ours{};
};
struct LookResult {
    std::int64_t id = 0;
    std::uint64_t revision = 0;
    Presence presence = Presence::there;
    bool holds = true;  ///< also when it could not be read: not knowing is no drift
    std::string now{};  ///< for people, when it does not hold
};
/// Everything that is in force, and how far a look at it has come: who waits for it in vain learns where.
struct Look {
    std::vector<LookTask> tasks{};
    std::atomic<std::size_t> at = 0;
};
std::vector<LookResult> run_look(Look& look);

}  // namespace gotuned

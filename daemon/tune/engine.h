// The engine of adjustments: plan → guard → journal → write → (the rulebook verifies) → keep | undo. The one place
// that changes the host. Lives on the loop's thread; writes happen in the Worker and come back as completions.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "base/sysctl_write.h"
#include "base/time.h"
#include "observe/snapshot.h"
#include "rulebook/evaluator.h"
#include "tune/history.h"

namespace gotuned {

struct EngineOptions {
    Roots roots{};
    std::string run_dir = "/run/gotuned";  ///< journal.db, lock
    int per_minute = 10;                   ///< change budget of the node
    bool unsafe_bounds = false;
    Duration write_deadline = std::chrono::seconds(5);
    bool undo_on_stop = true;  ///< false: on_stop: keep
};

/// What `plan` says of one write: what would happen, without doing it.
struct PlanItem {
    std::string rule{};
    TargetId target{};
    std::string knob{};
    Reading<Value> now{};
    Reading<Value> wanted{};  ///< as computed
    Reading<Value> to{};      ///< after clamping into the bounds
    std::string clamped{};    ///< why it was clamped; empty when not
    std::string refused{};    ///< why it would not be made; empty when it would
    Mode mode{};
    std::string evidence{};
};

struct UndoOutcome {
    std::int64_t id = 0;
    std::string rule, target, knob;
    AdjustmentState state{};  ///< undone, undo_deferred, drifted, gone, failed
    std::string reason{};
};

/// A rule that leaves a target alone until somebody says `command`.
struct Yield {
    std::string rule{};
    TargetId target{};
    std::string why{};
    std::string command{};
};

/// Totals since start, for gotuned_adjustments_total{rule,knob,outcome}.
struct AdjustmentTotal {
    std::string rule, knob, outcome;  ///< applied kept undone refused drifted gone failed verify_failed overdue
    std::uint64_t count = 0;
};

class Engine {
public:
    /// Opens journal and lock. Errors: another daemon or an undo holds the lock; the journal cannot be opened.
    static Result<std::unique_ptr<Engine>> open(const EngineOptions& options, const Clock& clock, History* history);
    virtual ~Engine() = default;

    /// At start, once, with the first Snapshot: finishes what was interrupted, adopts what still stands (its rule is
    /// in `enforced`, its value is ours), undoes the rest safely. With `decide_nothing` everything is adopted.
    virtual Status recover(const Snapshot& snapshot, const Rulebook* rulebook) = 0;

    /// Takes the decisions of one evaluation. Never blocks: writes are handed to the worker.
    virtual void act(const std::vector<Decision>& decisions, const SnapshotPtr& snapshot) = 0;
    /// Deferred undos, deadlines, budget: called each tick.
    virtual void tick(const SnapshotPtr& snapshot) = 0;

    /// For the loop: readable when the worker has completed something; then call complete().
    [[nodiscard]] virtual int completion_fd() const = 0;
    virtual void complete() = 0;
    [[nodiscard]] virtual bool busy() const = 0;

    /// What the journal lost or cannot tell; empty when all is well.
    [[nodiscard]] virtual std::string journal_warning() const = 0;

    [[nodiscard]] virtual std::vector<LiveAdjustment> live() const = 0;
    [[nodiscard]] virtual std::vector<PlanItem> plan(const std::vector<Decision>& decisions,
                                                     const Snapshot& snapshot) const = 0;

    /// GT_FORK / GT_EXIT of the probes: a child of an adjusted process is journaled as its descendant.
    virtual void forked(pid_t parent, pid_t child) = 0;
    virtual void exited(pid_t pid) = 0;
    /// Somebody else writes a sysctl: what we hold of it is looked at now and not at the next tick, and a drift that is
    /// found names the writer.
    virtual void foreign_write(const SysctlWrite& write) = 0;
    /// Processes whose forks main must ask the probes to report (Probes::add_heir).
    std::function<void(pid_t, bool add)> heir_changed{};

    /// `gotunectl undo`: `id` 0 is all. Asynchronous: `done` is called from complete().
    virtual void undo(std::int64_t id, bool force, const std::string& actor,
                      std::function<void(std::vector<UndoOutcome>)> done) = 0;
    virtual void pause(bool paused, const std::string& actor) = 0;
    [[nodiscard]] virtual bool paused() const = 0;
    /// Too many verifications failed in a while: every fire is refused until pause(false). What is in force stays.
    [[nodiscard]] virtual bool circuit_open() const = 0;
    /// `resume RULE TARGET`: lifts a drifted adjustment's yield.
    virtual Status resume(const std::string& rule, const TargetId& target, const std::string& actor) = 0;

    /// Rules that yield for a target because somebody else changed a value; also where no adjustment is left.
    [[nodiscard]] virtual std::vector<Yield> yields() const = 0;

    [[nodiscard]] virtual std::vector<AdjustmentTotal> totals() const = 0;
    /// The rulebook was reloaded; adjustments whose rule was renamed or removed are the evaluator's to undo.
    virtual void rulebook_changed(const Rulebook& rulebook) = 0;

    /// Before exit: waits for the worker and undoes all unless kept; at most `patience`.
    virtual std::vector<UndoOutcome> stop(Duration patience) = 0;
};

/// `gotuned undo --unless-running`: takes the lock (0 and nothing done when a daemon holds it), undoes what the
/// journal holds, safely unless forced. What the journal cannot tell any more is one more outcome, failed. `history` is
/// asked for once the lock is ours: a daemon that runs is the only one that may open its history.
Result<std::vector<UndoOutcome>> undo_offline(const EngineOptions& options, const Clock& clock, bool force,
                                              bool& running, const std::function<History*()>& history = {});

/// What each packaged knob could do here: "rlimit.nofile: cannot raise hard limits: no CAP_SYS_RESOURCE".
struct PreflightItem {
    std::string knob;
    bool writable = false;
    std::string reason{};
};
std::vector<PreflightItem> preflight(const EngineOptions& options, const Rulebook& rulebook);

}  // namespace gotuned

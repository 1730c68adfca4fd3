// The engine's inside, shared by its files: engine.cpp (opening, decisions), plan.cpp (what would be written),
// write.cpp (groups of writes), undo.cpp, recover.cpp, descendants.cpp, settle.cpp (records, standings, ends).
// All of it runs on the loop's thread; the Worker gets jobs that own what they need.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/worker.h"
#include "tune/engine.h"
#include "tune/guard.h"
#include "tune/jobs.h"
#include "tune/journal.h"
#include "tune/knob.h"

namespace gotuned {

/// Why and how far something is put back.
struct UndoRequest {
    Undoing how_far = Undoing::chain;
    UndoCause cause = UndoCause::other;
    std::string reason{};
    std::string actor = "rule";
    Restore which = Restore::ours;
    bool force = false;
    AdjustmentState end = AdjustmentState::undone;  ///< or failed: how the chain ends once it is put back
};

/// A journaled adjustment that is not closed, and what the engine is doing with it.
struct Live {
    JournalEntry entry{};
    const Knob* knob = nullptr;         ///< nullptr: a newer version's
    bool in_flight = false;             ///< the worker has it
    MonoTime handed_over{};             ///< in flight: since when
    bool overdue = false;               ///< in flight, and past the deadline
    bool unseen = false;                ///< a look at it has not come back: no other is begun
    std::uint64_t revision = 0;         ///< changes with each write, so that a look of before it says nothing
    UndoRequest undo{};                 ///< the one under way, when entry.undoing says so
    std::optional<UndoRequest> next{};  ///< asked for while in flight
    bool back = false;                  ///< it holds the original again: only its heirs keep the undo from its end
    std::string now{};                  ///< drifted: what it holds, for people
    std::string writer{};               ///< who else wrote it last, for people; empty: not known
    std::string last_reason{};          ///< of the last try to undo: a new record only for a new reason
    [[nodiscard]] KnobAt at(const Roots& roots) const { return {roots, entry.knob, entry.target, entry.place}; }
};

/// One write of a decision, looked at.
struct PreparedWrite {
    const PlannedWrite* planned = nullptr;
    const Knob* knob = nullptr;
    KnobAt at{};
    std::optional<KnobState> now{};
    Reading<Value> wanted{};
    std::optional<Fitted> fitted{};
    std::optional<Refused> refused{};
    std::int64_t chain = 0;  ///< the live adjustment this is the next step of; 0: a new one
    [[nodiscard]] bool advises() const { return knob != nullptr && !knob->traits().changes; }
};
struct Prepared {
    std::vector<PreparedWrite> writes{};
    std::optional<Refused> refused{};  ///< the whole decision
    std::vector<Refused> standing{};   ///< all that the guard objects to
    std::string label{};
};

class EngineImpl final : public Engine {
public:
    EngineImpl(const EngineOptions& options, const Clock& clock, History* history, RunLock lock,
               std::unique_ptr<Journal> journal, std::string boot);
    Status load();
    Status find_broken_groups();

    Status recover(const Snapshot& snapshot, const Rulebook* rulebook) override;
    void act(const std::vector<Decision>& decisions, const SnapshotPtr& snapshot) override;
    void tick(const SnapshotPtr& snapshot) override;
    [[nodiscard]] int completion_fd() const override { return worker_.fd(); }
    void complete() override;
    [[nodiscard]] bool busy() const override { return worker_.busy(); }
    [[nodiscard]] std::string journal_warning() const override { return journal_->warning(); }
    [[nodiscard]] std::vector<LiveAdjustment> live() const override;
    [[nodiscard]] std::vector<PlanItem> plan(const std::vector<Decision>& decisions,
                                             const Snapshot& snapshot) const override;
    void forked(pid_t parent, pid_t child) override;
    void exited(pid_t pid) override;
    void foreign_write(const SysctlWrite& write) override;
    void undo(std::int64_t id, bool force, const std::string& actor,
              std::function<void(std::vector<UndoOutcome>)> done) override;
    void pause(bool paused, const std::string& actor) override;
    [[nodiscard]] bool paused() const override { return guard_.paused(); }
    [[nodiscard]] bool circuit_open() const override { return guard_.circuit_open(); }
    Status resume(const std::string& rule, const TargetId& target, const std::string& actor) override;
    [[nodiscard]] std::vector<Yield> yields() const override;
    [[nodiscard]] std::vector<AdjustmentTotal> totals() const override;
    void rulebook_changed(const Rulebook& rulebook) override;
    std::vector<UndoOutcome> stop(Duration patience) override;

    /// recover(), but nothing is adopted: for `gotuned undo`.
    std::vector<UndoOutcome> undo_everything(bool force, Duration patience);

private:
    using Key = std::pair<std::string, TargetId>;
    using Ids = std::vector<std::int64_t>;

    // plan.cpp
    [[nodiscard]] Prepared prepare(const Decision& decision, const Snapshot& snapshot) const;
    void look_closer(PreparedWrite& write, const Decision& decision, const Snapshot& snapshot) const;
    [[nodiscard]] std::optional<Refused> owner_objection(const Decision& decision, const PreparedWrite& write) const;
    [[nodiscard]] std::optional<Refused> chain_objection(const Decision& decision) const;

    // engine.cpp: decisions
    void on_fire(const Decision& decision, const Snapshot& snapshot);
    void on_keep(const Decision& decision);
    void on_fail(const Decision& decision);
    void on_undo(const Decision& decision);
    void on_call_off(const Decision& decision);
    void refuse(const Decision& decision, const Refused& refused, const Prepared& prepared);

    // write.cpp: groups of writes
    void apply(const Decision& decision, Prepared& prepared);
    void advise(const Decision& decision, const PreparedWrite& write, const std::string& label);
    void next_write(std::int64_t group);
    void finish_write(std::int64_t id, const WriteResult& result);
    void abandon_group(std::int64_t id, const WriteResult& result);
    void back_to_kept(Live& live);
    void back_a_step(Live& live, const KnobState& held);

    // undo.cpp
    void begin_undo(std::int64_t id, const UndoRequest& request);
    void submit_undo(Live& live);
    void finish_undo(std::int64_t id, const UndoResult& result);
    void put_off(Live& live, AdjustmentState outcome, const std::string& reason);
    void drift(Live& live, const std::string& reason, const std::string& now);
    static std::string drift_words(const Live& live, const std::string& now);
    void hand_over(Live& live, Worker::Job job);
    void came_late(std::int64_t id);
    [[nodiscard]] std::string late_words(const Live& live) const;
    void look_at_all();
    void looked(const std::vector<LookResult>& results);

    // recover.cpp
    void settle_planned(std::int64_t id);
    void forget_ended_yields();
    void find_unseen_heirs(Live& live);
    void adopt_or_undo(std::int64_t id, const Rulebook* rulebook);

    // descendants.cpp
    void watch(pid_t pid, int by);
    void watch_all(const Live& live, int by);
    void take_heirs(Live& live, std::vector<Heir> heirs);
    void end_gone(std::int64_t id, const std::string& reason);

    // settle.cpp: records, ends
    void save(const JournalEntry& entry);
    void save(const Standing& standing);
    void close(std::int64_t id, AdjustmentState state, const std::string& reason, const std::string& actor);
    void record(const Live& live, const std::string& event, const std::string& reason, const std::string& actor);
    void record(HistoryEntry entry);
    void count(const std::string& rule, const std::string& knob, std::string_view outcome);
    void resolve(std::int64_t id, const UndoOutcome& outcome);
    void finish_batches();
    /// Why an undo began, for people.
    static std::string why(const UndoRequest& request);
    static UndoOutcome outcome_of(const Live& live, AdjustmentState state, const std::string& reason);
    [[nodiscard]] Ids ids() const;
    [[nodiscard]] Ids group_ids(std::int64_t group) const;
    Live* find(std::int64_t id);
    void start_batch(const Ids& ids, std::function<void(std::vector<UndoOutcome>)> done);
    void report_circuit();
    std::vector<UndoOutcome> wait_for_undo(const Ids& ids, const UndoRequest& request, Duration patience);

    EngineOptions options_;
    const Clock& clock_;
    History* history_;
    RunLock lock_;
    std::unique_ptr<Journal> journal_;
    std::string boot_;
    Guard guard_;
    std::map<std::int64_t, Live> live_{};
    std::map<std::int64_t, JournalEntry> unsaved_{};  ///< what the journal would not take, to be tried again
    struct Seen {
        std::string word;
        MonoTime at;
    };
    std::map<Key, Seen> refused_{};
    std::map<pid_t, int> watched_{};
    std::map<std::tuple<std::string, std::string, std::string>, std::uint64_t> totals_{};
    /// Undos that somebody waits for.
    struct Batch {
        std::set<std::int64_t> waiting;
        std::vector<UndoOutcome> outcomes;
        std::function<void(std::vector<UndoOutcome>)> done;
    };
    std::vector<Batch> batches_{};
    std::set<std::int64_t> broken_{};  ///< groups of which one is put back: the others follow, whatever happens
    std::uint64_t looks_ = 0;          ///< looks that were begun
    bool looking_ = false;             ///< the last of them is under way
    bool look_again_ = false;          ///< asked for while looking: what was read may be older
    bool circuit_told_ = false;
    Worker worker_;  ///< the last: it ends first, so that no job outlives what its Finish would touch
};

/// "payments pid 4711", "cgroup /system.slice/payments.service", "host".
std::string label_of(const TargetId& target, const Snapshot& snapshot);

/// What the boot is known by; empty when PROC does not say.
std::string boot_id(const Roots& roots);

}  // namespace gotuned

// The journal: the crash-safe record of what was changed, and the only source of undo. SQLite in RUN_DIR/journal.db.
// Every method commits before it returns; what is written to the kernel is planned here first.
//
// The schema has a version (PRAGMA user_version) and only ever gains columns and tables, and rows are updated by
// column, so an older binary undoes what a newer one wrote and leaves what it does not know. A version that an older
// one must not touch says so in meta.readable_from.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/target.h"
#include "base/time.h"
#include "observe/snapshot.h"
#include "tune/knob.h"

namespace gotuned {

/// How far an undo that was begun goes.
enum class Undoing : std::uint8_t {
    none,
    step,   ///< back to what was held before the newest step
    chain,  ///< back to the first original; ends the adjustment
};

/// A child that was forked after a change and has it, too.
struct Heir {
    pid_t pid = 0;
    std::uint64_t start_ticks = 0;
    KnobState held{};  ///< what it inherited: undone only as long as it is still that
    friend bool operator==(const Heir&, const Heir&) = default;
};

/// One adjustment: a knob of a target, over all steps of its chain.
struct JournalEntry {
    std::int64_t id = 0;     ///< given by plan()
    std::int64_t group = 0;  ///< the id of the first adjustment of the decision; given by plan() when 0
    std::string rule{};
    TargetId target{};
    std::string place{};  ///< path of a cgroup
    std::string label{};  ///< the target for people
    std::string knob{};
    std::string boot{};  ///< boot id; given by plan()
    AdjustmentState state = AdjustmentState::planned;
    int step = 1;
    KnobState original{};            ///< what undo of the chain goes back to
    KnobState before{};              ///< what undo of the step goes back to
    Value wanted{};                  ///< of the newest step
    std::optional<KnobState> set{};  ///< what the kernel held after the newest step; nothing while planned
    Undoing undoing = Undoing::none;
    std::string undo_reason{};
    UndoCause undo_cause = UndoCause::other;
    Duration cooldown{};
    MonoTime planned_at{};
    MonoTime read_back{};
    MonoTime kept_at{};
    std::uint64_t since_ticks =
        0;  ///< first write, in clock ticks since boot: children older than that have nothing of it
    std::map<std::string, Reading<Value>> before_values{};  ///< before(x)
    std::vector<Heir> heirs{};
    std::string evidence{};
    std::string told{};   ///< of an undo that waits: what history was told, so that a retry tells only what is new
    bool let_go = false;  ///< drifted, and not to be reported any more

    /// Nothing of it is left to undo or to report.
    [[nodiscard]] bool closed() const;
};

/// What a rule has brought on itself for one target.
struct Standing {
    std::string rule{};
    TargetId target{};
    std::optional<MonoTime> cooldown_until{};
    std::optional<MonoTime> quarantine_until{};
    int failures = 0;     ///< verifications failed in a row
    bool yields = false;  ///< somebody else changed the value: until `resume RULE TARGET`
    std::string yields_why{};
    std::optional<MonoTime> cooldown_from{};  ///< nothing: not known (an older version journaled it)
};

/// Flags of the whole node.
enum class NodeFlag { paused, circuit_open };

class Journal {
public:
    /// Creates or opens. A file that is no journal, or a broken one, is moved aside: see warning(). Errors: the
    /// directory cannot be used; the journal was written by a version that this one must not touch.
    static Result<std::unique_ptr<Journal>> open(const std::string& path, const std::string& boot_id);
    virtual ~Journal() = default;
    /// What the opener should say loudly; empty when all is well.
    [[nodiscard]] virtual std::string warning() const = 0;

    /// Inserts those with id 0 (and fills id, group, boot in), updates the others; all or none.
    virtual Status plan(std::vector<JournalEntry>& entries) = 0;
    virtual Status save(const JournalEntry& entry) = 0;
    /// Those that are not closed, of this boot and of earlier ones, oldest first. A row that cannot be understood is
    /// not among them; it stays, and warning() names it.
    virtual Result<std::vector<JournalEntry>> open_entries() = 0;
    /// Also the closed ones that are still kept (the newest thousand): for tests and people.
    virtual Result<std::vector<JournalEntry>> all_entries() = 0;

    /// When the newest steps of adjustments were planned, also of closed ones, in this boot; oldest first.
    virtual Result<std::vector<MonoTime>> planned_since(MonoTime since) = 0;

    /// Adds one, or takes what it holds now.
    virtual Status add_heir(std::int64_t id, const Heir& heir) = 0;
    virtual Status drop_heir(std::int64_t id, const Heir& heir) = 0;

    virtual Status save(const Standing& standing) = 0;
    virtual Status forget(const Standing& standing) = 0;
    /// Of this boot: monotonic times of another mean nothing.
    virtual Result<std::vector<Standing>> standings() = 0;

    virtual Status set_flag(NodeFlag flag, bool on) = 0;
    [[nodiscard]] virtual Result<bool> flag(NodeFlag flag) = 0;
};

/// RUN_DIR/lock, held as long as it lives: one gotuned, or one undo, at a time.
class RunLock {
public:
    /// Errors: EWOULDBLOCK when another holds it ("another gotuned (pid N) holds …").
    static Result<RunLock> take(const std::string& run_dir);

private:
    explicit RunLock(Fd fd) : fd_(std::move(fd)) {}
    Fd fd_;
};

}  // namespace gotuned

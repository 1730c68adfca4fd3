#include "tune/history.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>

#include "base/log.h"
#include "base/worker.h"
#include "tune/sqlite.h"

namespace gotuned {
namespace {

constexpr std::int64_t application_id = 0x67746e68;  // "gtnh"
constexpr std::int64_t version = 1;
/// How long a reader waits for what was just added, and an end for what is left to write.
constexpr auto flush_patience = std::chrono::seconds(2);
constexpr std::size_t most_pending = 10000;
constexpr int prune_every = 64;

constexpr std::string_view schema = R"sql(
CREATE TABLE IF NOT EXISTS entry(
  id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, event TEXT NOT NULL, adjustment INTEGER NOT NULL DEFAULT 0, grp INTEGER NOT NULL DEFAULT 0,
  rule TEXT NOT NULL DEFAULT '', target TEXT NOT NULL DEFAULT '', target_id TEXT NOT NULL DEFAULT '', knob TEXT NOT NULL DEFAULT '',
  original TEXT NOT NULL DEFAULT '', from_value TEXT NOT NULL DEFAULT '', to_value TEXT NOT NULL DEFAULT '', reason TEXT NOT NULL DEFAULT '',
  evidence TEXT NOT NULL DEFAULT '', actor TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS entry_at ON entry(at);
)sql";

std::int64_t to_ns(WallTime at) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(at.time_since_epoch()).count();
}
WallTime from_ns(std::int64_t ns) {
    return WallTime(std::chrono::duration_cast<WallTime::duration>(std::chrono::nanoseconds(ns)));
}

Result<Database> open_usable(const std::string& path) {
    auto database = Database::open(path, Database::Access::create);
    if (!database) return database;
    if (auto set =
            database->execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA journal_size_limit=4194304");
        !set) {
        return fail(set.error());
    }
    const auto id = database->integer("PRAGMA application_id");
    const auto tables = database->integer("SELECT count(*) FROM sqlite_master");
    if (!id) return fail(id.error());
    if (!tables) return fail(tables.error());
    if (*tables != 0 && *id != application_id) return fail(path + " is not a history of gotuned");
    const auto found = database->integer("PRAGMA user_version");
    if (!found) return fail(found.error());
    // Not the whole of it: that may be hundreds of megabytes. A page that is broken shows when it is read or pruned.
    if (auto made = database->execute("BEGIN IMMEDIATE;" + std::string(schema) + "COMMIT"); !made)
        return fail(made.error());
    if (const auto last = database->integer("SELECT coalesce(max(id), 0) FROM entry"); !last) return fail(last.error());
    if (*found < version) {
        if (auto set = database->execute(
                fmt::format("PRAGMA application_id={}; PRAGMA user_version={}", application_id, version));
            !set) {
            return fail(set.error());
        }
    }
    return database;
}

/// What the worker writes from and the loop adds to.
struct Queue {
    std::mutex mutex{};
    std::condition_variable flushed{};
    std::deque<HistoryEntry> pending{};
    bool writing = false;
    std::uint64_t lost = 0;
};

/// The worker's side: the only writer of the file.
class Writer {
public:
    Writer(Database database, Duration keep, std::uint64_t max_bytes)
        : database_(std::move(database)), keep_(keep), max_bytes_(max_bytes) {}

    Status write(const std::deque<HistoryEntry>& entries) {
        auto transaction = Transaction::begin(database_);
        if (!transaction) return fail(transaction.error());
        auto insert = database_.prepare(
            "INSERT INTO entry(at, event, adjustment, grp, rule, target, target_id, knob, original, from_value, "
            "to_value, reason, evidence, actor) "
            "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)");
        if (!insert) return fail(insert.error());
        for (const HistoryEntry& entry : entries) {
            insert->bind(1, to_ns(entry.at))
                .bind(2, entry.event)
                .bind(3, entry.adjustment)
                .bind(4, entry.group)
                .bind(5, entry.rule);
            insert->bind(6, entry.target)
                .bind(7, entry.target_id)
                .bind(8, entry.knob)
                .bind(9, entry.original)
                .bind(10, entry.from);
            insert->bind(11, entry.to).bind(12, entry.reason).bind(13, entry.evidence).bind(14, entry.actor);
            if (auto done = insert->run(); !done) return done;
            newest_ = std::max(newest_, to_ns(entry.at));
            if (++since_prune_ >= prune_every) {
                if (auto pruned = prune(); !pruned) return pruned;
            }
        }
        return transaction->commit();
    }

    Status prune() {
        since_prune_ = 0;
        if (newest_ != 0) {
            auto old = database_.prepare("DELETE FROM entry WHERE at < ?1");
            if (!old) return fail(old.error());
            if (auto done = old->bind(1, newest_ - keep_.count()).run(); !done) return done;
        }
        for (;;) {
            const auto pages = database_.integer("PRAGMA page_count");
            const auto free = database_.integer("PRAGMA freelist_count");
            const auto size = database_.integer("PRAGMA page_size");
            const auto rows = database_.integer("SELECT count(*) FROM entry");
            if (!pages || !free || !size || !rows) return fail("cannot tell the size of " + database_.path());
            if (*rows == 0 || static_cast<std::uint64_t>((*pages - *free) * *size) <= max_bytes_) return {};
            // The pages that this frees are used again: the file stays as large as it is now.
            const std::string oldest =
                fmt::format("DELETE FROM entry WHERE id IN (SELECT id FROM entry ORDER BY id LIMIT {})", *rows / 8 + 1);
            if (auto done = database_.execute(oldest); !done) return done;
        }
    }

private:
    Database database_;
    Duration keep_;
    std::uint64_t max_bytes_;
    std::int64_t newest_ = 0;
    int since_prune_ = prune_every;  // the first write looks
};

class SqliteHistory final : public History {
public:
    SqliteHistory(std::string path, Database database, Duration keep, std::uint64_t max_bytes)
        : path_(std::move(path)), writer_(std::make_shared<Writer>(std::move(database), keep, max_bytes)) {}

    ~SqliteHistory() override {
        std::unique_lock lock(queue_->mutex);
        wait_for_flush(lock);
    }

    void add(HistoryEntry entry) override {
        const MonoTime now = MonoClock::now();
        worker_.complete(now);
        {
            const std::lock_guard lock(queue_->mutex);
            if (queue_->pending.size() >= most_pending) {  // the disk stalls; the journal is what counts
                ++queue_->lost;
                return;
            }
            queue_->pending.push_back(std::move(entry));
            if (queue_->pending.size() > 1) return;  // a job is under way that takes it, too
        }
        worker_.submit(now, [queue = queue_, writer = writer_]() -> Worker::Finish {
            flush(*queue, *writer);
            return {};
        });
    }

    Result<std::vector<HistoryEntry>> newest(std::size_t limit, const std::string& rule,
                                             const std::string& target) override {
        std::vector<HistoryEntry> found;
        {
            std::unique_lock lock(queue_->mutex);
            wait_for_flush(lock);
            // What a stalled disk has not taken yet is told all the same.
            for (auto entry = queue_->pending.rbegin(); entry != queue_->pending.rend() && found.size() < limit;
                 ++entry) {
                const bool of_rule = rule.empty() || entry->rule == rule;
                const bool of_target =
                    target.empty() || entry->target_id == target || entry->target.find(target) != std::string::npos;
                if (of_rule && of_target) found.push_back(*entry);
            }
        }
        auto database = Database::open(path_, Database::Access::read_only);
        if (!database) return fail(database.error());
        auto query = database->prepare(
            "SELECT id, at, event, adjustment, grp, rule, target, target_id, knob, original, from_value, to_value, "
            "reason, evidence, actor FROM entry "
            "WHERE (?1='' OR rule=?1) AND (?2='' OR target_id=?2 OR instr(target, ?2)>0) ORDER BY id DESC LIMIT ?3");
        if (!query) return fail(query.error());
        query->bind(1, rule).bind(2, target).bind(3, static_cast<std::int64_t>(limit - found.size()));
        for (;;) {
            const auto row = query->step();
            if (!row) return fail(row.error());
            if (!*row) return found;
            HistoryEntry entry;
            entry.id = query->integer(0);
            entry.at = from_ns(query->integer(1));
            entry.event = query->text(2);
            entry.adjustment = query->integer(3);
            entry.group = query->integer(4);
            entry.rule = query->text(5);
            entry.target = query->text(6);
            entry.target_id = query->text(7);
            entry.knob = query->text(8);
            entry.original = query->text(9);
            entry.from = query->text(10);
            entry.to = query->text(11);
            entry.reason = query->text(12);
            entry.evidence = query->text(13);
            entry.actor = query->text(14);
            found.push_back(std::move(entry));
        }
    }

private:
    void wait_for_flush(std::unique_lock<std::mutex>& lock) const {
        queue_->flushed.wait_for(lock, flush_patience, [this] { return queue_->pending.empty() && !queue_->writing; });
    }

    static void flush(Queue& queue, Writer& writer) {
        for (;;) {
            std::deque<HistoryEntry> batch;
            std::uint64_t lost = 0;
            {
                const std::lock_guard lock(queue.mutex);
                queue.writing = !queue.pending.empty();
                if (!queue.writing) {
                    queue.flushed.notify_all();
                    return;
                }
                std::swap(batch, queue.pending);
                std::swap(lost, queue.lost);
            }
            if (lost != 0) log_warning("{} entries of the history were lost: the disk did not take them in time", lost);
            if (auto written = writer.write(batch); !written) {
                log_error("{} entries of the history were lost: {}", batch.size(), to_string(written.error()));
            }
        }
    }

    std::string path_;
    std::shared_ptr<Queue> queue_ = std::make_shared<Queue>();
    std::shared_ptr<Writer> writer_;
    /// Its own, not the engine's: a disk that stalls must not hold up an undo.
    Worker worker_{std::chrono::seconds(30)};
};

}  // namespace

Result<std::unique_ptr<History>> open_history(const std::string& path, Duration keep, std::uint64_t max_bytes) {
    auto database = open_usable(path);
    // A full disk or a reader's lock must not hide a month of history behind an empty one.
    if (!database && !unsound(database.error())) return fail(database.error());
    if (!database) {
        const std::string why = to_string(database.error());
        const auto aside = move_aside(path);
        if (!aside) return fail(fmt::format("{}; {}", why, to_string(aside.error())));
        log_error("the history could not be used and was moved to {}: {}", *aside, why);
        database = open_usable(path);
        if (!database) return fail(database.error());
    }
    return std::make_unique<SqliteHistory>(path, std::move(*database), keep, max_bytes);
}

}  // namespace gotuned

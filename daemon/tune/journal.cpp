#include "tune/journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>

#include "base/fd.h"
#include "base/log.h"
#include "tune/crash_point.h"
#include "tune/sqlite.h"

namespace gotuned {
namespace {

/// "gtnj": a database of another program is not taken for a journal.
constexpr std::int64_t application_id = 0x67746e6a;
constexpr std::int64_t version = 3;
constexpr int closed_kept = 1000;

constexpr std::string_view schema = R"sql(
CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS adjustment(
  id INTEGER PRIMARY KEY AUTOINCREMENT, grp INTEGER NOT NULL DEFAULT 0, rule TEXT NOT NULL DEFAULT '', target TEXT NOT NULL DEFAULT '',
  place TEXT NOT NULL DEFAULT '', label TEXT NOT NULL DEFAULT '', knob TEXT NOT NULL DEFAULT '', boot TEXT NOT NULL DEFAULT '',
  state TEXT NOT NULL DEFAULT 'planned', closed INTEGER NOT NULL DEFAULT 0, step INTEGER NOT NULL DEFAULT 1,
  original TEXT NOT NULL DEFAULT '', original_detail TEXT NOT NULL DEFAULT '', before TEXT NOT NULL DEFAULT '', before_detail TEXT NOT NULL DEFAULT '',
  wanted TEXT NOT NULL DEFAULT '', held TEXT, held_detail TEXT,
  undoing TEXT NOT NULL DEFAULT 'none', undo_reason TEXT NOT NULL DEFAULT '', cooldown INTEGER NOT NULL DEFAULT 0,
  planned_at INTEGER NOT NULL DEFAULT 0, read_back INTEGER NOT NULL DEFAULT 0, kept_at INTEGER NOT NULL DEFAULT 0,
  since_ticks INTEGER NOT NULL DEFAULT 0, evidence TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS before_value(
  adjustment INTEGER NOT NULL, expression TEXT NOT NULL, value TEXT, absence INTEGER NOT NULL DEFAULT 0, detail TEXT NOT NULL DEFAULT '',
  PRIMARY KEY(adjustment, expression));
CREATE TABLE IF NOT EXISTS heir(
  adjustment INTEGER NOT NULL, pid INTEGER NOT NULL, start_ticks INTEGER NOT NULL,
  held TEXT NOT NULL DEFAULT '', held_detail TEXT NOT NULL DEFAULT '', PRIMARY KEY(adjustment, pid, start_ticks));
CREATE TABLE IF NOT EXISTS standing(
  rule TEXT NOT NULL, target TEXT NOT NULL, boot TEXT NOT NULL DEFAULT '', cooldown_until INTEGER, quarantine_until INTEGER,
  failures INTEGER NOT NULL DEFAULT 0, yields INTEGER NOT NULL DEFAULT 0, yields_why TEXT NOT NULL DEFAULT '', PRIMARY KEY(rule, target));
)sql";

/// What earlier versions did not have. Beside the schema, which makes what is missing whole, not what is there.
struct LaterColumn {
    std::string_view table, column, definition;
};
constexpr std::array later_columns{
    LaterColumn{"adjustment", "undo_cause", "TEXT NOT NULL DEFAULT ''"},
    LaterColumn{"standing", "cooldown_from", "INTEGER"},
    LaterColumn{"adjustment", "told", "TEXT NOT NULL DEFAULT ''"},
};

constexpr std::string_view columns =
    "grp=?2, rule=?3, target=?4, place=?5, label=?6, knob=?7, boot=?8, state=?9, closed=?10, step=?11, original=?12, "
    "original_detail=?13, before=?14, before_detail=?15, wanted=?16, held=?17, held_detail=?18, undoing=?19, "
    "undo_reason=?20, "
    "cooldown=?21, planned_at=?22, read_back=?23, kept_at=?24, since_ticks=?25, evidence=?26, undo_cause=?27, "
    "told=?28";

constexpr std::string_view selection =
    "SELECT id, grp, rule, target, place, label, knob, boot, state, step, original, original_detail, before, "
    "before_detail, wanted, "
    "held, held_detail, undoing, undo_reason, cooldown, planned_at, read_back, kept_at, since_ticks, evidence, "
    "undo_cause, told FROM adjustment ";

std::int64_t to_ns(MonoTime time) { return time.time_since_epoch().count(); }
MonoTime from_ns(std::int64_t ns) { return MonoTime(Duration(ns)); }

std::string_view words(Undoing undoing) {
    switch (undoing) {
        case Undoing::none:
            return "none";
        case Undoing::step:
            return "step";
        case Undoing::chain:
            return "chain";
    }
    return "none";
}
/// What a newer version calls otherwise is undone whole: that is always right, if more than was meant.
Undoing parse_undoing(const std::string& text) {
    return text == "none" ? Undoing::none : text == "step" ? Undoing::step : Undoing::chain;
}

std::string_view words(NodeFlag flag) { return flag == NodeFlag::paused ? "paused" : "circuit_open"; }

class SqliteJournal final : public Journal {
public:
    SqliteJournal(Database database, std::string boot) : database_(std::move(database)), boot_(std::move(boot)) {}

    void warn(const std::string& text) { warning_ += (warning_.empty() ? "" : "; ") + text; }
    [[nodiscard]] std::string warning() const override { return warning_; }

    Status plan(std::vector<JournalEntry>& entries) override {
        auto transaction = Transaction::begin(database_);
        if (!transaction) return fail(transaction.error());
        std::vector<JournalEntry> next = entries;
        std::int64_t group = 0;
        for (JournalEntry& entry : next) {
            if (entry.id == 0) {
                if (auto made = database_.execute("INSERT INTO adjustment DEFAULT VALUES"); !made) return made;
                entry.id = database_.last_id();
                entry.boot = boot_;
            }
            if (group == 0) group = entry.group != 0 ? entry.group : entry.id;
            if (entry.group == 0) entry.group = group;
            if (auto put = update(entry); !put) return put;
            for (const auto& [expression, value] : entry.before_values)
                if (auto kept = put_before(entry.id, expression, value); !kept) return kept;
        }
        crash_point("before journal plan");
        if (auto committed = transaction->commit(); !committed) return committed;
        crash_point("after journal plan");
        entries = std::move(next);
        return {};
    }

    Status save(const JournalEntry& entry) override {
        auto transaction = Transaction::begin(database_);
        if (!transaction) return fail(transaction.error());
        if (auto put = update(entry); !put) return put;
        if (entry.closed()) {
            auto heirs = database_.prepare("DELETE FROM heir WHERE adjustment=?1");
            if (!heirs) return fail(heirs.error());
            if (auto gone = heirs->bind(1, entry.id).run(); !gone) return gone;
            if (auto pruned = prune(); !pruned) return pruned;
        }
        crash_point("before journal save");
        if (auto committed = transaction->commit(); !committed) return committed;
        crash_point("after journal save");
        return {};
    }

    Result<std::vector<JournalEntry>> open_entries() override { return entries("WHERE closed=0 ORDER BY id"); }
    Result<std::vector<JournalEntry>> all_entries() override { return entries("ORDER BY id"); }

    Result<std::vector<MonoTime>> planned_since(MonoTime since) override {
        auto statement =
            database_.prepare("SELECT planned_at FROM adjustment WHERE boot=?1 AND planned_at>?2 ORDER BY planned_at");
        if (!statement) return fail(statement.error());
        statement->bind(1, boot_).bind(2, to_ns(since));
        std::vector<MonoTime> found;
        for (;;) {
            const auto row = statement->step();
            if (!row) return fail(row.error());
            if (!*row) return found;
            found.push_back(from_ns(statement->integer(0)));
        }
    }

    Status add_heir(std::int64_t id, const Heir& heir) override {
        auto statement = database_.prepare(
            "INSERT INTO heir(adjustment, pid, start_ticks, held, held_detail) VALUES(?1, ?2, ?3, ?4, ?5) "
            "ON CONFLICT(adjustment, pid, start_ticks) DO UPDATE SET held=?4, held_detail=?5");
        if (statement) statement->bind(4, encode(heir.held.value)).bind(5, heir.held.detail);
        return run_heir(statement, id, heir);
    }
    Status drop_heir(std::int64_t id, const Heir& heir) override {
        auto statement = database_.prepare("DELETE FROM heir WHERE adjustment=?1 AND pid=?2 AND start_ticks=?3");
        return run_heir(statement, id, heir);
    }

    Status save(const Standing& standing) override {
        auto statement = database_.prepare(
            "INSERT INTO standing(rule, target, boot, cooldown_until, quarantine_until, failures, yields, yields_why, "
            "cooldown_from) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT(rule, target) DO UPDATE SET "
            "boot=?3, cooldown_until=?4, quarantine_until=?5, failures=?6, yields=?7, yields_why=?8, cooldown_from=?9");
        if (!statement) return fail(statement.error());
        statement->bind(1, standing.rule).bind(2, to_string(standing.target)).bind(3, boot_);
        bind_time(*statement, 4, standing.cooldown_until);
        bind_time(*statement, 5, standing.quarantine_until);
        statement->bind(6, std::int64_t{standing.failures})
            .bind(7, std::int64_t{standing.yields})
            .bind(8, standing.yields_why);
        bind_time(*statement, 9, standing.cooldown_from);
        crash_point("before journal standing");
        auto done = statement->run();
        crash_point("after journal standing");
        return done;
    }

    Status forget(const Standing& standing) override {
        auto statement = database_.prepare("DELETE FROM standing WHERE rule=?1 AND target=?2");
        if (!statement) return fail(statement.error());
        return statement->bind(1, standing.rule).bind(2, to_string(standing.target)).run();
    }

    Result<std::vector<Standing>> standings() override {
        auto statement = database_.prepare(
            "SELECT rule, target, cooldown_until, quarantine_until, failures, yields, yields_why, cooldown_from FROM "
            "standing WHERE boot=?1");
        if (!statement) return fail(statement.error());
        statement->bind(1, boot_);
        std::vector<Standing> found;
        for (;;) {
            const auto row = statement->step();
            if (!row) return fail(row.error());
            if (!*row) return found;
            Standing standing;
            standing.rule = statement->text(0);
            if (!parse_target(statement->text(1), standing.target)) continue;
            if (!statement->is_null(2)) standing.cooldown_until = from_ns(statement->integer(2));
            if (!statement->is_null(3)) standing.quarantine_until = from_ns(statement->integer(3));
            standing.failures = static_cast<int>(statement->integer(4));
            standing.yields = statement->integer(5) != 0;
            standing.yields_why = statement->text(6);
            if (!statement->is_null(7)) standing.cooldown_from = from_ns(statement->integer(7));
            found.push_back(std::move(standing));
        }
    }

    Status set_flag(NodeFlag flag, bool on) override {
        auto statement =
            database_.prepare("INSERT INTO meta(key, value) VALUES(?1, ?2) ON CONFLICT(key) DO UPDATE SET value=?2");
        if (!statement) return fail(statement.error());
        return statement->bind(1, words(flag)).bind(2, std::string_view(on ? "1" : "0")).run();
    }

    [[nodiscard]] Result<bool> flag(NodeFlag flag) override {
        auto statement = database_.prepare("SELECT value FROM meta WHERE key=?1");
        if (!statement) return fail(statement.error());
        const auto row = statement->bind(1, words(flag)).step();
        if (!row) return fail(row.error());
        return *row && statement->text(0) == "1";
    }

private:
    static void bind_time(Statement& statement, int parameter, const std::optional<MonoTime>& time) {
        if (time)
            statement.bind(parameter, to_ns(*time));
        else
            statement.bind_null(parameter);
    }

    static Status run_heir(Result<Statement>& statement, std::int64_t id, const Heir& heir) {
        if (!statement) return fail(statement.error());
        crash_point("before journal heir");
        auto done = statement->bind(1, id)
                        .bind(2, std::int64_t{heir.pid})
                        .bind(3, static_cast<std::int64_t>(heir.start_ticks))
                        .run();
        crash_point("after journal heir");
        return done;
    }

    [[nodiscard]] Status update(const JournalEntry& entry) const {
        auto statement = database_.prepare(fmt::format("UPDATE adjustment SET {} WHERE id=?1", columns));
        if (!statement) return fail(statement.error());
        statement->bind(1, entry.id)
            .bind(2, entry.group)
            .bind(3, entry.rule)
            .bind(4, to_string(entry.target))
            .bind(5, entry.place);
        statement->bind(6, entry.label).bind(7, entry.knob).bind(8, entry.boot).bind(9, to_string(entry.state));
        statement->bind(10, std::int64_t{entry.closed()}).bind(11, std::int64_t{entry.step});
        statement->bind(12, encode(entry.original.value)).bind(13, entry.original.detail);
        statement->bind(14, encode(entry.before.value)).bind(15, entry.before.detail).bind(16, encode(entry.wanted));
        if (entry.set)
            statement->bind(17, encode(entry.set->value)).bind(18, entry.set->detail);
        else
            statement->bind_null(17).bind_null(18);
        statement->bind(19, words(entry.undoing))
            .bind(20, entry.undo_reason)
            .bind(21, std::int64_t{entry.cooldown.count()});
        statement->bind(22, to_ns(entry.planned_at)).bind(23, to_ns(entry.read_back)).bind(24, to_ns(entry.kept_at));
        statement->bind(25, static_cast<std::int64_t>(entry.since_ticks)).bind(26, entry.evidence);
        statement->bind(27, to_string(entry.undo_cause)).bind(28, entry.told);
        return statement->run();
    }

    [[nodiscard]] Status put_before(std::int64_t id, const std::string& expression, const Reading<Value>& value) const {
        auto statement = database_.prepare(
            "INSERT OR REPLACE INTO before_value(adjustment, expression, value, absence, detail) VALUES(?1, ?2, ?3, "
            "?4, ?5)");
        if (!statement) return fail(statement.error());
        statement->bind(1, id).bind(2, expression);
        if (value)
            statement->bind(3, encode(*value)).bind(4, std::int64_t{0}).bind(5, std::string_view());
        else
            statement->bind_null(3)
                .bind(4, static_cast<std::int64_t>(value.absent().reason))
                .bind(5, value.absent().detail);
        return statement->run();
    }

    [[nodiscard]] Status prune() const {
        const std::string old = fmt::format(
            "closed=1 AND id <= (SELECT id FROM adjustment WHERE closed=1 ORDER BY id DESC LIMIT 1 OFFSET {})",
            closed_kept);
        if (auto gone = database_.execute("DELETE FROM adjustment WHERE " + old); !gone) return gone;
        return database_.execute("DELETE FROM before_value WHERE adjustment NOT IN (SELECT id FROM adjustment)");
    }

    Result<std::vector<JournalEntry>> entries(const std::string& which) {
        auto statement = database_.prepare(std::string(selection) + which);
        if (!statement) return fail(statement.error());
        std::vector<JournalEntry> found;
        for (;;) {
            const auto row = statement->step();
            if (!row) return fail(row.error());
            if (!*row) break;
            auto entry = read_row(*statement);
            if (entry)
                found.push_back(std::move(*entry));
            else
                warn(to_string(entry.error()));
        }
        for (JournalEntry& entry : found)
            if (auto more = read_more(entry); !more) return fail(more.error());
        return found;
    }

    static Result<JournalEntry> read_row(const Statement& row) {
        JournalEntry entry;
        entry.id = row.integer(0);
        entry.group = row.integer(1);
        entry.rule = row.text(2);
        bool good = parse_target(row.text(3), entry.target);
        entry.place = row.text(4);
        entry.label = row.text(5);
        entry.knob = row.text(6);
        entry.boot = row.text(7);
        // A state of a newer version: what is open was changed, and must be undone.
        entry.state = parse_adjustment_state(row.text(8)).value_or(AdjustmentState::applied);
        entry.step = static_cast<int>(row.integer(9));
        good = good && decode(row.text(10), entry.original.value) && decode(row.text(12), entry.before.value) &&
               decode(row.text(14), entry.wanted);
        entry.original.detail = row.text(11);
        entry.before.detail = row.text(13);
        if (!row.is_null(15)) {
            entry.set = KnobState{{}, row.text(16)};
            good = good && decode(row.text(15), entry.set->value);
        }
        entry.undoing = parse_undoing(row.text(17));
        entry.undo_reason = row.text(18);
        entry.cooldown = Duration(row.integer(19));
        entry.planned_at = from_ns(row.integer(20));
        entry.read_back = from_ns(row.integer(21));
        entry.kept_at = from_ns(row.integer(22));
        entry.since_ticks = static_cast<std::uint64_t>(row.integer(23));
        entry.evidence = row.text(24);
        entry.undo_cause = parse_undo_cause(row.text(25)).value_or(UndoCause::other);
        entry.told = row.text(26);
        if (!good) {
            return fail(fmt::format("adjustment {} in the journal cannot be understood: {} of {} stays as it is",
                                    entry.id, entry.knob, entry.label));
        }
        return entry;
    }

    Status read_more(JournalEntry& entry) const {
        auto heirs =
            database_.prepare("SELECT pid, start_ticks, held, held_detail FROM heir WHERE adjustment=?1 ORDER BY pid");
        if (!heirs) return fail(heirs.error());
        heirs->bind(1, entry.id);
        for (;;) {
            const auto row = heirs->step();
            if (!row) return fail(row.error());
            if (!*row) break;
            Heir heir{static_cast<pid_t>(heirs->integer(0)), static_cast<std::uint64_t>(heirs->integer(1)), {}};
            heir.held.detail = heirs->text(3);
            if (decode(heirs->text(2), heir.held.value)) entry.heirs.push_back(std::move(heir));
        }
        auto values =
            database_.prepare("SELECT expression, value, absence, detail FROM before_value WHERE adjustment=?1");
        if (!values) return fail(values.error());
        values->bind(1, entry.id);
        for (;;) {
            const auto row = values->step();
            if (!row) return fail(row.error());
            if (!*row) return {};
            Value value;
            if (!values->is_null(1) && decode(values->text(1), value))
                entry.before_values[values->text(0)] = value;
            else
                entry.before_values[values->text(0)] =
                    Absent{static_cast<Absence>(values->integer(2)), values->text(3)};
        }
    }

    Database database_;
    std::string boot_;
    std::string warning_{};
};

/// Why this database cannot be the journal. ENOTSUP: because a newer version forbids it, so it must not be moved.
Status make_usable(const Database& database) {
    // Alone by the lock beside it; so SQLite need not look for changes by others before each statement.
    if (auto set =
            database.execute("PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=TRUNCATE; PRAGMA synchronous=FULL");
        !set)
        return set;
    const auto check = database.text("PRAGMA quick_check(1)");
    if (!check) return fail(check.error());
    if (*check != "ok") return fail(database.path() + " is damaged: " + *check);
    const auto id = database.integer("PRAGMA application_id");
    const auto tables = database.integer("SELECT count(*) FROM sqlite_master");
    if (!id) return fail(id.error());
    if (!tables) return fail(tables.error());
    if (*tables != 0 && *id != application_id) return fail(database.path() + " is not a journal of gotuned");
    const auto found = database.integer("PRAGMA user_version");
    if (!found) return fail(found.error());
    if (*tables != 0 && *found > version) {
        const auto from = database.integer("SELECT max(cast(value AS INTEGER)) FROM meta WHERE key='readable_from'");
        if (from && *from > version) {
            return fail(fmt::format("{} was written by a newer gotuned (schema {}), which older ones must not touch",
                                    database.path(), *found),
                        ENOTSUP, {}, "start the newer version again, or let it undo first");
        }
    }
    // Where all is there nothing is written: also on a full disk a journal can be opened, and what it holds undone.
    // EXCLUSIVE: the lock that keeps others out is had now, or not at all.
    std::string make = "BEGIN EXCLUSIVE;" + std::string(schema);
    if (*id != application_id) make += fmt::format("PRAGMA application_id={};", application_id);
    for (const auto& [table, column, definition] : later_columns) {
        const auto there = database.integer(
            fmt::format("SELECT count(*) FROM pragma_table_info('{}') WHERE name='{}'", table, column));
        if (!there) return fail(there.error());
        if (*there == 0) make += fmt::format("ALTER TABLE {} ADD COLUMN {} {};", table, column, definition);
    }
    if (*found < version) make += fmt::format("PRAGMA user_version={};", version);
    return database.execute(make + "COMMIT");
}

Result<Database> open_usable(const std::string& path) {
    // For root alone before SQLite sees it: a reader could take a lock, and the file beside it gets the same mode. What
    // cannot be opened here cannot be opened by SQLite, which says so.
    if (const Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600)); file.valid())
        static_cast<void>(::fchmod(file.get(), 0600));
    auto database = Database::open(path, Database::Access::create);
    if (!database) return database;
    if (auto usable = make_usable(*database); !usable) return fail(usable.error());
    return database;
}

}  // namespace

bool JournalEntry::closed() const {
    switch (state) {
        case AdjustmentState::undone:
        case AdjustmentState::refused:
        case AdjustmentState::gone:
        case AdjustmentState::failed:
            return true;
        default:
            return let_go;
    }
}

Result<std::unique_ptr<Journal>> Journal::open(const std::string& path, const std::string& boot_id) {
    std::string warning;
    auto database = open_usable(path);
    // Only what is no sound journal is moved aside: to start with an empty one because the disk is full would lose the
    // only record of what to put back.
    if (!database && database.error().code == EBUSY) {
        Error busy = database.error();
        busy.hint = "another process holds a lock on the journal, perhaps one that reads it: end it, or wait for it";
        return fail(std::move(busy));
    }
    if (!database && !unsound(database.error())) return fail(database.error());
    if (!database) {
        const std::string why = to_string(database.error());
        const auto aside = move_aside(path);
        if (!aside) return fail(fmt::format("{}; {}", why, to_string(aside.error())));
        warning = fmt::format(
            "the journal could not be used and was moved to {}: {}. What it recorded cannot be undone by gotuned",
            *aside, why);
        log_error("{}", warning);
        database = open_usable(path);
        if (!database) return fail(database.error());
    }
    auto journal = std::make_unique<SqliteJournal>(std::move(*database), boot_id);
    if (!warning.empty()) journal->warn(warning);
    return journal;
}

}  // namespace gotuned

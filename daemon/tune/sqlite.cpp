#include "tune/sqlite.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace gotuned {
namespace {

/// The errno that says the same; 0 where none does. EUCLEAN: what is in the file is no (sound) database.
int errno_of(sqlite3* db, int code) {
    switch (code & 0xFF) {
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return EBUSY;
        case SQLITE_FULL:
            return ENOSPC;
        case SQLITE_NOMEM:
            return ENOMEM;
        case SQLITE_PERM:
        case SQLITE_AUTH:
        case SQLITE_READONLY:
            return EACCES;
        case SQLITE_IOERR:
        case SQLITE_CANTOPEN: {
            const int told = db != nullptr ? sqlite3_system_errno(db) : 0;
            return told != 0 ? told : EIO;
        }
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
            return EUCLEAN;
        default:
            return 0;
    }
}

tl::unexpected<Error> sqlite_error(const std::string& doing, sqlite3* db, int code) {
    const char* const words = db != nullptr ? sqlite3_errmsg(db) : sqlite3_errstr(code);
    return fail(doing + ": " + words + " (SQLite " + std::to_string(code) + ")", errno_of(db, code));
}

}  // namespace

Result<bool> Statement::step() {
    if (bound_ != SQLITE_OK) return sqlite_error("cannot bind", db_, bound_);
    const int code = sqlite3_step(statement_.get());
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    return sqlite_error("cannot run a statement", db_, code);
}

Status Statement::run() {
    const auto stepped = step();
    sqlite3_reset(statement_.get());
    sqlite3_clear_bindings(statement_.get());
    bound_ = SQLITE_OK;
    if (!stepped) return fail(stepped.error());
    return {};
}

std::string Statement::text(int column) const {
    const auto* const bytes = static_cast<const char*>(sqlite3_column_blob(statement_.get(), column));
    if (bytes == nullptr) return {};
    return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

Result<Database> Database::open(const std::string& path, Access access) {
    sqlite3* raw = nullptr;
    const int flags = access == Access::read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    const int code = sqlite3_open_v2(path.c_str(), &raw, flags | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE, nullptr);
    Database database(raw, path);
    if (code != SQLITE_OK) return sqlite_error("cannot open " + path, raw, code);
    sqlite3_busy_timeout(raw, 2000);
    return database;
}

Status Database::execute(const std::string& sql) const {
    const int code = sqlite3_exec(db_.get(), sql.c_str(), nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return sqlite_error("cannot use " + path_, db_.get(), code);
    return {};
}

Result<Statement> Database::prepare(const std::string& sql) const {
    sqlite3_stmt* statement = nullptr;
    const int code = sqlite3_prepare_v2(db_.get(), sql.c_str(), -1, &statement, nullptr);
    if (code != SQLITE_OK) return sqlite_error("cannot use " + path_, db_.get(), code);
    return Statement(db_.get(), statement);
}

Result<std::int64_t> Database::integer(const std::string& sql) const {
    auto statement = prepare(sql);
    if (!statement) return fail(statement.error());
    const auto row = statement->step();
    if (!row) return fail(row.error());
    if (!*row) return fail("no row for " + sql);
    return statement->integer(0);
}

Result<std::string> Database::text(const std::string& sql) const {
    auto statement = prepare(sql);
    if (!statement) return fail(statement.error());
    const auto row = statement->step();
    if (!row) return fail(row.error());
    if (!*row) return fail("no row for " + sql);
    return statement->text(0);
}

Result<Transaction> Transaction::begin(const Database& database) {
    if (auto begun = database.execute("BEGIN IMMEDIATE"); !begun) return fail(begun.error());
    return Transaction(&database);
}

Transaction::~Transaction() {
    // A rollback that fails leaves the transaction to be rolled back by the next open.
    if (database_ != nullptr) static_cast<void>(database_->execute("ROLLBACK"));
}

Status Transaction::commit() {
    auto committed = database_->execute("COMMIT");
    if (committed) database_ = nullptr;
    return committed;
}

bool unsound(const Error& error) { return error.code == 0 || error.code == EUCLEAN; }

Result<std::string> move_aside(const std::string& path) {
    for (int number = 1; number < 1000; ++number) {
        std::string aside = path + ".unusable-" + std::to_string(number);
        if (::access(aside.c_str(), F_OK) == 0) continue;
        if (std::rename(path.c_str(), aside.c_str()) != 0) return fail("cannot move " + path + " aside", errno);
        for (const char* const suffix : {"-wal", "-shm", "-journal"}) {
            const std::string side = path + suffix;
            if (::access(side.c_str(), F_OK) == 0)
                static_cast<void>(std::rename(side.c_str(), (aside + suffix).c_str()));
        }
        return aside;
    }
    return fail("cannot move " + path + " aside: a thousand unusable ones are there already", EEXIST);
}

}  // namespace gotuned

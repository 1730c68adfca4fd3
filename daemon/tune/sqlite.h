// SQLite's handles as owners: a Database closes, a Statement finalizes. For journal.cpp and history.cpp alone.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace gotuned {

class Database;

/// A prepared statement. Parameters count from 1, columns from 0, as SQLite has it.
class Statement {
public:
    Statement(sqlite3* db, sqlite3_stmt* statement) : db_(db), statement_(statement) {}

    Statement& bind(int parameter, std::int64_t value) {
        note(sqlite3_bind_int64(statement_.get(), parameter, value));
        return *this;
    }
    Statement& bind(int parameter, std::string_view value) {
        note(sqlite3_bind_text64(statement_.get(), parameter, value.data(), value.size(), SQLITE_TRANSIENT,
                                 SQLITE_UTF8));
        return *this;
    }
    Statement& bind_null(int parameter) {
        note(sqlite3_bind_null(statement_.get(), parameter));
        return *this;
    }
    /// True: a row is there; false: done.
    Result<bool> step();
    /// For statements without rows. Leaves the statement ready to be bound again.
    Status run();

    [[nodiscard]] std::int64_t integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }
    [[nodiscard]] bool is_null(int column) const {
        return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
    }
    [[nodiscard]] std::string text(int column) const;

private:
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
    };
    void note(int code) {
        if (bound_ == SQLITE_OK) bound_ = code;
    }
    sqlite3* db_;
    std::unique_ptr<sqlite3_stmt, Finalize> statement_;
    int bound_ = SQLITE_OK;
};

class Database {
public:
    enum class Access { read_only, create };
    static Result<Database> open(const std::string& path, Access access);
    [[nodiscard]] Status execute(const std::string& sql) const;
    [[nodiscard]] Result<Statement> prepare(const std::string& sql) const;
    /// First column of the first row; an error when there is none.
    [[nodiscard]] Result<std::int64_t> integer(const std::string& sql) const;
    [[nodiscard]] Result<std::string> text(const std::string& sql) const;
    [[nodiscard]] std::int64_t last_id() const { return sqlite3_last_insert_rowid(db_.get()); }
    [[nodiscard]] const std::string& path() const { return path_; }

private:
    struct Close {
        void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
    };
    Database(sqlite3* db, std::string path) : db_(db), path_(std::move(path)) {}
    std::unique_ptr<sqlite3, Close> db_;
    std::string path_;
};

/// BEGIN IMMEDIATE … commit(); rolled back when it goes out of scope without.
class Transaction {
public:
    static Result<Transaction> begin(const Database& database);
    Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
    Transaction& operator=(Transaction&&) = delete;
    ~Transaction();
    Status commit();

private:
    explicit Transaction(const Database* database) : database_(database) {}
    const Database* database_;
};

/// Whether an error says that the file itself is no (sound) database of ours. Busy, full, out of memory or descriptors,
/// not permitted: all that passes, and the file is as good as it was.
bool unsound(const Error& error);

/// A database that cannot be used is kept for people beside its place: PATH.unusable-N (with its -wal, -shm and
/// -journal, which would else be replayed into the new one). The new name.
Result<std::string> move_aside(const std::string& path);

}  // namespace gotuned

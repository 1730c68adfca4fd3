#include "tune/history.h"

#include <filesystem>

#include "catch.h"
#include "full_disk.h"
#include "temporary.h"
#include "tune/sqlite.h"

using namespace gotuned;
using gotuned::test::FullDisk;
using gotuned::test::Temporary;

namespace {

HistoryEntry entry(const std::string& event, const std::string& rule = "raise", std::int64_t second = 1'700'000'000) {
    HistoryEntry made;
    made.at = WallTime(std::chrono::seconds(second));
    made.event = event;
    made.adjustment = 7;
    made.group = 6;
    made.rule = rule;
    made.target = "payments pid 4711";
    made.target_id = "process:4711:1:2";
    made.knob = "rlimit.nofile";
    made.original = "256";
    made.from = "256";
    made.to = "1024";
    made.reason = "because";
    made.evidence = "fd.used (250) / fd.limit (256) = 97.7%";
    made.actor = "rule";
    return made;
}
constexpr Duration month = std::chrono::hours(24 * 30);
std::unique_ptr<History> open(const Temporary& dir, Duration keep = month, std::uint64_t most = 1U << 28U) {
    auto opened = open_history(dir / "history.db", keep, most);
    REQUIRE(opened);
    return std::move(*opened);
}

}  // namespace

TEST_CASE("what was told is read back whole, newest first, also after a restart") {
    const Temporary dir;
    {
        const auto history = open(dir);
        history->add(entry("applied"));
        history->add(entry("undone"));
        CHECK(history->newest(10, "", "")->size() == 2);
    }
    const auto found = open(dir)->newest(10, "", "");
    REQUIRE(found);
    REQUIRE(found->size() == 2);
    const HistoryEntry& first = found->at(0);
    CHECK(first.event == "undone");
    CHECK(first.id > found->at(1).id);
    const HistoryEntry told = entry("undone");
    CHECK(first.at == told.at);
    CHECK(first.adjustment == 7);
    CHECK(first.group == 6);
    CHECK(first.rule == told.rule);
    CHECK(first.target == told.target);
    CHECK(first.target_id == told.target_id);
    CHECK(first.knob == told.knob);
    CHECK(first.original == told.original);
    CHECK(first.from == told.from);
    CHECK(first.to == told.to);
    CHECK(first.reason == told.reason);
    CHECK(first.evidence == told.evidence);
    CHECK(first.actor == told.actor);
}

TEST_CASE("history is filtered by rule and target, and limited") {
    const Temporary dir;
    const auto history = open(dir);
    for (int i = 0; i < 5; ++i) history->add(entry("applied", "a"));
    HistoryEntry other = entry("applied", "b");
    other.target = "host";
    other.target_id = "host";
    history->add(other);
    CHECK(history->newest(3, "", "")->size() == 3);
    CHECK(history->newest(100, "a", "")->size() == 5);
    CHECK(history->newest(100, "", "host")->size() == 1);
    CHECK(history->newest(100, "", "payments")->size() == 5);
    CHECK(history->newest(100, "", "process:4711:1:2")->size() == 5);
    CHECK(history->newest(100, "b", "payments")->empty());
    CHECK(history->newest(100, "'; DROP TABLE entry; --", "")->empty());
    CHECK(history->newest(100, "", "")->size() == 6);
}

TEST_CASE("entries that are too old are deleted") {
    const Temporary dir;
    {
        const auto history = open(dir, std::chrono::hours(24));
        history->add(entry("old", "a", 1'700'000'000));
        history->add(entry("young", "a", 1'700'000'000 + 24 * 3600 + 1));
    }
    const auto history = open(dir, std::chrono::hours(24));
    for (int i = 0; i < 64; ++i) history->add(entry("young", "a", 1'700'000'000 + 24 * 3600 + 2));
    const auto left = history->newest(1000, "", "");
    REQUIRE_FALSE(left->empty());
    for (const HistoryEntry& one : *left) CHECK(one.event == "young");
}

TEST_CASE("the file stays near the size it may have, and the newest stay") {
    const Temporary dir;
    constexpr std::uint64_t most = 512 * 1024;
    {
        const auto history = open(dir, month, most);
        HistoryEntry large = entry("applied");
        large.evidence = std::string(2000, 'x');
        for (int i = 0; i < 2000; ++i) {
            large.adjustment = i;
            history->add(large);
            if (i % 200 == 0) static_cast<void>(history->newest(1, "", ""));  // in parts, as in life
        }
        CHECK(history->newest(1, "", "")->at(0).adjustment == 1999);
    }
    CHECK(std::filesystem::file_size(dir / "history.db") < 2 * most);
}

TEST_CASE("a history that is none is moved aside, and a new one begins") {
    const Temporary dir;
    const std::string content = "this is not a database, however long it may be: " + std::string(8192, 'x');
    dir.put("history.db", content);
    const auto history = open(dir);
    history->add(entry("applied"));
    CHECK(history->newest(10, "", "")->size() == 1);
    CHECK(dir.get("history.db.unusable-1") == content);
}

TEST_CASE("a history whose directory is missing is an error, which says so") {
    const Temporary dir;
    const auto opened = open_history(dir / "missing/history.db", month, 1000000);
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == ENOENT);
}

TEST_CASE("a history that somebody else writes just now is left where it is, and used when it is free") {
    const Temporary dir;
    open(dir)->add(entry("applied"));
    {
        const auto other = Database::open(dir / "history.db", Database::Access::create);
        REQUIRE(other);
        REQUIRE(other->execute("BEGIN IMMEDIATE"));
        const auto opened = open_history(dir / "history.db", month, 1000000);
        REQUIRE_FALSE(opened);
        CHECK(opened.error().code == EBUSY);
    }
    CHECK(open(dir)->newest(10, "", "")->size() == 1);
    CHECK(dir.get("history.db.unusable-1").empty());
}

TEST_CASE("a history on a full disk is left where it is, and used when there is space again") {
    const Temporary dir;
    open(dir)->add(entry("applied"));
    {
        const FullDisk full;
        CHECK_FALSE(open_history(dir / "history.db", month, 1000000));
    }
    CHECK(open(dir)->newest(10, "", "")->size() == 1);
    CHECK(dir.get("history.db.unusable-1").empty());
}

TEST_CASE("strange text is kept as it is") {
    const Temporary dir;
    const auto history = open(dir);
    HistoryEntry odd = entry("applied");
    odd.target = std::string("\xff\xfe\n\"';--\0x", 10);
    history->add(odd);
    CHECK(history->newest(1, "", "")->at(0).target == odd.target);
}

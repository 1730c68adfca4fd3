#include "tune/journal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "catch.h"
#include "fork_alone.h"
#include "full_disk.h"
#include "temporary.h"
#include "tune/sqlite.h"

using namespace gotuned;
using gotuned::test::fork_alone;
using gotuned::test::FullDisk;
using gotuned::test::Temporary;

namespace {

JournalEntry entry(const std::string& knob = "rlimit.nofile") {
    JournalEntry made;
    made.rule = "raise-nofile";
    made.target = ProcessId{4711, 99, 7};
    made.label = "payments pid 4711";
    made.knob = knob;
    made.original = {count(256), "256 20000"};
    made.before = made.original;
    made.wanted = count(1024);
    made.cooldown = std::chrono::minutes(10);
    made.planned_at = MonoTime(std::chrono::seconds(5));
    made.since_ticks = 1234;
    made.evidence = "fd.used (250) / fd.limit (256) = 97.7% > 80%";
    made.before_values["fd.used"] = Value(count(250));
    made.before_values["runq.p99"] = Absent{Absence::low_exposure, "12ms"};
    return made;
}

std::unique_ptr<Journal> open(const Temporary& dir, const std::string& boot = "boot-a") {
    auto opened = Journal::open(dir / "journal.db", boot);
    REQUIRE(opened);
    return std::move(*opened);
}

}  // namespace

TEST_CASE("what was planned is read back whole after a restart") {
    const Temporary dir;
    std::vector<JournalEntry> planned{entry()};
    REQUIRE(open(dir)->plan(planned));
    const auto found = open(dir)->open_entries();
    REQUIRE(found);
    REQUIRE(found->size() == 1);
    const JournalEntry& back = found->front();
    CHECK(back.id == planned[0].id);
    CHECK(back.group == back.id);
    CHECK(back.boot == "boot-a");
    CHECK(back.rule == "raise-nofile");
    CHECK(back.target == TargetId(ProcessId{4711, 99, 7}));
    CHECK(back.label == "payments pid 4711");
    CHECK(back.original == entry().original);
    CHECK(back.before == entry().before);
    CHECK(back.wanted == Value(count(1024)));
    CHECK_FALSE(back.set);
    CHECK(back.state == AdjustmentState::planned);
    CHECK(back.cooldown == std::chrono::minutes(10));
    CHECK(back.planned_at == MonoTime(std::chrono::seconds(5)));
    CHECK(back.since_ticks == 1234);
    CHECK(back.evidence == entry().evidence);
    CHECK(back.before_values == entry().before_values);
}

TEST_CASE("the adjustments of one decision share the first one's id as their group") {
    const Temporary dir;
    const auto journal = open(dir);
    std::vector<JournalEntry> first{entry(), entry("rlimit.nproc")};
    std::vector<JournalEntry> second{entry()};
    REQUIRE(journal->plan(first));
    REQUIRE(journal->plan(second));
    CHECK(first[0].group == first[0].id);
    CHECK(first[1].group == first[0].id);
    CHECK(second[0].group == second[0].id);
    CHECK(second[0].id != first[0].id);
}

TEST_CASE("an adjustment that was put back is closed, and its heirs are forgotten") {
    const Temporary dir;
    const auto journal = open(dir);
    std::vector<JournalEntry> planned{entry()};
    REQUIRE(journal->plan(planned));
    REQUIRE(journal->add_heir(planned[0].id, {5000, 100, {count(1024), "1024 20000"}}));
    REQUIRE(journal->add_heir(planned[0].id, {5001, 101, {}}));
    REQUIRE(journal->drop_heir(planned[0].id, {5001, 101, {}}));
    CHECK(journal->open_entries()->front().heirs == std::vector<Heir>{{5000, 100, {count(1024), "1024 20000"}}});
    planned[0].state = AdjustmentState::undone;
    REQUIRE(journal->save(planned[0]));
    CHECK(journal->open_entries()->empty());
    REQUIRE(journal->all_entries()->size() == 1);
    CHECK(journal->all_entries()->front().heirs.empty());
}

TEST_CASE("only the newest thousand closed adjustments are kept, and every open one") {
    const Temporary dir;
    const auto journal = open(dir);
    std::vector<JournalEntry> stays{entry("rlimit.memlock")};
    REQUIRE(journal->plan(stays));
    std::vector<JournalEntry> many(1100, entry());
    REQUIRE(journal->plan(many));
    for (JournalEntry& one : many) {
        one.state = AdjustmentState::undone;
        REQUIRE(journal->save(one));
    }
    CHECK(journal->all_entries()->size() == 1001);
    CHECK(journal->open_entries()->size() == 1);
}

TEST_CASE("a standing of another boot means nothing, but a pause outlives it") {
    const Temporary dir;
    Standing standing{"raise-nofile", HostId{},         MonoTime(std::chrono::seconds(60)), std::nullopt, 2,
                      true,           "sysctl by pid 1"};
    {
        const auto journal = open(dir);
        REQUIRE(journal->save(standing));
        standing.failures = 3;
        REQUIRE(journal->save(standing));
        REQUIRE(journal->set_flag(NodeFlag::paused, true));
    }
    {
        const auto journal = open(dir);
        const auto found = journal->standings();
        REQUIRE(found->size() == 1);
        CHECK(found->front().failures == 3);
        CHECK(found->front().cooldown_until == MonoTime(std::chrono::seconds(60)));
        CHECK_FALSE(found->front().quarantine_until);
        CHECK(found->front().yields);
        CHECK(found->front().yields_why == "sysctl by pid 1");
    }
    const auto later = open(dir, "boot-b");
    CHECK(later->standings()->empty());
    CHECK(*later->flag(NodeFlag::paused));
    CHECK_FALSE(*later->flag(NodeFlag::circuit_open));
}

TEST_CASE("a journal that is no database is moved aside and said so, and a new one begins") {
    const Temporary dir;
    const std::string content =
        GENERATE(as<std::string>{}, "not a database at all, but long enough to look at: " + std::string(4096, 'x'),
                 "short", "SQLite format 3" + std::string(1, '\0') + std::string(3000, '\xff'));
    dir.put("journal.db", content);
    const auto journal = open(dir);
    CHECK(journal->warning().find("moved to") != std::string::npos);
    CHECK(dir.get("journal.db.unusable-1") == content);
    CHECK(journal->open_entries()->empty());
}

TEST_CASE("nobody else may open the journal, or what SQLite keeps beside it") {
    const Temporary dir;
    const mode_t before = ::umask(0022);
    const auto journal = open(dir);
    std::vector<JournalEntry> entries{entry()};
    REQUIRE(journal->plan(entries));
    ::umask(before);
    for (const char* const name : {"journal.db", "journal.db-journal"}) {
        struct stat found{};
        REQUIRE(::stat((dir / name).c_str(), &found) == 0);
        CHECK((found.st_mode & 0777) == 0600);
    }
}

TEST_CASE("an empty file is an empty journal") {
    const Temporary dir;
    dir.put("journal.db", "");
    CHECK(open(dir)->warning().empty());
}

TEST_CASE("a database of another program is not taken for a journal") {
    const Temporary dir;
    {
        auto other = Database::open(dir / "journal.db", Database::Access::create);
        REQUIRE(other);
        REQUIRE(other->execute("CREATE TABLE adjustment(id INTEGER)"));
    }
    CHECK(open(dir)->warning().find("not a journal") != std::string::npos);
}

TEST_CASE("a journal that cannot be opened for another reason is an error") {
    const Temporary dir;
    CHECK_FALSE(Journal::open(dir / "missing/journal.db", "boot"));
}

TEST_CASE("a journal that another process is reading is left where it is, and used when it is free") {
    const Temporary dir;
    {
        const auto journal = open(dir);
        std::vector<JournalEntry> entries{entry()};
        REQUIRE(journal->plan(entries));
    }
    int ready[2];
    int leave[2];
    REQUIRE(::pipe2(ready, O_CLOEXEC) == 0);
    REQUIRE(::pipe2(leave, O_CLOEXEC) == 0);
    const pid_t reader = fork_alone();
    if (reader == 0) {
        const auto database = Database::open(dir / "journal.db", Database::Access::read_only);
        auto rows = database->prepare("SELECT id FROM adjustment");
        const bool reads = rows && rows->step().value_or(false);  // until it is finalized it holds its lock
        char byte = reads ? 'y' : 'n';
        static_cast<void>(!::write(ready[1], &byte, 1));
        static_cast<void>(!::read(leave[0], &byte, 1));
        ::_exit(0);
    }
    char byte = 0;
    REQUIRE(::read(ready[0], &byte, 1) == 1);
    CHECK(byte == 'y');
    const auto refused = Journal::open(dir / "journal.db", "boot-a");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == EBUSY);
    CHECK(refused.error().what.find("journal.db: database is locked") != std::string::npos);
    CHECK(refused.error().hint.find("another process") != std::string::npos);
    REQUIRE(::write(leave[1], "x", 1) == 1);
    REQUIRE(::waitpid(reader, nullptr, 0) == reader);
    for (const int end : {ready[0], ready[1], leave[0], leave[1]}) ::close(end);
    const auto journal = open(dir);
    CHECK(journal->warning().empty());
    CHECK(journal->open_entries()->size() == 1);
}

TEST_CASE("while it is in use no other process can get at the journal, so that none can hold it up") {
    const Temporary dir;
    const auto journal = open(dir);
    const pid_t reader = fork_alone();
    if (reader == 0) {
        const auto database = Database::open(dir / "journal.db", Database::Access::read_only);
        ::_exit(database && database->integer("SELECT count(*) FROM adjustment") ? 1 : 0);
    }
    int status = 0;
    REQUIRE(::waitpid(reader, &status, 0) == reader);
    CHECK(WEXITSTATUS(status) == 0);
    std::vector<JournalEntry> entries{entry()};
    CHECK(journal->plan(entries));
}

TEST_CASE("an older version undoes what a newer one wrote, and keeps what it does not know") {
    const Temporary dir;
    std::vector<JournalEntry> planned{entry()};
    REQUIRE(open(dir)->plan(planned));
    {
        auto newer = Database::open(dir / "journal.db", Database::Access::create);
        REQUIRE(
            newer->execute("PRAGMA user_version=7; ALTER TABLE adjustment ADD COLUMN colour TEXT DEFAULT 'green';"
                           "UPDATE adjustment SET state='half_applied', undoing='something_new'"));
    }
    {
        const auto journal = open(dir);
        CHECK(journal->warning().empty());
        auto found = journal->open_entries();
        REQUIRE(found->size() == 1);
        CHECK(found->front().state == AdjustmentState::applied);
        CHECK(found->front().undoing == Undoing::chain);
        found->front().state = AdjustmentState::undone;
        REQUIRE(journal->save(found->front()));
    }
    auto newer = Database::open(dir / "journal.db", Database::Access::read_only);
    CHECK(*newer->integer("PRAGMA user_version") == 7);
    CHECK(*newer->text("SELECT colour FROM adjustment") == "green");
    CHECK(*newer->text("SELECT state FROM adjustment") == "undone");
}

TEST_CASE("a journal that forbids older versions is neither used nor moved") {
    const Temporary dir;
    static_cast<void>(open(dir));
    {
        auto newer = Database::open(dir / "journal.db", Database::Access::create);
        REQUIRE(newer->execute("PRAGMA user_version=9; INSERT INTO meta VALUES('readable_from', '9')"));
    }
    const auto opened = Journal::open(dir / "journal.db", "boot");
    REQUIRE_FALSE(opened);
    CHECK(opened.error().what.find("newer") != std::string::npos);
    CHECK_FALSE(dir.get("journal.db").empty());
    CHECK(dir.get("journal.db.unusable-1").empty());
}

TEST_CASE("a row that cannot be understood stays, is named, and does not hide the others") {
    const Temporary dir;
    std::vector<JournalEntry> planned{entry(), entry("rlimit.nproc")};
    REQUIRE(open(dir)->plan(planned));
    {
        auto newer = Database::open(dir / "journal.db", Database::Access::create);
        REQUIRE(newer->execute("UPDATE adjustment SET original='z:?' WHERE knob='rlimit.nofile'"));
    }
    const auto journal = open(dir);
    const auto found = journal->open_entries();
    REQUIRE(found->size() == 1);
    CHECK(found->front().knob == "rlimit.nproc");
    CHECK(journal->warning().find("rlimit.nofile of payments pid 4711") != std::string::npos);
}

TEST_CASE("a second daemon is told who holds the lock") {
    const Temporary dir;
    const auto first = RunLock::take(dir.path());
    REQUIRE(first);
    const auto second = RunLock::take(dir.path());
    REQUIRE_FALSE(second);
    CHECK(second.error().what.find("another gotuned (pid " + std::to_string(::getpid()) + ") holds") !=
          std::string::npos);
}

TEST_CASE("a lock is a lock also where the disk has no space for who holds it") {
    const Temporary dir;
    const FullDisk full;
    const auto first = RunLock::take(dir.path());
    CHECK(first);
    const auto second = RunLock::take(dir.path());
    REQUIRE_FALSE(second);
    CHECK(second.error().code == EWOULDBLOCK);
}

TEST_CASE("the lock of a daemon that was killed is free") {
    const Temporary dir;
    const pid_t child = fork_alone();
    if (child == 0) {
        const auto lock = RunLock::take(dir.path());
        ::kill(::getpid(), SIGKILL);
        ::_exit(lock ? 0 : 1);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
    CHECK(RunLock::take(dir.path()));
}

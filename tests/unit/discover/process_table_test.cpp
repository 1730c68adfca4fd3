#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include <atomic>
#include <csignal>
#include <functional>
#include <thread>

#include "catch.h"
#include "discover/process_table_impl.h"
#include "elf_builder.h"
#include "fake_proc.h"

using namespace gotuned;
using namespace std::chrono_literals;
using test::ElfBuilder;
using test::FakeProc;

namespace {

std::string go_binary(const char* version = "go1.22.3") {
    ElfBuilder elf;
    elf.version = version;
    return elf.build();
}
std::string other_binary() {
    ElfBuilder elf;
    elf.build_info = false;
    return elf.build();
}

struct Table {
    FakeProc tree;
    std::vector<std::shared_ptr<const GoProcess>> found, lost;
    std::unique_ptr<ScanningProcessTable> table;
    MonoTime now{1h};

    explicit Table(const Inspector::Options& inspector = {}, std::string (*user_name)(uid_t) = ask_user_name) {
        ScanningProcessTable::Options options;
        options.user_name = user_name;
        options.roots = tree.roots();
        options.unit_root = tree.path("host");
        options.inspector = inspector;
        options.callbacks.found = [this](const auto& process) { found.push_back(process); };
        options.callbacks.lost = [this](const auto& process) { lost.push_back(process); };
        table = std::make_unique<ScanningProcessTable>(std::move(options));
    }
    /// Waits as the loop does.
    void until(const std::function<bool()>& done) const {
        while (!done()) {
            pollfd answer{table->answer_fd(), POLLIN, 0};
            REQUIRE(::poll(&answer, 1, 20000) == 1);
            table->complete();
        }
    }
    void settle() const {
        until([this] { return table->waiting() == 0; });
    }
    /// What waits is with the inspector.
    void ask() const {
        until([this] { return table->opening() == 0; });
    }
    /// From now on nothing is answered. A first answer, so that there is a child to stop.
    pid_t stop_inspector() {
        tree.process(9, tree.write("bin/first", other_binary()));
        table->executed(9, 0, 0);
        settle();
        const pid_t child = table->inspector_child();
        REQUIRE(child > 0);
        REQUIRE(::kill(child, SIGSTOP) == 0);
        return child;
    }
    /// Asks, and leaves what is asked unanswered until `meanwhile` is done.
    void ask_and(pid_t pid, const std::function<void()>& meanwhile) {
        const pid_t child = stop_inspector();
        table->executed(pid, 0, 0);
        ask();
        CHECK(table->waiting() == 1);
        meanwhile();
        REQUIRE(::kill(child, SIGCONT) == 0);
        settle();
    }
    EventKey event(const std::string& file) {
        struct stat status{};
        REQUIRE(::stat(file.c_str(), &status) == 0);
        return EventKey::of(BinaryKey::of(status));
    }
    void executed(pid_t pid, const EventKey& event) { table->executed(pid, event.device, event.inode); }
};

}  // namespace

TEST_CASE("a walk finds the Go processes and passes over the others") {
    Table t;
    const auto go = t.tree.write("bin/api", go_binary());
    const auto other = t.tree.write("bin/sh", other_binary());
    t.tree.process(10, go);
    t.tree.process(11, other);
    t.tree.write("proc/12/stat", "12 (kthreadd) S 0 0 0\n");  // a kernel thread has no exe
    t.tree.write("proc/version", "Linux");
    REQUIRE(t.table->scan());
    t.settle();
    REQUIRE(t.found.size() == 1);
    const GoProcess& api = *t.found[0];
    struct stat status{};
    REQUIRE(::stat(go.c_str(), &status) == 0);
    CHECK(api.id == ProcessId{10, 100, status.st_ino});
    CHECK(api.build.version == "go1.22.3");
    CHECK(api.build.module == "example.com/payments");
    CHECK(api.unit == "payments.service");
    CHECK(t.table->processes().size() == 1);
    CHECK(t.table->counts().inspected == 2);
    CHECK(t.table->counts().not_go == 1);
}

TEST_CASE("a walk that cannot list PROC says so") {
    Table t;
    t.tree.remove("proc");
    CHECK_FALSE(t.table->scan());
}

TEST_CASE("a walk over what is known calls back nobody") {
    Table t;
    t.tree.process(10, t.tree.write("bin/api", go_binary()));
    REQUIRE(t.table->scan());
    t.settle();
    REQUIRE(t.table->scan());
    t.settle();
    CHECK(t.found.size() == 1);
    CHECK(t.lost.empty());
}

TEST_CASE("a walk loses processes that are gone") {
    Table t;
    t.tree.process(10, t.tree.write("bin/api", go_binary()));
    REQUIRE(t.table->scan());
    t.settle();
    t.tree.vanish(10);
    REQUIRE(t.table->scan());
    REQUIRE(t.lost.size() == 1);
    CHECK(t.lost[0] == t.found[0]);
    CHECK(t.table->processes().empty());
}

TEST_CASE("a pid that was reused is lost and found under its new start time") {
    Table t;
    t.tree.process(10, t.tree.write("bin/api", go_binary()));
    REQUIRE(t.table->scan());
    t.settle();
    t.tree.stat(10, 200);
    REQUIRE(t.table->scan());
    REQUIRE(t.found.size() == 2);
    CHECK(t.lost.size() == 1);
    CHECK(t.found[1]->id.start_ticks == 200);
}

TEST_CASE("an exec event finds a Go process, at once when its binary is known") {
    Table t;
    const auto go = t.tree.write("bin/api", go_binary());
    t.tree.process(10, go);
    t.executed(10, t.event(go));
    t.settle();
    REQUIRE(t.found.size() == 1);
    t.tree.process(11, go);
    t.executed(11, t.event(go));
    CHECK(t.found.size() == 2);
    CHECK(t.table->counts().inspected == 1);
}

TEST_CASE("an exec event without device and inode works too") {
    Table t;
    t.tree.process(10, t.tree.write("bin/api", go_binary()));
    t.table->executed(10, 0, 0);
    t.settle();
    CHECK(t.found.size() == 1);
}

TEST_CASE("an exec event of what a walk has found already changes nothing") {
    Table t;
    const auto go = t.tree.write("bin/api", go_binary());
    t.tree.process(10, go);
    REQUIRE(t.table->scan());
    t.settle();
    t.executed(10, t.event(go));
    CHECK(t.found.size() == 1);
    CHECK(t.lost.empty());
}

TEST_CASE("a process that executes itself again is lost and found") {
    Table t;
    const auto go = t.tree.write("bin/api", go_binary());
    t.tree.process(10, go);
    t.executed(10, t.event(go));
    t.settle();
    t.tree.stat(10, 100, 9000);  // same pid and start, a new stack
    t.executed(10, t.event(go));
    CHECK(t.found.size() == 2);
    CHECK(t.lost.size() == 1);
}

TEST_CASE("a Go process that executes something else is lost before its new image is known") {
    Table t;
    const auto go = t.tree.write("bin/api", go_binary());
    t.tree.process(10, go);
    t.executed(10, t.event(go));
    t.settle();
    const auto other = t.tree.write("bin/sh", other_binary());
    t.tree.process(10, other, 100, 9000);
    t.executed(10, t.event(other));
    CHECK(t.lost.size() == 1);
    t.settle();
    CHECK(t.table->processes().empty());
}

TEST_CASE("a Go process that executes a binary known not to be Go is lost without a look at PROC") {
    Table t;
    const auto go = t.tree.write("bin/api", go_binary());
    const auto other = t.tree.write("bin/sh", other_binary());
    t.tree.process(10, go);
    t.tree.process(11, other);
    REQUIRE(t.table->scan());
    t.settle();
    t.executed(10, t.event(other));
    CHECK(t.lost.size() == 1);
}

TEST_CASE("an exec event of a binary known not to be Go does not touch PROC") {
    Table t;
    const auto other = t.tree.write("bin/sh", other_binary());
    t.tree.process(11, other);
    t.executed(11, t.event(other));
    t.settle();
    // Were it looked at, this one would be found: it runs a Go binary.
    t.tree.process(12, t.tree.write("bin/api", go_binary()));
    t.executed(12, t.event(other));
    t.settle();
    CHECK(t.found.empty());
    CHECK(t.table->counts().cache_hits == 1);
}

TEST_CASE("a Go binary that took over the inode of another file is found by the next tick") {
    Table t;
    const auto other = t.tree.write("bin/sh", other_binary());
    t.tree.process(11, other);
    const EventKey reused = t.event(other);
    t.executed(11, reused);
    t.settle();
    t.tree.process(12, t.tree.write("bin/api", go_binary()));
    t.executed(12, reused);
    t.table->tick(t.now);
    t.settle();
    REQUIRE(t.found.size() == 1);
    CHECK(t.found[0]->id.pid == 12);
}

TEST_CASE("what is known of an inode is believed for one tick only") {
    Table t;
    const auto other = t.tree.write("bin/sh", other_binary());
    t.tree.process(11, other);
    const EventKey reused = t.event(other);
    t.executed(11, reused);
    t.settle();
    t.table->tick(t.now);
    t.tree.process(12, t.tree.write("bin/api", go_binary()));
    t.executed(12, reused);
    t.settle();
    CHECK(t.found.size() == 1);
}

TEST_CASE("a file system that shows other numbers to stat than to the kernel is passed over as well") {
    Table t;
    const auto other = t.tree.write("bin/sh", other_binary());
    const EventKey overlay{0x2b, 4711};
    t.tree.process(11, other);
    t.executed(11, overlay);
    t.settle();
    t.tree.process(12, t.tree.write("bin/api", go_binary()));
    t.executed(12, overlay);
    CHECK(t.table->waiting() == 0);
    CHECK(t.table->counts().cache_hits == 1);
}

TEST_CASE("a process that is gone before the answer is not found") {
    Table t;
    t.tree.process(10, t.tree.write("bin/api", go_binary()));
    t.ask_and(10, [&] { t.tree.vanish(10); });
    CHECK(t.found.empty());
    CHECK(t.table->counts().inspected == 2);
}

TEST_CASE("a process that vanishes while its files are read is not found") {
    for (const char* file : {"stat", "status", "exe"}) {
        Table t;
        t.tree.process(10, t.tree.write("bin/api", go_binary()));
        t.ask_and(10, [&] { t.tree.remove(std::string("proc/10/") + file); });
        INFO(file);
        CHECK(t.found.empty());
    }
}

TEST_CASE("a process that executes another binary before the answer is found as what it is now") {
    Table t;
    t.tree.process(10, t.tree.write("bin/api", go_binary("go1.20.1")));
    t.ask_and(10, [&] { t.tree.process(10, t.tree.write("bin/api2", go_binary("go1.21.2")), 100, 9000); });
    REQUIRE(t.found.size() == 1);
    CHECK(t.found[0]->build.version == "go1.21.2");
}

TEST_CASE("an exit event loses a process once") {
    Table t;
    t.tree.process(10, t.tree.write("bin/api", go_binary()));
    t.table->executed(10, 0, 0);
    t.settle();
    t.table->exited(10);
    t.table->exited(10);
    t.table->exited(4711);
    CHECK(t.lost.size() == 1);
    CHECK(t.table->processes().empty());
}

TEST_CASE("a malformed binary is refused once and then known") {
    Table t;
    const auto bad = t.tree.write("bin/bad", go_binary().substr(0, 80));
    t.tree.process(10, bad);
    t.table->executed(10, 0, 0);
    t.settle();
    t.tree.process(11, bad);
    t.table->executed(11, 0, 0);
    CHECK(t.table->waiting() == 0);
    CHECK(t.table->counts().failed == 1);
    CHECK(t.found.empty());
}

TEST_CASE("a binary that was rewritten is inspected again") {
    Table t;
    const auto file = t.tree.write("bin/api", other_binary());
    t.tree.process(10, file);
    t.table->executed(10, 0, 0);
    t.settle();
    t.tree.write("bin/api", go_binary());
    t.tree.process(11, file);
    t.table->executed(11, 0, 0);
    t.settle();
    CHECK(t.found.size() == 1);
}

TEST_CASE("a binary that hangs the inspector is given up past the deadline, and the others are still found") {
    Inspector::Options options;
    options.deadline = 2s;
    Table t(options);
    const pid_t child = t.stop_inspector();  // as a file that makes it hang would
    t.tree.process(11, t.tree.write("bin/hangs", go_binary()));
    t.tree.process(12, t.tree.write("bin/api", go_binary()));
    t.table->executed(11, 0, 0);
    t.table->executed(12, 0, 0);
    t.ask();
    t.table->tick(t.now);
    CHECK(t.table->waiting() == 2);
    t.table->tick(t.now + 2s);
    t.settle();
    CHECK(t.table->counts().inspector_killed == 1);
    CHECK(t.table->counts().failed == 1);
    REQUIRE(t.found.size() == 1);
    CHECK(t.found[0]->id.pid == 12);
    CHECK(t.table->inspector_child() != child);
}

TEST_CASE("an executable that does not open holds up no other, and is recognised when it does") {
    // A lease makes open(2) wait, as a dead file system does, for as long as /proc/sys/fs/lease-break-time says.
    std::signal(SIGIO, SIG_IGN);
    Table t;
    const auto slow = t.tree.write("bin/slow", go_binary());
    t.tree.process(10, slow);
    t.tree.process(11, t.tree.write("bin/api", go_binary("go1.21.2")));
    Fd lease(::open(slow.c_str(), O_RDWR | O_CLOEXEC));
    REQUIRE(::fcntl(lease.get(), F_SETLEASE, F_WRLCK) == 0);
    REQUIRE(t.table->scan());  // comes back
    while (t.found.empty()) {
        t.table->tick(t.now);
        t.table->complete();
        std::this_thread::sleep_for(1ms);
    }
    CHECK(t.found[0]->id.pid == 11);
    CHECK(t.table->waiting() == 1);
    CHECK(t.table->opening() == 1);
    lease = Fd();
    t.settle();
    REQUIRE(t.found.size() == 2);
    CHECK(t.found[1]->id.pid == 10);
}

namespace {

std::atomic<bool> answers_names{false};
std::string slow_name(uid_t) {
    while (!answers_names) std::this_thread::sleep_for(1ms);
    return "worker";
}

}  // namespace

TEST_CASE("a user that only a slow service can name is its number until the name comes") {
    Table t({}, slow_name);
    t.tree.process(10, t.tree.write("bin/api", go_binary()));
    constexpr uid_t nobodys = 3'000'000'123;
    const std::string uid = std::to_string(nobodys);
    t.tree.write("proc/10/status", "Name:\tapi\nUid:\t" + uid + "\t" + uid + "\t" + uid + "\t" + uid + "\n");
    t.table->executed(10, 0, 0);
    t.settle();
    REQUIRE(t.found.size() == 1);
    CHECK(t.found[0]->user == uid);
    answers_names = true;
    t.until([&] { return t.found.size() == 2; });
    CHECK(t.found[1]->user == "worker");
    CHECK(t.found[1]->id == t.found[0]->id);
    CHECK(t.table->processes().at(10)->user == "worker");
}

TEST_CASE("names that a rulebook asks for later are read from processes already known") {
    Table t;
    t.tree.process(10, t.tree.write("bin/api", go_binary()));
    t.table->executed(10, 0, 0);
    t.settle();
    CHECK(t.found[0]->environment == std::map<std::string, std::string>{{"GOGC", "50"}});
    t.table->keep_environment({"PATH"});
    REQUIRE(t.found.size() == 2);
    CHECK(t.found[1]->id == t.found[0]->id);
    CHECK(t.table->processes().at(10)->environment ==
          std::map<std::string, std::string>{{"GOGC", "50"}, {"PATH", "/bin"}});
    CHECK(t.lost.empty());
    t.table->keep_environment({"PATH"});
    CHECK(t.found.size() == 2);
}

TEST_CASE("a unit that opts out while its process lives is noticed") {
    Table t;
    t.tree.write("host/etc/systemd/system/payments.service", "[Service]\nExecStart=/bin/api\n");
    t.tree.process(10, t.tree.write("bin/api", go_binary()));
    t.table->executed(10, 0, 0);
    t.settle();
    CHECK_FALSE(t.found[0]->opted_out);
    t.tree.write("host/etc/systemd/system/payments.service.d/gotuned.conf", "[Service]\nX-Gotuned=off\n");
    t.table->tick(t.now);
    CHECK(t.table->processes().at(10)->opted_out);
    CHECK(t.table->processes().at(10)->opt_out_source == "unit");
}

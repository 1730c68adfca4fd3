#include "observe/process_reader.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "catch.h"
#include "fake_host.h"
#include "observe/user_threads.h"

using namespace gotuned;
using namespace std::chrono_literals;

namespace {

const ProcessId ten{10, 100, 0};

/// A clock on which each look takes a second.
class SlowClock final : public Clock {
public:
    [[nodiscard]] MonoTime mono() const override { return now_ += 1s; }
    [[nodiscard]] WallTime wall() const override { return {}; }

private:
    mutable MonoTime now_{};
};

}  // namespace

TEST_CASE("a process's files are read together") {
    FakeHost host;
    host.write_process(10, 100, 250, 7);
    const auto files = read_process(host.roots(), ten);
    REQUIRE(files);
    CHECK(files->descriptors.value() == 3);
    CHECK(files->nofile->hard == count(4096));
    CHECK(files->nproc->hard.unlimited());
    CHECK(files->cpu_time_ns.value() == 2'500'000'000);
    CHECK_FALSE(files->cpu_clock);
    CHECK(files->status.threads.value() == 7);
}

TEST_CASE("CPUs that are not online are not allowed") {
    FakeHost host;
    host.write_process(10, 100);
    const auto files = read_process(host.roots(), ten);
    REQUIRE(files);
    SignalTable table;
    set_process_signals(table, *files, CpuSet({0, 1}));
    CHECK(std::get<CpuSet>(*table.get(Signal::cpu_allowed).value) == CpuSet({0, 1}));
    set_process_signals(table, *files, Absence::not_permitted);
    CHECK(std::get<CpuSet>(*table.get(Signal::cpu_allowed).value) == CpuSet({0, 1, 2, 3, 4, 5, 6, 7}));
}

TEST_CASE("a process that is not there has vanished") {
    FakeHost host;
    CHECK(read_process(host.roots(), ten).absent().reason == Absence::vanished);
}

TEST_CASE("a process with another start time is another process") {
    FakeHost host;
    host.write_process(10, 101);
    CHECK(read_process(host.roots(), ten).absent().reason == Absence::vanished);
}

TEST_CASE("a process that executes another file now is another one") {
    FakeHost host;
    host.write_process(10, 100);
    host.tree.write("bin/server", "x");
    host.tree.link("proc/10/exe", host.tree.path("bin/server"));
    const std::uint64_t inode = host.inode("bin/server");
    CHECK(read_process(host.roots(), ProcessId{10, 100, inode}));
    CHECK(read_process(host.roots(), ProcessId{10, 100, inode + 1}).absent().reason == Absence::vanished);
}

TEST_CASE("a malformed stat makes the process unreadable, for nothing says whose files these are") {
    FakeHost host;
    host.write_process(10, 100);
    host.tree.write("proc/10/stat", "10 (x");
    CHECK(read_process(host.roots(), ten).absent().reason == Absence::malformed);
}

TEST_CASE("a file of a process that this kernel lacks makes only its own signals absent") {
    FakeHost host;
    host.write_process(10, 100);
    host.tree.remove("proc/10/limits");
    host.tree.remove("proc/10/fd");
    const auto files = read_process(host.roots(), ten);
    REQUIRE(files);
    CHECK(files->nofile.absent().reason == Absence::not_supported);
    CHECK(files->descriptors.absent().reason == Absence::not_supported);
    CHECK(files->status.threads.value() == 5);
}

TEST_CASE("a process that ends while it is being read has vanished and has not zero descriptors") {
    FakeHost host;
    host.write_process(10, 100);
    const auto directory = HeldDirectory::open(host.tree.path("proc/10"), "stat");
    REQUIRE(directory);
    CHECK(count_descriptors(*directory).value() == 3);
    host.tree.remove("proc/10");
    CHECK(directory->gone());
    CHECK(directory->read("status").absent().reason == Absence::vanished);
    CHECK(count_descriptors(*directory).absent().reason == Absence::vanished);
    host.write_process(10, 100);  // the next process with this pid
    CHECK(directory->read("status").absent().reason == Absence::vanished);
}

TEST_CASE("a real process that ends while it is being read has vanished") {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        for (;;) ::pause();
    }
    const auto directory = HeldDirectory::open("/proc/" + std::to_string(child), "stat");
    REQUIRE(directory);
    CHECK(directory->is_procfs());
    CHECK(count_descriptors(*directory));
    CHECK(process_cpu_time(child));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    CHECK(directory->gone());
    CHECK(directory->read("status").absent().reason == Absence::vanished);
    CHECK(directory->read("limits").absent().reason == Absence::vanished);
    CHECK(count_descriptors(*directory).absent().reason == Absence::vanished);
    CHECK(process_cpu_time(child).absent().reason == Absence::vanished);
}

TEST_CASE("a zombie has vanished: it has not zero descriptors") {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) ::_exit(0);
    siginfo_t info{};
    REQUIRE(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT) == 0);
    const auto stat = read_file("/proc/" + std::to_string(child) + "/stat");
    REQUIRE(stat);
    const auto start = parse_proc_stat(*stat);
    REQUIRE(start);
    const auto files = read_process(Roots{}, ProcessId{child, start->start_ticks, 0});
    ::waitpid(child, nullptr, 0);
    CHECK(files.absent().reason == Absence::vanished);
}

TEST_CASE("threads are added up by the real user") {
    FakeHost host;
    host.write_process(10, 100, 0, 5);
    host.write_process(11, 100, 0, 6);
    host.tree.write("proc/12/status", "Uid:\t7\t1000\t1000\t1000\nThreads:\t100\n");
    host.tree.write("proc/13/status", "torn");
    host.tree.directory("proc/14");
    ManualClock clock;
    UserThreads users(host.roots(), 15s);
    CHECK(users.of(1000, clock.mono(), clock).value() == 11);
    CHECK(users.of(7, clock.mono(), clock).value() == 100);
    CHECK(users.of(8, clock.mono(), clock).absent().reason == Absence::no_data);
}

TEST_CASE("all processes are walked again only after the least time") {
    FakeHost host;
    host.write_process(10, 100, 0, 5);
    ManualClock clock;
    UserThreads users(host.roots(), 15s);
    CHECK(users.of(1000, clock.mono(), clock).value() == 5);
    host.write_process(11, 100, 0, 6);
    clock.advance(14s);
    CHECK(users.of(1000, clock.mono(), clock).value() == 5);
    clock.advance(1s);
    CHECK(users.of(1000, clock.mono(), clock).value() == 11);
}

TEST_CASE("a walk that takes long makes the next one wait for long") {
    FakeHost host;
    host.write_process(10, 100, 0, 5);
    const SlowClock clock;
    UserThreads users(host.roots(), 15s);
    const MonoTime start = clock.mono();
    CHECK(users.of(1000, start, clock).value() == 5);
    host.write_process(11, 100, 0, 6);
    CHECK(users.of(1000, start + 1999s, clock).value() == 5);
    CHECK(users.of(1000, start + 2000s, clock).value() == 11);
}

TEST_CASE("without a PROC nobody's threads are known") {
    ManualClock clock;
    UserThreads users(Roots{"/none/proc", "/none/sys", {}}, 15s);
    CHECK_FALSE(users.of(1000, clock.mono(), clock));
}

TEST_CASE("an error of the kernel becomes the reason that it means") {
    const auto reason = [](int code) { return absent_of(Error{"cannot open x", {}, code, {}}).reason; };
    CHECK(reason(ESRCH) == Absence::vanished);
    CHECK(reason(ENODEV) == Absence::vanished);
    CHECK(reason(EACCES) == Absence::not_permitted);
    CHECK(reason(EPERM) == Absence::not_permitted);
    CHECK(reason(ENOENT) == Absence::not_supported);
    CHECK(reason(EOPNOTSUPP) == Absence::not_supported);
    CHECK(reason(EIO) == Absence::no_data);
}

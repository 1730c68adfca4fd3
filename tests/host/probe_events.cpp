// Exec, exit and fork events of real processes, each against what the test itself did.
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <array>
#include <thread>
#include <vector>

#include "probe_child.h"

using namespace gotuned;
using namespace std::chrono_literals;

namespace {

class Listener {
public:
    explicit Listener(Probes& probes) : probes_(probes) {}
    /// Waits until an event fits, and keeps all.
    template <typename Fits>
    const ProbeEvent* await(Fits fits) {
        const MonoTime end = MonoClock::now() + 10s;
        std::size_t looked = 0;
        do {
            probes_.drain_events([this](const ProbeEvent& event) { events_.push_back(event); });
            for (; looked < events_.size(); ++looked)
                if (fits(events_[looked])) return &events_[looked];
            ::usleep(500);
        } while (MonoClock::now() < end);
        return nullptr;
    }
    const ProbeEvent* await(gt_event_kind kind, pid_t pid) {
        return await([&](const ProbeEvent& e) { return e.kind == kind && e.pid == static_cast<std::uint32_t>(pid); });
    }
    [[nodiscard]] long count(gt_event_kind kind, pid_t pid) const {
        return std::ranges::count_if(
            events_, [&](const ProbeEvent& e) { return e.kind == kind && e.pid == static_cast<std::uint32_t>(pid); });
    }
    void drain_now() {
        probes_.drain_events([this](const ProbeEvent& event) { events_.push_back(event); });
    }

private:
    Probes& probes_;
    std::vector<ProbeEvent> events_{};
};

pid_t run(const std::string& program) {
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::execl(program.c_str(), program.c_str(), nullptr);
        ::_exit(127);
    }
    return pid;
}

/// dev_t as the kernel has it inside: 12 bits of major, 20 of minor (include/linux/kdev_t.h).
std::uint64_t kernel_device(dev_t device) { return (static_cast<std::uint64_t>(major(device)) << 20U) | minor(device); }

std::string copy_of_true(const std::string& name) {
    const std::string path = "/tmp/" + name + "-" + std::to_string(::getpid());
    const auto bytes = read_file("/bin/true", 1U << 24U);
    REQUIRE(bytes);
    const int file = ::open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0755);
    REQUIRE(file >= 0);
    REQUIRE(::write(file, bytes->data(), bytes->size()) == static_cast<ssize_t>(bytes->size()));
    ::close(file);
    return path;
}

/// vfork(2): as cheap as a child can be.
[[gnu::noinline]] pid_t short_lived_child() {
    const pid_t child = ::vfork();
    if (child == 0) ::_exit(0);
    return child;
}

}  // namespace

TEST_CASE("an exec anywhere tells pid, parent and file, however short the process lived") {
    const auto probes = load_probes();
    Listener listener(*probes);
    struct stat file{};
    REQUIRE(::stat("/bin/true", &file) == 0);
    const MonoTime before = MonoClock::now();
    const pid_t pid = run("/bin/true");
    REQUIRE(::waitpid(pid, nullptr, 0) == pid);  // gone before anybody looks
    const ProbeEvent* event = listener.await(GT_EXEC, pid);
    REQUIRE(event != nullptr);
    CHECK(event->parent == static_cast<std::uint32_t>(::getpid()));
    CHECK(event->inode == file.st_ino);
    CHECK(event->dev == kernel_device(file.st_dev));
    CHECK(event->at_ns >= static_cast<std::uint64_t>(before.time_since_epoch().count()));
    CHECK(event->at_ns <= static_cast<std::uint64_t>(MonoClock::now().time_since_epoch().count()));
}

TEST_CASE("an exec tells a file from the same file written anew in its place") {
    const auto probes = load_probes();
    Listener listener(*probes);
    const std::string path = copy_of_true("gotuned-probe-true");
    const auto exec_once = [&] {
        const pid_t pid = run(path);
        ::waitpid(pid, nullptr, 0);
        const ProbeEvent* event = listener.await(GT_EXEC, pid);
        REQUIRE(event != nullptr);
        return *event;
    };
    const ProbeEvent first = exec_once();
    const ProbeEvent again = exec_once();
    const timespec times[2] = {{1'600'000'000, 1}, {1'600'000'000, 1}};
    REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
    const ProbeEvent changed = exec_once();
    ::unlink(path.c_str());
    CHECK(first.inode == again.inode);
    CHECK(first.exit_code == again.exit_code);
    CHECK(first.exit_code != 0);
    CHECK(changed.inode == first.inode);
    CHECK(changed.exit_code != first.exit_code);
}

TEST_CASE("a script's exec names its interpreter, which is what runs") {
    const auto probes = load_probes();
    Listener listener(*probes);
    const std::string path = "/tmp/gotuned-probe-script-" + std::to_string(::getpid());
    const int file = ::open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0755);
    REQUIRE(::write(file, "#!/bin/true\n", 12) == 12);
    ::close(file);
    struct stat interpreter{};
    REQUIRE(::stat("/bin/true", &interpreter) == 0);
    const pid_t pid = run(path);
    ::waitpid(pid, nullptr, 0);
    const ProbeEvent* event = listener.await(GT_EXEC, pid);
    ::unlink(path.c_str());
    REQUIRE(event != nullptr);
    REQUIRE(event->inode == interpreter.st_ino);
}

TEST_CASE("a watched process's end comes once, with the code that wait(2) gives") {
    const auto probes = load_probes();
    Listener listener(*probes);
    const std::vector<std::function<void(Steps&)>> endings = {
        [](Steps&) { ::_exit(7); },
        [](Steps&) { ::raise(SIGKILL); },
        [](Steps&) { ::signal(SIGTERM, SIG_DFL), ::raise(SIGTERM); },
        [](Steps&) {  // the leader goes first, another thread ends the process with exit_group
            std::thread([] {
                ::usleep(20'000);
                ::_exit(3);
            }).detach();
            ::syscall(SYS_exit, 0);
        },
        [](Steps&) {  // no exit_group at all: the leader's own code counts
            std::thread([] {
                ::usleep(20'000);
                ::syscall(SYS_exit, 5);
            }).detach();
            ::syscall(SYS_exit, 9);
        },
    };
    for (std::size_t i = 0; i < endings.size(); ++i) {
        INFO("ending " << i);
        Child<Steps> child([&](Steps& steps) {
            steps.stop_at(1);
            endings[i](steps);
        });
        child->await(1);
        const pid_t pid = child.pid();
        REQUIRE(probes->watch(child.id()));
        const ProcessId id = child.id();
        child->pass(1);
        const auto status = static_cast<std::uint32_t>(child.wait());
        const ProbeEvent* event = listener.await(GT_EXIT, pid);
        REQUIRE(event != nullptr);
        CHECK(event->exit_code == status);
        CHECK(event->parent == static_cast<std::uint32_t>(::getpid()));
        (void)probes->unwatch(id);
        ::usleep(2000);
        listener.drain_now();
        CHECK(listener.count(GT_EXIT, pid) == 1);
    }
}

TEST_CASE("the end of a thread, or of a stranger, is no event") {
    const auto probes = load_probes();
    Listener listener(*probes);
    Child<Steps> watched([](Steps& steps) {
        steps.stop_at(1);
        std::thread([] {}).join();
        steps.stop_at(2);
    });
    watched->await(1);
    REQUIRE(probes->watch(watched.id()));
    watched->pass(1);
    watched->await(2);
    const pid_t stranger = run("/bin/true");
    ::waitpid(stranger, nullptr, 0);
    REQUIRE(listener.await(GT_EXEC, stranger) != nullptr);
    ::usleep(5000);
    listener.drain_now();
    CHECK(listener.count(GT_EXIT, stranger) == 0);
    CHECK(listener.count(GT_EXIT, watched.pid()) == 0);
}

TEST_CASE("a thread other than the leader that execs keeps the process's id") {
    const auto probes = load_probes();
    Listener listener(*probes);
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    Child<Steps> child([&ends](Steps& steps) {
        steps.stop_at(1);
        ::dup2(ends[0], STDIN_FILENO);
        ::dup2(::open("/dev/null", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
        std::thread([] { ::execl("/bin/cat", "/bin/cat", nullptr); }).join();
    });
    child->await(1);
    const ProcessId before = child.id();
    REQUIRE(probes->watch(before));
    child->pass(1);
    const pid_t pid = child.pid();
    const ProbeEvent* event = listener.await(GT_EXEC, pid);
    REQUIRE(event != nullptr);
    const ProcessId after{before.pid, before.start_ticks, event->inode};
    REQUIRE(probes->watch(after));  // a new identity with the same pid
    (void)probes->unwatch(before);
    // What it sleeps in now may have begun under the old identity. From its next read on it counts for the new one.
    for (int i = 0; i < 3; ++i) {
        await_sleep(pid);
        std::this_thread::sleep_for(40ms);
        REQUIRE(::write(ends[1], "x", 1) == 1);
    }
    ::close(ends[1]);
    CHECK(child.wait() == 0);
    ::close(ends[0]);
    REQUIRE(listener.await(GT_EXIT, pid) != nullptr);
    const double reads = probes->take(after, MonoClock::now()).blocked[GT_READ].count();
    CHECK(reads >= 1);
    CHECK(reads <= 3);
}

TEST_CASE("heirs: children and grandchildren fork and end with an event, a stranger's child does not") {
    const auto probes = load_probes();
    Listener listener(*probes);
    struct Family {
        Steps steps;
        std::atomic<pid_t> child{0}, grandchild{0}, stranger{0};
    };
    Child<Family> parent([](Family& family) {
        family.steps.stop_at(1);
        const pid_t child = ::fork();
        if (child == 0) {
            family.child = ::getpid();
            const pid_t grandchild = ::fork();
            if (grandchild == 0) {
                family.grandchild = ::getpid();
                ::execl("/bin/true", "/bin/true", nullptr);
            }
            ::waitpid(grandchild, nullptr, 0);
            ::_exit(0);
        }
        ::waitpid(child, nullptr, 0);
        family.steps.stop_at(2);
        family.stranger = ::fork();
        if (family.stranger == 0) ::_exit(0);
        ::waitpid(family.stranger, nullptr, 0);
        family.steps.stop_at(3);
    });
    parent->steps.await(1);
    const pid_t pid = parent.pid();
    REQUIRE(probes->add_heir(pid));
    parent->steps.pass(1);
    parent->steps.await(2);
    const ProbeEvent* born = listener.await(GT_FORK, parent->child);
    REQUIRE(born != nullptr);
    CHECK(born->parent == static_cast<std::uint32_t>(pid));
    born = listener.await(GT_FORK, parent->grandchild);
    REQUIRE(born != nullptr);
    CHECK(born->parent == static_cast<std::uint32_t>(parent->child.load()));
    CHECK(listener.await(GT_EXIT, parent->grandchild) != nullptr);
    CHECK(listener.await(GT_EXIT, parent->child) != nullptr);
    probes->remove_heir(pid);
    parent->steps.pass(2);
    parent->steps.await(3);
    listener.drain_now();
    CHECK(listener.count(GT_FORK, parent->stranger) == 0);
    CHECK(listener.count(GT_EXIT, parent->stranger) == 0);
}

TEST_CASE("what does not fit into the ring buffer is counted as lost") {
    const auto probes = load_probes();
    constexpr int children = 4000;  // two events each, and the ring holds 5,461 of 48 bytes
    Child<Steps> parent([](Steps& steps) {
        steps.stop_at(1);
        for (int i = 0; i < children; ++i) ::waitpid(short_lived_child(), nullptr, 0);
        steps.stop_at(2);
    });
    parent->await(1);
    const auto pid = static_cast<std::uint32_t>(parent.pid());
    REQUIRE(probes->add_heir(parent.pid()));
    const auto lost = [&probes] {
        for (const auto& drop : probes->drops())
            if (drop.probe == "process" && drop.reason == "ring_full") return drop.count;
        return std::uint64_t{0};
    };
    REQUIRE(lost() == 0);
    parent->pass(1);
    parent->await(2);
    std::uint64_t ours = 0;
    std::uint64_t others = 0;
    probes->drain_events([&](const ProbeEvent& event) {
        (event.kind == GT_EXEC || (event.parent != pid && event.pid != pid) ? others : ours) += 1;
    });
    REQUIRE(lost() > 0);
    REQUIRE(ours + lost() >= 2U * children);                  // nothing vanished uncounted
    REQUIRE(ours + lost() <= 2U * children + others + 500U);  // other processes' execs may be among the lost
}

TEST_CASE("the loop is woken by an exit at once and by an exec within its pause") {
    const auto probes = load_probes();
    REQUIRE(probes->event_fd() >= 0);
    Child<Steps> child([](Steps& steps) { steps.stop_at(1); });
    child->await(1);
    REQUIRE(probes->watch(child.id()));
    probes->drain_events([](const ProbeEvent&) {});
    child->pass(1);
    const pid_t pid = child.pid();
    child.wait();
    bool seen = false;
    for (int i = 0; i < 100 && !seen; ++i) {
        pollfd waiting{probes->event_fd(), POLLIN, 0};
        REQUIRE(::poll(&waiting, 1, 10'000) == 1);
        probes->drain_events([&](const ProbeEvent& event) {
            seen |= event.kind == GT_EXIT && event.pid == static_cast<std::uint32_t>(pid);
        });
    }
    REQUIRE(seen);
}

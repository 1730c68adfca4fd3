// Calls that block for 20 ms and more are known from the scheduler alone, by class, with no window open.
#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <chrono>
#include <thread>

#include "probe_child.h"

using namespace gotuned;
using namespace std::chrono_literals;

namespace {

struct Blocker {
    Steps steps;
    std::array<int, GT_CLASSES> calls{};
    std::array<std::int64_t, GT_CLASSES> spent{};
};

/// Runs a call that blocks and notes what it took.
template <typename Call>
void timed(Blocker& shared, gt_class which, Call call) {
    const MonoTime begin = MonoClock::now();
    call();
    shared.spent[which] += (MonoClock::now() - begin).count();
    ++shared.calls[which];
}

/// Another process that does something to us in a while: a thread of this one would be counted, too.
template <typename Action>
pid_t later(Duration delay, Action action) {
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        std::this_thread::sleep_for(delay);
        action();
        ::_exit(0);
    }
    return pid;
}

void block_in_each_class(Blocker& shared, const std::string& fifo) {
    timespec nap{0, 30'000'000};
    for (int i = 0; i < 5; ++i) timed(shared, GT_SLEEP, [&] { ::nanosleep(&nap, nullptr); });
    for (int i = 0; i < 4; ++i) {
        int word = 0;
        timed(shared, GT_FUTEX, [&] { ::syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &nap, nullptr, 0); });
    }
    for (int i = 0; i < 3; ++i) timed(shared, GT_WAIT, [] { ::poll(nullptr, 0, 30); });
    for (int i = 0; i < 2; ++i) {
        const pid_t child = later(40ms, [] {});
        timed(shared, GT_WAIT, [child] { ::waitpid(child, nullptr, 0); });
    }
    std::array<int, 2> ends{};
    (void)!::pipe(ends.data());
    char byte = 0;
    for (int i = 0; i < 3; ++i) {
        const pid_t writer = later(40ms, [&] { (void)!::write(ends[1], "x", 1); });
        timed(shared, GT_READ, [&] { (void)!::read(ends[0], &byte, 1); });
        ::waitpid(writer, nullptr, 0);
    }
    ::fcntl(ends[1], F_SETPIPE_SZ, 4096);
    std::array<char, 4096> page{};
    (void)!::write(ends[1], page.data(), page.size());
    for (int i = 0; i < 2; ++i) {
        const pid_t reader = later(40ms, [&] {
            std::array<char, 4096> into{};
            (void)!::read(ends[0], into.data(), into.size());
        });
        timed(shared, GT_WRITE, [&] { (void)!::write(ends[1], page.data(), page.size()); });
        ::waitpid(reader, nullptr, 0);
    }
    for (int i = 0; i < 2; ++i) {
        const pid_t opener = later(40ms, [&] { ::close(::open(fifo.c_str(), O_WRONLY)); });
        timed(shared, GT_OPEN, [&] { ::close(::open(fifo.c_str(), O_RDONLY)); });
        ::waitpid(opener, nullptr, 0);
    }
    const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ::bind(listener, reinterpret_cast<sockaddr*>(&address), size);
    ::listen(listener, 5);
    ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
    for (int i = 0; i < 3; ++i) {
        const pid_t caller = later(40ms, [&] {
            const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
            ::connect(socket, reinterpret_cast<sockaddr*>(&address), size);
        });
        timed(shared, GT_ACCEPT, [&] { ::close(::accept(listener, nullptr, nullptr)); });
        ::waitpid(caller, nullptr, 0);
    }
}

}  // namespace

TEST_CASE("blocking calls are counted by class, as many and as long as the process says") {
    const auto probes = load_probes();
    const std::string fifo = "/tmp/gotuned-probe-fifo-" + std::to_string(::getpid());
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    Child<Blocker> child([&fifo](Blocker& shared) {
        shared.steps.stop_at(1);
        block_in_each_class(shared, fifo);
        shared.steps.stop_at(2);
    });
    child->steps.await(1);
    REQUIRE(probes->watch(child.id()));
    child->steps.pass(1);
    child->steps.await(2);
    const SlotDelta delta = probes->take(child.id(), MonoClock::now());
    ::unlink(fifo.c_str());
    // The helpers' ends are waited for as well, mostly for less than 20 ms: those of GT_WAIT are at least ours.
    for (const gt_class which : {GT_SLEEP, GT_FUTEX, GT_READ, GT_WRITE, GT_OPEN, GT_ACCEPT}) {
        INFO("class " << which);
        CHECK(delta.blocked[which].count() == child->calls[which]);
        CHECK(delta.blocked[which].sum == Approx(static_cast<double>(child->spent[which]) * 1e-9).epsilon(0.05));
    }
    CHECK(delta.blocked[GT_WAIT].count() >= child->calls[GT_WAIT]);
    CHECK(delta.blocked[GT_FSYNC].count() == 0);
    CHECK(delta.blocked[GT_CONNECT].count() == 0);
    for (const auto& window : delta.window) CHECK(window.count() == 0);
    CHECK(delta.observed == Duration::zero());
}

namespace {

struct Sleeper : Steps {
    std::atomic<long> slept{0};  ///< how often it left the CPU by itself: getrusage(2)
};

long voluntary_switches() {
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    return used.ru_nvcsw;
}

}  // namespace

TEST_CASE("a sleep shorter than 20 ms is no blocked call") {
    const auto probes = load_probes();
    Child<Sleeper> child([](Sleeper& steps) {
        steps.stop_at(1);
        const long before = voluntary_switches();
        for (int i = 0; i < 20; ++i) ::usleep(2000);
        steps.slept = voluntary_switches() - before;
        steps.stop_at(2);
    });
    child->await(1);
    REQUIRE(probes->watch(child.id()));
    child->pass(1);
    child->await(2);
    const SlotDelta delta = probes->take(child.id(), MonoClock::now());
    // On a busy machine a timer may fire before its sleeper has left the CPU: that one never slept.
    double dropped = 0;
    for (const auto& drop : probes->drops())
        if (drop.probe == "sched") dropped += static_cast<double>(drop.count);
    REQUIRE(child->slept > 10);
    REQUIRE(dropped <= 1);
    REQUIRE(delta.runq.count() + dropped >= static_cast<double>(child->slept));
    double blocked = 0;
    for (const auto& distribution : delta.blocked) blocked += distribution.count();
    REQUIRE(blocked <= 1);  // a busy machine may hold one of them back for so long
}

TEST_CASE("a stopped process is blocked in no call") {
    const auto probes = load_probes();
    Child<Steps> child([](Steps& steps) {
        steps.stop_at(1);
        steps.stop_at(2);
    });
    child->await(1);
    REQUIRE(probes->watch(child.id()));
    ::kill(child.pid(), SIGSTOP);
    std::this_thread::sleep_for(50ms);
    ::kill(child.pid(), SIGCONT);
    child->pass(1);
    child->await(2);
    const SlotDelta delta = probes->take(child.id(), MonoClock::now());
    REQUIRE(delta.switches >= 1);
    for (const auto& distribution : delta.blocked) REQUIRE(distribution.count() == 0);
}

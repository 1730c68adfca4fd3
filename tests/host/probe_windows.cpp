// System-call windows against processes that know how many calls they made.
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <array>
#include <thread>

#include "probe_child.h"

using namespace gotuned;
using namespace std::chrono_literals;

namespace {

/// Runs `work` in a child, wholly inside one window, and gives what was counted; `switches`: context switches are seen.
template <typename Work>
SlotDelta in_one_window(Work work, bool switches = true) {
    const auto probes = load_probes();
    Child<Steps> child([&work](Steps& steps) {
        steps.stop_at(1);
        work();
        steps.stop_at(2);
    });
    child->await(1);
    REQUIRE(probes->watch(child.id()));
    if (!switches) probes->pause(PartTime::scheduler);
    REQUIRE(probes->open_window());
    child->pass(1);
    child->await(2);
    probes->close_window();
    return probes->take(child.id(), MonoClock::now());
}

double all_calls(const SlotDelta& delta) {
    double sum = 0;
    for (const auto& distribution : delta.window) sum += distribution.count();
    return sum;
}

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
}

int connect_to(const sockaddr_in& address, int type) {
    const int socket = ::socket(AF_INET, type, 0);
    ::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    return socket;
}

/// A port of the loopback that nobody listens on: bound by us, then given back.
std::uint16_t closed_port() {
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    ::bind(socket, reinterpret_cast<sockaddr*>(&address), size);
    ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
    ::close(socket);
    return ntohs(address.sin_port);
}

}  // namespace

TEST_CASE("in an open window each call is counted once, in its class") {
    const SlotDelta delta = in_one_window([] {
        char byte = 0;
        const int zero = ::open("/dev/zero", O_RDONLY);
        const int null = ::open("/dev/null", O_WRONLY);
        for (int i = 0; i < 101; ++i) (void)!::read(zero, &byte, 1);
        for (int i = 0; i < 20; ++i) (void)!::pread(zero, &byte, 1, 0);
        for (int i = 0; i < 202; ++i) (void)!::write(null, &byte, 1);
        for (int i = 0; i < 51; ++i) ::close(::open("/dev/null", O_RDONLY));
        for (int i = 0; i < 31; ++i) {
            void* page = ::mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            ::munmap(page, 4096);
        }
        for (int i = 0; i < 77; ++i) ::getppid();
        for (int i = 0; i < 13; ++i) ::usleep(100);
        const int file = ::open("/tmp", O_TMPFILE | O_RDWR, 0600);
        for (int i = 0; i < 5; ++i) ::fdatasync(file);
    });
    CHECK(delta.window[GT_READ].count() == 121);
    CHECK(delta.window[GT_WRITE].count() == 202);
    CHECK(delta.window[GT_OPEN].count() == 54);
    CHECK(delta.window[GT_CLOSE].count() == 51);
    CHECK(delta.window[GT_MMAP].count() == 62);
    CHECK(delta.window[GT_OTHER].count() == 77);
    CHECK(delta.window[GT_SLEEP].count() + delta.blocked[GT_SLEEP].count() == 13);
    CHECK(delta.window[GT_FSYNC].count() + delta.blocked[GT_FSYNC].count() == 5);
    CHECK(delta.window[GT_ACCEPT].count() == 0);
    CHECK(delta.jitter[GT_OTHER].count == 77);
    CHECK(delta.observed > Duration::zero());
    CHECK(delta.observed <= delta.elapsed);
}

TEST_CASE("a call takes as long as the caller's own clock says") {
    struct Timer {
        Steps steps;
        std::array<std::int64_t, GT_CLASSES> spent;
    };
    constexpr int calls = 10;
    const auto probes = load_probes();
    Child<Timer> child([](Timer& shared) {
        const auto timed = [&shared](gt_class which, auto call) {
            const MonoTime before = MonoClock::now();
            call();
            shared.spent[which] += (MonoClock::now() - before).count();
        };
        std::vector<char> much(std::size_t{4} << 20U, 1);
        const int zero = ::open("/dev/zero", O_RDONLY);
        const int memory = ::memfd_create("much", 0);
        shared.steps.stop_at(1);
        for (int i = 0; i < calls; ++i) {
            timed(GT_SLEEP, [] { ::usleep(3000); });
            timed(GT_READ, [&] { (void)!::pread(zero, much.data(), much.size(), 0); });
            timed(GT_WRITE, [&] { (void)!::pwrite(memory, much.data(), much.size(), 0); });
            timed(GT_MMAP,
                  [&] { ::mmap(nullptr, much.size(), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0); });
        }
        shared.steps.stop_at(2);
    });
    child->steps.await(1);
    REQUIRE(probes->watch(child.id()));
    REQUIRE(probes->open_window());
    child->steps.pass(1);
    child->steps.await(2);
    probes->close_window();
    const SlotDelta delta = probes->take(child.id(), MonoClock::now());
    for (const gt_class which : {GT_SLEEP, GT_READ, GT_WRITE, GT_MMAP}) {
        // One that took 20 ms on a busy host is with the blocked ones.
        const double counted = delta.window[which].count() + delta.blocked[which].count();
        const double took = delta.window[which].sum + delta.blocked[which].sum;
        const double by_its_clock = static_cast<double>(child->spent[which]) * 1e-9;
        INFO("class " << which << ": " << took << " s, by its own clock " << by_its_clock << " s");
        CHECK(counted == calls);
        CHECK(took <= by_its_clock);
        CHECK(took >= by_its_clock * 0.9);
    }
}

TEST_CASE("a call that began before the window or ends after it is not counted, and neither is one outside") {
    const auto probes = load_probes();
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    Child<Steps> child([&ends](Steps& steps) {
        char byte = 0;
        steps.stop_at(1);
        for (int i = 0; i < 50; ++i) ::getppid();  // no window yet
        (void)!::read(ends[0], &byte, 1);          // from before the window into it
        steps.stop_at(2);
        for (int i = 0; i < 7; ++i) ::getppid();
        (void)!::read(ends[0], &byte, 1);  // from the window out of it
        for (int i = 0; i < 50; ++i) ::getppid();
        steps.stop_at(3);
        for (int i = 0; i < 3; ++i) ::getppid();  // a second window
        steps.stop_at(4);
    });
    child->await(1);
    REQUIRE(probes->watch(child.id()));
    child->pass(1);
    await_sleep(child.pid());
    REQUIRE(probes->open_window());
    REQUIRE(::write(ends[1], "x", 1) == 1);
    child->await(2);
    child->pass(2);
    await_sleep(child.pid());
    probes->close_window();
    REQUIRE_FALSE(probes->window_open());
    REQUIRE(::write(ends[1], "x", 1) == 1);
    child->await(3);
    SlotDelta delta = probes->take(child.id(), MonoClock::now());
    CHECK(delta.window[GT_OTHER].count() == 7);
    CHECK(all_calls(delta) == 7);
    REQUIRE(probes->open_window());
    child->pass(3);
    child->await(4);
    probes->close_window();
    delta = probes->take(child.id(), MonoClock::now());
    CHECK(all_calls(delta) == 3);
    ::close(ends[0]);
    ::close(ends[1]);
}

TEST_CASE("failed calls are counted by errno, and only where the errno means trouble") {
    const std::uint16_t port = closed_port();
    const SlotDelta delta = in_one_window([port] {
        const rlimit few{200, 200};
        ::setrlimit(RLIMIT_NOFILE, &few);
        std::array<int, 2> ends{};
        (void)!::pipe2(ends.data(), O_NONBLOCK);
        char byte = 0;
        for (int i = 0; i < 5; ++i) (void)!::read(ends[0], &byte, 1);  // EAGAIN: not now, no trouble
        for (int i = 0; i < 3; ++i) ::close(connect_to(loopback(port), SOCK_STREAM));
        const int datagrams = connect_to(loopback(port), SOCK_DGRAM);
        (void)!::send(datagrams, "x", 1, 0);  // refused by ICMP, which SO_ERROR tells
        int error = 0;
        socklen_t size = sizeof error;
        ::getsockopt(datagrams, SOL_SOCKET, SO_ERROR, &error, &size);
        sockaddr_in foreign = loopback(0);
        foreign.sin_addr.s_addr = htonl(0xC0000201U);  // 192.0.2.1, TEST-NET-1 (RFC 5737)
        for (int i = 0; i < 4; ++i) ::bind(datagrams, reinterpret_cast<sockaddr*>(&foreign), sizeof foreign);
        for (int i = 0; i < 11; ++i) ::mmap(nullptr, 1ULL << 50U, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        int opened = 0;
        while (::open("/dev/null", O_RDONLY) >= 0) ++opened;
        for (int i = 0; i < 36; ++i) ::open("/dev/null", O_RDONLY);
        timespec soon{0, 1'000'000};
        int word = 0;
        for (int i = 0; i < 2; ++i) ::syscall(SYS_futex, &word, 128, 0, &soon, nullptr, 0);  // ETIMEDOUT, no trouble
        const rlimit none{0, 0};
        ::setrlimit(RLIMIT_NPROC, &none);
        (void)!::syscall(SYS_setresuid, 54321, 54321, 54321);  // the limit does not bind root
        for (int i = 0; i < 6; ++i)
            if (::fork() == 0) ::_exit(0);
    });
    CHECK(delta.failed[GT_EMFILE] == 37);
    CHECK(delta.failed[GT_ENOMEM] == 11);
    CHECK(delta.failed[GT_ECONNREFUSED] == 4);
    CHECK(delta.failed[GT_EADDRNOTAVAIL] == 4);
    CHECK(delta.failed[GT_EAGAIN_CLONE] == 6);
    CHECK(delta.failed[GT_ETIMEDOUT] == 0);
    CHECK(delta.failed[GT_ENFILE] == 0);
}

TEST_CASE("polls are told apart by their timeout being zero") {
    const SlotDelta delta = in_one_window([] {
        const int poller = ::epoll_create1(0);
        std::array<int, 2> ready{::eventfd(0, 0), ::eventfd(0, 0)};
        std::array<epoll_event, 8> found{};
        const timespec zero{0, 0};
        for (const int fd : ready) {
            epoll_event event{};
            event.events = EPOLLIN;
            ::epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
        }
        for (int i = 0; i < 40; ++i) ::epoll_wait(poller, found.data(), 8, 0);
        for (int i = 0; i < 9; ++i) ::epoll_pwait2(poller, found.data(), 8, &zero, nullptr);
        for (int i = 0; i < 6; ++i) ::epoll_wait(poller, found.data(), 8, 1);
        for (const int fd : ready) {
            const std::uint64_t one = 1;
            (void)!::write(fd, &one, sizeof one);
        }
        for (int i = 0; i < 10; ++i) ::epoll_wait(poller, found.data(), 8, 0);
        for (int i = 0; i < 8; ++i) ::epoll_wait(poller, found.data(), 8, -1);
        for (int i = 0; i < 3; ++i) ::epoll_pwait2(poller, found.data(), 8, nullptr, nullptr);
    });
    CHECK(delta.polls.polls[0] == 59);
    CHECK(delta.polls.empty[0] == 49);
    CHECK(delta.polls.events[0] == 20);
    CHECK(delta.polls.polls[1] == 17);
    CHECK(delta.polls.empty[1] == 6);
    CHECK(delta.polls.events[1] == 22);
}

TEST_CASE("jitter leaves out the time off the CPU: it is no more than the CPU time the process used") {
    struct Worker {
        Steps steps;
        std::atomic<std::int64_t> cpu{0};
    };
    const auto probes = load_probes();
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    Child<Worker> child([&ends](Worker& shared) {
        char byte = 0;
        timespec before{}, after{};
        shared.steps.stop_at(1);
        ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
        for (int i = 0; i < 10; ++i) (void)!::read(ends[0], &byte, 1);
        ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
        shared.cpu = (after.tv_sec - before.tv_sec) * 1'000'000'000 + after.tv_nsec - before.tv_nsec;
        shared.steps.stop_at(2);
    });
    child->steps.await(1);
    REQUIRE(probes->watch(child.id()));
    REQUIRE(probes->open_window());
    child->steps.pass(1);
    for (int i = 0; i < 10; ++i) {
        await_sleep(child.pid());
        std::this_thread::sleep_for(6ms);
        REQUIRE(::write(ends[1], "x", 1) == 1);
        while (true) {  // taken?
            int left = 0;
            REQUIRE(::ioctl(ends[0], FIONREAD, &left) == 0);
            if (left == 0) break;
        }
    }
    child->steps.await(2);
    probes->close_window();
    const SlotDelta delta = probes->take(child.id(), MonoClock::now());
    const auto& jitter = delta.jitter[GT_READ];
    CHECK(jitter.count == 10);
    CHECK(delta.window[GT_READ].count() + delta.blocked[GT_READ].count() == 10);
    CHECK(delta.window[GT_READ].sum + delta.blocked[GT_READ].sum > 0.055);
    CHECK(jitter.sum > 0);
    CHECK(jitter.sum <= static_cast<double>(child->cpu) * 1e-9 + 10 * 20e-6);  // 20 µs a call for the switch itself
    CHECK(jitter.sum_of_squares <= jitter.sum * jitter.sum);
    ::close(ends[0]);
    ::close(ends[1]);
}

TEST_CASE("a call that ends on another CPU than it began on is counted once, and as itself") {
    const Cpus cpus = cpus_here();
    const SlotDelta delta = in_one_window([&cpus] {
        for (int i = 0; i < 200; ++i) {
            cpu_set_t one;
            CPU_ZERO(&one);
            CPU_SET(static_cast<std::size_t>(i % 2 == 0 ? cpus.first : cpus.last), &one);
            ::sched_setaffinity(0, sizeof one, &one);
            for (int j = 0; j < 3; ++j) ::access("/", F_OK);
            ::close(-1);
        }
    });
    CHECK(delta.jitter[GT_OTHER].count == 800);
    CHECK(delta.jitter[GT_CLOSE].count == 200);
    CHECK(delta.window[GT_CLOSE].count() == 200);
    CHECK(delta.window[GT_OTHER].count() <= 800);
    CHECK(delta.window[GT_OTHER].count() > 780);  // some may take 20 ms
}

TEST_CASE("a call is not taken for one of the thread that had the kernel stack, or the CPU, before") {
    const auto probes = load_probes();
    const auto threads_that_call = [cpu = cpus_here().first](Steps& steps) {
        pin_to(cpu);
        steps.stop_at(1);
        for (int i = 0; i < 500; ++i) {
            std::thread([] {
                for (int j = 0; j < 5; ++j) ::fdatasync(-1);
            }).join();
        }
        steps.stop_at(2);
    };
    Child<Steps> watched(threads_that_call);
    Child<Steps> other(threads_that_call);
    watched->await(1);
    other->await(1);
    REQUIRE(probes->watch(watched.id()));
    REQUIRE(probes->open_window());
    watched->pass(1);
    other->pass(1);
    watched->await(2);
    other->await(2);
    probes->close_window();
    CHECK(probes->take(watched.id(), MonoClock::now()).jitter[GT_FSYNC].count == 2500);
}

TEST_CASE("where context switches are not seen, calls are counted all the same and have no jitter") {
    const SlotDelta delta = in_one_window(
        [] {
            const timespec moment{0, 1'000'000};
            for (int i = 0; i < 20; ++i) ::nanosleep(&moment, nullptr);
            for (int i = 0; i < 30; ++i) ::getppid();
        },
        false);
    CHECK(delta.window[GT_SLEEP].count() <= 20);
    CHECK(delta.window[GT_SLEEP].count() > 14);  // some may take 20 ms
    CHECK(delta.window[GT_SLEEP].sum > 0.014);
    CHECK(delta.window[GT_OTHER].count() == 30);
    CHECK(delta.jitter[GT_SLEEP].count == 0);
    CHECK(delta.jitter[GT_OTHER].count == 0);
}

TEST_CASE("a call under way when context switches are no longer seen is not counted, and those after it are") {
    const auto probes = load_probes();
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    Child<Steps> child([&ends](Steps& steps) {
        char byte = 0;
        steps.stop_at(1);
        (void)!::read(ends[0], &byte, 1);
        for (int i = 0; i < 10; ++i) ::getppid();
        steps.stop_at(2);
    });
    child->await(1);
    REQUIRE(probes->watch(child.id()));
    REQUIRE(probes->open_window());
    child->pass(1);
    await_sleep(child.pid());
    const bool again = GENERATE(false, true);
    probes->pause(PartTime::scheduler);
    if (again) probes->resume(PartTime::scheduler);
    REQUIRE(::write(ends[1], "x", 1) == 1);
    child->await(2);
    probes->close_window();
    const SlotDelta delta = probes->take(child.id(), MonoClock::now());
    CHECK(delta.window[GT_READ].count() == 0);
    CHECK(delta.window[GT_OTHER].count() == 10);
    CHECK(delta.jitter[GT_OTHER].count == (again ? 10 : 0));
    ::close(ends[0]);
    ::close(ends[1]);
}

TEST_CASE("a call that seccomp took away is not counted") {
    const SlotDelta delta = in_one_window([] {
        std::array<sock_filter, 4> filter{{
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpriority, 0, 1),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 12),  // ENOMEM
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        }};
        sock_fprog program{4, filter.data()};
        ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
        for (int i = 0; i < 9; ++i) ::syscall(SYS_getpriority, 0, 0);
        for (int i = 0; i < 4; ++i) ::getppid();
    });
    CHECK(delta.window[GT_OTHER].count() == 6);  // two prctl, four getppid
    CHECK(delta.failed[GT_ENOMEM] == 0);
}

TEST_CASE("exposure is the time the window was open while the process was watched") {
    const auto probes = load_probes();
    Child<Steps> early([](Steps& steps) { steps.stop_at(1); });
    Child<Steps> late([](Steps& steps) { steps.stop_at(1); });
    early->await(1);
    late->await(1);
    REQUIRE(probes->watch(early.id()));
    const MonoTime before_open = MonoClock::now();
    REQUIRE(probes->open_window());
    REQUIRE(probes->window_open());
    const MonoTime after_open = MonoClock::now();
    std::this_thread::sleep_for(30ms);
    const MonoTime before_watch = MonoClock::now();
    REQUIRE(probes->watch(late.id()));
    const MonoTime after_watch = MonoClock::now();
    std::this_thread::sleep_for(30ms);
    const MonoTime before_close = MonoClock::now();
    probes->close_window();
    const MonoTime after_close = MonoClock::now();
    std::this_thread::sleep_for(20ms);
    const MonoTime now = MonoClock::now();
    const SlotDelta whole = probes->take(early.id(), now);
    CHECK(whole.observed >= before_close - after_open);
    CHECK(whole.observed <= after_close - before_open);
    CHECK(whole.elapsed >= now - before_open);
    const SlotDelta part = probes->take(late.id(), now);
    CHECK(part.observed >= before_close - after_watch);
    CHECK(part.observed <= after_close - before_watch);
    const SlotDelta nothing = probes->take(early.id(), now + 10ms);
    CHECK(nothing.elapsed == 10ms);
    CHECK(nothing.observed == Duration::zero());
}

TEST_CASE("a thread that began before its process was watched is counted from its next call on") {
    const auto probes = load_probes();
    Child<Steps> child([](Steps& steps) {
        std::thread other([&steps] {
            steps.reached = 1;  // its start's own calls are over
            while (steps.allowed < 1) {
            }
            for (int i = 0; i < 5; ++i) ::getppid();
            steps.reached = 2;
            while (steps.allowed < 2) {
            }
        });
        while (steps.allowed < 2) {
        }
        other.join();
    });
    child->await(1);
    std::this_thread::sleep_for(20ms);
    REQUIRE(probes->open_window());
    REQUIRE(probes->watch(child.id()));
    child->pass(1);
    child->await(2);
    probes->close_window();
    REQUIRE(probes->take(child.id(), MonoClock::now()).window[GT_OTHER].count() == 5);
    child->pass(2);
}

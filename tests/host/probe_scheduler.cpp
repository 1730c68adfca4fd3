// The scheduler's tier against processes that measure the same thing themselves.
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <thread>

#include "base/text.h"
#include "probe/loaded_probes.h"
#include "probe_child.h"

using namespace gotuned;
using namespace std::chrono_literals;

namespace {

/// A thread above all others of its CPU for `length`, at the test's bidding.
class Hog {
public:
    explicit Hog(int cpu)
        : thread_([this, cpu] {
              pin_to(cpu);
              sched_param priority{};
              priority.sched_priority = 10;
              usable_ = ::pthread_setschedparam(::pthread_self(), SCHED_FIFO, &priority) == 0;
              ready_ = true;
              while (!quit_) {
                  wanted_.wait(false);
                  if (quit_) break;
                  wanted_ = false;
                  const MonoTime end = MonoClock::now() + length_;
                  spinning_ = true;
                  ++started_;
                  while (MonoClock::now() < end) {
                  }
                  spinning_ = false;
              }
          }) {
        while (!ready_) std::this_thread::yield();
    }
    ~Hog() {
        quit_ = true;
        wanted_ = true;
        wanted_.notify_one();
        thread_.join();
    }
    Hog(const Hog&) = delete;
    Hog& operator=(const Hog&) = delete;
    [[nodiscard]] bool usable() const { return usable_; }
    void start(Duration length) {
        const int before = started_;
        length_ = length;
        wanted_ = true;
        wanted_.notify_one();
        while (started_ == before) {  // it may have come and gone before we look
        }
    }
    void join() {
        while (spinning_) std::this_thread::sleep_for(100us);
    }

private:
    std::atomic<bool> ready_{false}, usable_{false}, quit_{false}, wanted_{false}, spinning_{false};
    std::atomic<int> started_{0};
    Duration length_{};
    std::thread thread_;
};

struct Sleeper {
    Steps steps;
    std::atomic<std::int64_t> written{0};
    std::atomic<int> woken{0};
    std::int64_t waited[256]{};
};

void drain(int fd) {
    std::uint64_t value = 0;
    REQUIRE(::read(fd, &value, sizeof value) == sizeof value);
}

void write_one(int fd) {
    const std::uint64_t one = 1;
    REQUIRE(::write(fd, &one, sizeof one) == sizeof one);
}

int epoll_of(int fd) {
    const int poller = ::epoll_create1(EPOLL_CLOEXEC);
    epoll_event event{};
    event.events = EPOLLIN;
    ::epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
    return poller;
}

/// voluntary + nonvoluntary switches of a thread, by its own file.
std::uint64_t switches_by_proc(pid_t pid) {
    std::uint64_t sum = 0;
    const auto text = read_file("/proc/" + std::to_string(pid) + "/status");
    REQUIRE(text);
    for (const auto line : split(*text, '\n')) {
        if (line.find("voluntary_ctxt_switches:") == std::string_view::npos) continue;
        std::uint64_t value = 0;
        REQUIRE(parse_u64(trim(line.substr(line.find(':') + 1)), value));
        sum += value;
    }
    return sum;
}

}  // namespace

TEST_CASE("a poller woken behind a busy CPU has waited as long as the poller itself says") {
    const Cpus cpus = cpus_here();
    if (cpus.count < 2) {
        WARN("SKIPPED: one CPU");
        return;
    }
    Hog hog(cpus.last);
    if (!hog.usable()) {
        WARN("SKIPPED: no SCHED_FIFO here");
        return;
    }
    const auto probes = load_probes();
    const int event = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    constexpr int rounds = 40;
    Child<Sleeper> child([event, &cpus](Sleeper& shared) {
        pin_to(cpus.last);
        const int poller = epoll_of(event);
        shared.steps.stop_at(1);
        for (int i = 0; i < rounds; ++i) {
            epoll_event found{};
            ::epoll_wait(poller, &found, 1, -1);
            shared.waited[i] = MonoClock::now().time_since_epoch().count() - shared.written;
            drain(event);
            shared.woken = i + 1;
        }
        shared.steps.stop_at(2);
    });
    pin_to(cpus.first);
    child->steps.await(1);
    REQUIRE(probes->watch(child.id()));
    child->steps.pass(1);
    static constexpr Duration lengths[] = {200us, 1000us, 3000us, 5000us};
    for (int i = 0; i < rounds; ++i) {
        await_sleep(child.pid());
        hog.start(lengths[i % 4]);
        child->written = MonoClock::now().time_since_epoch().count();
        write_one(event);
        hog.join();
        while (child->woken <= i) ::usleep(50);
    }
    const SlotDelta delta = probes->take(child.id(), MonoClock::now());
    Distribution truth;
    for (int i = 0; i < rounds; ++i) truth.record(Duration(child->waited[i]));
    require_nearly_all(delta.epoll_wake.count(), rounds);
    require_nearly_all(delta.netpoll_sleep.count(), rounds);
    REQUIRE(delta.timer_late.count() == 0);
    require_same_within_a_bucket(delta.epoll_wake, truth);
    REQUIRE(*delta.epoll_wake.mean() == Approx(*truth.mean()).epsilon(0.1));
    REQUIRE(delta.runq.count() >= delta.epoll_wake.count());
    REQUIRE(delta.scheduler_observed == delta.elapsed);
    ::close(event);
    cpu_set_t all;
    CPU_ZERO(&all);
    for (int cpu = cpus.first; cpu <= cpus.last; ++cpu) CPU_SET(static_cast<std::size_t>(cpu), &all);
    ::sched_setaffinity(0, sizeof all, &all);
}

TEST_CASE("a thread that was preempted has waited for the CPU as long as its own clock jumped") {
    const Cpus cpus = cpus_here();
    Hog hog(cpus.last);
    if (cpus.count < 2 || !hog.usable()) {
        WARN("SKIPPED: needs two CPUs and SCHED_FIFO");
        return;
    }
    const auto probes = load_probes();
    struct Spinner {
        Steps steps;
        std::atomic<bool> quit{false};
        std::int64_t gaps[4096]{};
        int count = 0;
        std::atomic<int> long_gaps{0};
    };
    Child<Spinner> child([&cpus](Spinner& shared) {
        pin_to(cpus.last);
        shared.steps.stop_at(1);
        MonoTime last = MonoClock::now();
        while (!shared.quit) {
            const MonoTime now = MonoClock::now();
            if (now - last > 500us && shared.count < 4096) shared.gaps[shared.count++] = (now - last).count();
            if (now - last > 2200us) ++shared.long_gaps;
            last = now;
        }
        shared.steps.stop_at(2);
    });
    child->steps.await(1);
    REQUIRE(probes->watch(child.id()));
    child->steps.pass(1);
    std::this_thread::sleep_for(20ms);
    constexpr int wanted = 15;
    for (int i = 0; i < 1000 && child->long_gaps < wanted; ++i) {
        hog.start(2500us);
        hog.join();
        std::this_thread::sleep_for(10ms);
    }
    child->quit = true;
    child->steps.await(2);
    const SlotDelta delta = probes->take(child.id(), MonoClock::now());
    Distribution truth;
    for (int i = 0; i < child->count; ++i) truth.record(Duration(child->gaps[i]));
    double seen = 0;
    double known = 0;
    for (std::size_t i = 12; i < Distribution::bucket_count; ++i) {  // from 2.1 ms on: the hog's, and a busy machine's
        seen += delta.runq.buckets[i];
        known += truth.buckets[i];
    }
    REQUIRE(known >= wanted);
    REQUIRE(seen == Approx(known).margin(3));
}

TEST_CASE("a poller's timers and its events are kept apart") {
    const auto probes = load_probes();
    const int event = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    constexpr int timers = 50;
    constexpr int events = 40;
    Child<Sleeper> child([event](Sleeper& shared) {
        const int poller = epoll_of(event);
        epoll_event found{};
        shared.steps.stop_at(1);
        for (int i = 0; i < timers; ++i) {
            const MonoTime begin = MonoClock::now();
            if (i % 2 == 0) {
                ::epoll_wait(poller, &found, 1, 3);
            } else {
                const timespec timeout{0, 3'000'000};
                ::epoll_pwait2(poller, &found, 1, &timeout, nullptr);
            }
            shared.waited[i] = (MonoClock::now() - begin - 3ms).count();
        }
        shared.steps.stop_at(2);
        for (int i = 0; i < events; ++i) {
            ::epoll_wait(poller, &found, 1, i % 2 == 0 ? -1 : 60'000);
            drain(event);
            shared.woken = i + 1;
        }
        shared.steps.stop_at(3);
    });
    child->steps.await(1);
    REQUIRE(probes->watch(child.id()));
    child->steps.pass(1);
    child->steps.await(2);
    const SlotDelta by_timer = probes->take(child.id(), MonoClock::now());
    child->steps.pass(2);
    for (int i = 0; i < events; ++i) {
        await_sleep(child.pid());
        write_one(event);
        while (child->woken <= i) ::usleep(50);
    }
    child->steps.await(3);
    const SlotDelta by_event = probes->take(child.id(), MonoClock::now());
    Distribution truth;
    for (int i = 0; i < timers; ++i) truth.record(Duration(child->waited[i]));
    require_nearly_all(by_timer.timer_late.count(), timers);
    CHECK(by_timer.epoll_wake.count() <= 2);  // one held up between setting its timer and leaving the CPU
    require_nearly_all(by_timer.netpoll_sleep.count(), timers);
    require_same_within_a_bucket(by_timer.timer_late, truth);
    CHECK(by_event.timer_late.count() == 0);
    require_nearly_all(by_event.epoll_wake.count(), events);
    require_nearly_all(by_event.netpoll_sleep.count(), events);
    ::close(event);
}

TEST_CASE("a move to another CPU is a migration, and staying is none") {
    const Cpus cpus = cpus_here();
    if (cpus.count < 2) {
        WARN("SKIPPED: one CPU");
        return;
    }
    const auto probes = load_probes();
    constexpr int moves = 40;
    Child<Steps> child([&cpus](Steps& steps) {
        pin_to(cpus.first);
        steps.stop_at(1);
        ::usleep(1000);  // seen on its first CPU
        for (int i = 0; i < moves; ++i) pin_to(i % 2 == 0 ? cpus.last : cpus.first);
        steps.stop_at(2);
        for (int i = 0; i < 20; ++i) ::usleep(1000);
        steps.stop_at(3);
    });
    child->await(1);
    REQUIRE(probes->watch(child.id()));
    child->pass(1);
    child->await(2);
    require_nearly_all(static_cast<double>(probes->take(child.id(), MonoClock::now()).migrations), moves);
    child->pass(2);
    child->await(3);
    const SlotDelta staying = probes->take(child.id(), MonoClock::now());
    REQUIRE(staying.switches >= 15);
    REQUIRE(staying.migrations == 0);
}

TEST_CASE("context switches agree with the process's own file") {
    const auto probes = load_probes();
    Child<Steps> child([](Steps& steps) {
        steps.stop_at(1);
        for (int i = 0; i < 300; ++i) ::usleep(200);
        steps.stop_at(2);
    });
    child->await(1);
    REQUIRE(probes->watch(child.id()));
    const std::uint64_t before = switches_by_proc(child.pid());
    child->pass(1);
    child->await(2);
    const std::uint64_t truth = switches_by_proc(child.pid()) - before;
    const std::uint64_t seen = probes->switches_since(child.id());
    REQUIRE(truth >= 300);
    require_nearly_all(static_cast<double>(seen), static_cast<double>(truth) + 5);  // it spins on meanwhile
    REQUIRE(probes->take(child.id(), MonoClock::now()).switches >= seen);
}

TEST_CASE("a new thread's first wait for a CPU counts") {
    const auto probes = load_probes();
    Child<Steps> child([](Steps& steps) {
        steps.stop_at(1);
        for (int i = 0; i < 50; ++i) std::thread([] {}).join();
        steps.stop_at(2);
    });
    child->await(1);
    REQUIRE(probes->watch(child.id()));
    child->pass(1);
    child->await(2);
    REQUIRE(probes->take(child.id(), MonoClock::now()).runq.count() >= 45);
}

TEST_CASE("while the scheduler's programs are detached nothing is counted and the time is not claimed as observed") {
    // Forked first: a child would hold the links open.
    Child<Steps> child([](Steps& steps) {
        for (int step = 1; step < 4; ++step) {
            steps.stop_at(step);
            ::usleep(50'000);
        }
        steps.stop_at(4);
    });
    auto probes = std::make_unique<LoadedProbes>(ProbeOptions{});
    child->await(1);
    REQUIRE(probes->watch(child.id()));
    probes->detach();
    child->pass(1);
    child->await(2);
    const SlotDelta detached = probes->take(child.id(), MonoClock::now());
    CHECK(detached.switches == 0);
    CHECK(detached.blocked[GT_SLEEP].count() == 0);
    CHECK(detached.scheduler_observed < detached.elapsed / 2);
    child->pass(2);  // asleep when the programs come back: nobody knows since when
    await_sleep(child.pid());
    probes->attach();
    child->await(3);
    CHECK(probes->take(child.id(), MonoClock::now()).blocked[GT_SLEEP].count() == 0);
    child->pass(3);
    child->await(4);
    CHECK(probes->take(child.id(), MonoClock::now()).blocked[GT_SLEEP].count() == 1);
}

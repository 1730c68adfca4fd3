// The busiest processes count into copies of their slots, one a CPU: nothing is lost or counted twice when copies are
// given and taken away under a process that goes on.
#include <fstream>
#include <thread>

#include "probe/loaded_probes.h"
#include "probe_child.h"

using namespace gotuned;
using namespace std::chrono_literals;

namespace {

/// Context switches of a process of one thread, as the kernel counts them itself.
std::uint64_t switches_of(pid_t pid) {
    std::ifstream status("/proc/" + std::to_string(pid) + "/status");
    std::uint64_t sum = 0;
    for (std::string line; std::getline(status, line);)
        if (const auto at = line.find("ctxt_switches:"); at != std::string::npos)
            sum += std::stoull(line.substr(at + 14));
    return sum;
}

/// At each step: so many short sleeps and so many cheap system calls.
struct Worker {
    Steps steps;
    std::atomic<int> sleeps{2000};
    std::atomic<int> calls{0};
};

void work(Worker& worker) {
    for (int step = 1;; ++step) {
        worker.steps.stop_at(step);
        for (int i = 0; i < worker.sleeps; ++i) ::usleep(100);
        for (int i = 0; i < worker.calls; ++i) ::syscall(SYS_getppid);
    }
}

/// Makes calls without a pause on a CPU of its own, so that nothing but the daemon changes where they are counted.
struct Caller {
    Steps steps;
    std::atomic<bool> goes_on{true};
    std::atomic<bool> switches{true};  ///< a second thread sleeps all the time
    std::uint64_t made = 0;
};

void call(Caller& caller) {
    std::thread sleeper([&caller] {
        while (caller.goes_on) ::usleep(caller.switches ? 100 : 20'000);
    });
    pin_to(cpus_here().last);
    caller.steps.stop_at(1);
    for (; caller.goes_on; ++caller.made) ::fdatasync(-1);
    sleeper.join();
    caller.steps.stop_at(2);
}

/// Lets the child do one more step and waits for its end.
void step(Child<Worker>& child) {
    const int now = child->steps.reached;
    child->steps.pass(now);
    child->steps.await(now + 1);
}

/// The two count a little apart: one on the way out, the other on the way in, and the child runs on between the looks.
bool about(std::uint64_t one, std::uint64_t other) { return one <= other + 20 && other <= one + 20; }

}  // namespace

TEST_CASE("counts stay whole while a process gets copies of its slot, loses them, and gets them again") {
    (void)load_probes();
    LoadedProbes probes({});
    Child<Worker> child(work);
    child->steps.await(1);
    REQUIRE(probes.watch(child.id()));
    const std::uint64_t first = switches_of(child.pid());
    std::uint64_t counted = 0, waited = 0;
    const auto take = [&] {
        const SlotDelta delta = probes.take(child.id(), MonoClock::now());
        counted += delta.switches;
        waited += static_cast<std::uint64_t>(delta.runq.count());
        return delta;
    };

    step(child);
    (void)take();
    CHECK_FALSE(probes.has_copies(child.id()));
    probes.tick(MonoClock::now());
    REQUIRE(probes.has_copies(child.id()));

    step(child);
    CHECK(probes.switches_since(child.id()) > 1500);
    const SlotDelta copied = take();
    CHECK(copied.switches > 1500);
    CHECK(copied.runq.max > 0);
    CHECK(copied.runq.sum_of_squares > 0);
    CHECK(about(counted, switches_of(child.pid()) - first));

    // It waits, spinning, and on a busy machine others run between: stopped, it is switched no more.
    REQUIRE(::kill(child.pid(), SIGSTOP) == 0);
    std::this_thread::sleep_for(200ms);
    (void)take();
    std::this_thread::sleep_for(300ms);
    (void)take();
    probes.tick(MonoClock::now());
    CHECK_FALSE(probes.has_copies(child.id()));
    REQUIRE(::kill(child.pid(), SIGCONT) == 0);
    child->sleeps = 300;
    step(child);  // counted in the slot again, while the copies rest
    CHECK(take().switches > 200);
    std::this_thread::sleep_for(150ms);
    probes.tick(MonoClock::now());  // what the copies held is in the slot now
    (void)take();
    CHECK(about(counted, switches_of(child.pid()) - first));

    child->sleeps = 2000;
    step(child);
    (void)take();
    probes.tick(MonoClock::now());
    REQUIRE(probes.has_copies(child.id()));
    step(child);
    const std::uint64_t all = switches_of(child.pid()) - first;
    const SlotDelta last = probes.unwatch(child.id());
    CHECK(about(counted + last.switches, all));
    CHECK(about(waited + static_cast<std::uint64_t>(last.runq.count()), all));
}

TEST_CASE("system calls of a process with copies are counted one by one") {
    (void)load_probes();
    LoadedProbes probes({});
    Child<Worker> child(work);
    child->steps.await(1);
    REQUIRE(probes.watch(child.id()));
    step(child);
    (void)probes.take(child.id(), MonoClock::now());
    probes.tick(MonoClock::now());
    REQUIRE(probes.has_copies(child.id()));
    child->sleeps = 50;
    child->calls = 1000;
    REQUIRE(probes.open_window());
    step(child);
    probes.close_window();
    const SlotDelta delta = probes.take(child.id(), MonoClock::now());
    CHECK(delta.window[GT_OTHER].count() == 1000);
    CHECK(delta.jitter[GT_OTHER].count == 1000);
    CHECK(delta.window[GT_SLEEP].count() == 50);
    CHECK(delta.window[GT_SLEEP].sum > 50 * 100e-6);
}

TEST_CASE("no call is lost while copies come and go under a thread that calls without a pause") {
    (void)load_probes();
    Child<Caller> child(call);
    LoadedProbes probes({});
    child->steps.await(1);
    REQUIRE(probes.watch(child.id()));
    REQUIRE(probes.open_window());
    child->steps.pass(1);
    std::uint64_t counted = 0;
    const auto take = [&] {
        counted += static_cast<std::uint64_t>(probes.take(child.id(), MonoClock::now()).jitter[GT_FSYNC].count);
    };
    for (int round = 0; round < 3; ++round) {
        for (const bool copies : {true, false}) {
            child->switches = copies;
            for (int i = 0; i < 100 && probes.has_copies(child.id()) != copies; ++i) {
                std::this_thread::sleep_for(100ms);
                take();
                probes.tick(MonoClock::now());
            }
            REQUIRE(probes.has_copies(child.id()) == copies);
        }
        std::this_thread::sleep_for(150ms);
        probes.tick(MonoClock::now());  // what the copies held is in the slot now
    }
    child->goes_on = false;
    child->steps.await(2);
    probes.close_window();
    take();
    CHECK(counted == child->made);
}

TEST_CASE("the next process in a slot has none of the calls that the one before goes on making") {
    (void)load_probes();
    Child<Caller> child(call);
    Child<Worker> second(work);
    ProbeOptions options;
    options.max_processes = 1;
    LoadedProbes probes(options);
    child->steps.await(1);
    second->steps.await(1);
    REQUIRE(probes.watch(child.id()));
    REQUIRE(probes.open_window());
    child->steps.pass(1);
    std::this_thread::sleep_for(50ms);
    CHECK(probes.unwatch(child.id()).window[GT_FSYNC].count() > 0);
    REQUIRE(probes.watch(second.id()));
    std::this_thread::sleep_for(100ms);
    CHECK(probes.take(second.id(), MonoClock::now()).window[GT_FSYNC].count() == 0);
    child->goes_on = false;
}

TEST_CASE("a process that comes into a slot whose holder had copies begins at zero") {
    (void)load_probes();
    ProbeOptions options;
    options.max_processes = 1;
    LoadedProbes probes(options);
    Child<Worker> child(work);
    child->steps.await(1);
    REQUIRE(probes.watch(child.id()));
    step(child);
    (void)probes.take(child.id(), MonoClock::now());
    probes.tick(MonoClock::now());
    REQUIRE(probes.has_copies(child.id()));
    step(child);
    CHECK(probes.unwatch(child.id()).switches > 1500);

    Child<Worker> second(work);
    second->steps.await(1);
    REQUIRE(probes.watch(second.id()));
    std::this_thread::sleep_for(150ms);
    probes.tick(MonoClock::now());  // the copies of the first are thrown away, not added to the second
    second->sleeps = 10;
    step(second);
    CHECK(probes.take(second.id(), MonoClock::now()).switches < 200);
}

TEST_CASE("without the scheduler's programs nothing is counted, and the time says so") {
    (void)load_probes();
    Child<Worker> child(work);  // before there are links, which it would inherit and keep attached
    LoadedProbes probes({});
    child->steps.await(1);
    REQUIRE(probes.watch(child.id()));
    probes.pause(PartTime::scheduler);
    step(child);
    SlotDelta delta = probes.take(child.id(), MonoClock::now());
    CHECK(delta.switches == 0);
    CHECK(delta.scheduler_observed < delta.elapsed / 10);
    for (const auto& report : probes.reports())
        if (report.probe.starts_with("sched_")) CHECK(report.attached);  // it could be
    probes.resume(PartTime::scheduler);
    step(child);
    delta = probes.take(child.id(), MonoClock::now());
    CHECK(delta.switches > 1500);
    CHECK(delta.scheduler_observed > delta.elapsed / 2);
}

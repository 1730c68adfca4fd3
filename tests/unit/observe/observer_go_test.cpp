#include <mutex>
#include <thread>

#include "catch.h"
#include "fake_host.h"
#include "given_probes.h"
#include "go_image.h"
#include "observe/observer.h"

using namespace gotuned;
using namespace std::chrono_literals;

namespace {

/// A process whose runtime can be read, and an Observer that follows it.
struct World {
    FakeHost host{};
    std::shared_ptr<ManualClock> clock = std::make_shared<ManualClock>();
    GivenProbes probes{};
    std::shared_ptr<GoImage> image = std::make_shared<GoImage>();
    std::shared_ptr<const GoProcess> process{};
    std::unique_ptr<Observer> observer{};

    World() {
        probes.otherwise = quiet();
        auto readable = std::make_shared<GoProcess>(*host.process(10));
        readable->build = image->process().build;
        process = readable;
        observe(image);
    }
    /// With a patience that no busy machine exhausts.
    void observe(std::shared_ptr<const RemoteMemory> memory, Duration patience = 60s) {
        ObserverOptions options;
        options.memory_patience = patience;
        options.roots = host.roots();
        options.clock = clock;
        options.memory = std::move(memory);
        observer = Observer::make(options, &probes);
        observer->found(process, clock->mono());
    }
    static SlotDelta quiet() {
        SlotDelta delta;
        delta.elapsed = 5s;
        delta.observed = 200ms;
        delta.scheduler_observed = 5s;
        return delta;
    }
    /// The next tick sees it run.
    void runs() {
        probes.next[process->id] = quiet();
        probes.next[process->id].switches = 10;
    }
    std::shared_ptr<const ProcessState> tick() {
        clock->advance(5s);
        return observer->observe(clock->mono(), clock->wall(), {})->processes.at(process->id);
    }
    void collections(std::uint32_t count) { image->set(image->layout().gc_count, count); }
};

Quantity quantity(const std::shared_ptr<const ProcessState>& state, Signal id) {
    return std::get<Quantity>(*state->signals.get(id).value);
}

}  // namespace

TEST_CASE("what the Go runtime says is in the Snapshot of the tick in which it was read") {
    World world;
    world.collections(3);
    world.image->set(world.image->layout().mapped_ready, std::uint64_t{20480});
    const auto first = world.tick();
    CHECK(quantity(first, Signal::go_goroutines) == count(6));
    CHECK(quantity(first, Signal::go_gomaxprocs) == count(4));
    CHECK(quantity(first, Signal::cpu_gomaxprocs_excess) == count(2));  // on two CPUs
    CHECK(quantity(first, Signal::mem_offheap) == bytes(60 * 1024 - 20480));
    CHECK(first->signals.get(Signal::go_gc_count).value.absent().reason == Absence::not_observed);
    world.collections(13);
    world.runs();
    CHECK(quantity(world.tick(), Signal::go_gc_count) == rate(2));
}

TEST_CASE("the memory of a process that did nothing is not read, and its counters stand still") {
    World world;
    world.collections(3);
    for (int i = 0; i < 3; ++i) world.tick();
    const int calls = world.image->calls;
    const auto before = world.tick();
    const auto after = world.tick();
    CHECK(world.image->calls == calls);
    CHECK(after == before);
    CHECK(quantity(after, Signal::go_gc_count) == rate(0));
    CHECK(quantity(after, Signal::go_goroutines) == count(6));
    // A collection since then counts over the time since the last tick, not since the last reading.
    world.collections(8);
    world.runs();
    CHECK(quantity(world.tick(), Signal::go_gc_count) == rate(1));
}

TEST_CASE("what was counted in one tick is not counted again while the process is idle") {
    World world;
    world.tick();
    world.collections(5);
    world.runs();
    CHECK(quantity(world.tick(), Signal::go_gc_count) == rate(1));
    for (int i = 0; i < 4; ++i) {
        const auto state = world.tick();
        CHECK(quantity(state, Signal::go_gc_count) == rate(0));
        CHECK(std::get<DistributionPtr>(*state->signals.get(Signal::go_gc_pause).value)->count() == 0);
    }
}

namespace {

/// Memory that answers nobody while `held` is locked.
struct Stuck final : RemoteMemory {
    explicit Stuck(std::shared_ptr<GoImage> behind) : image(std::move(behind)) {}
    std::shared_ptr<GoImage> image;
    mutable std::mutex held{};
    [[nodiscard]] Reading<std::size_t> read(pid_t pid, const std::vector<RemotePart>& parts) const override {
        const std::lock_guard lock(held);
        return image->read(pid, parts);
    }
};

}  // namespace

TEST_CASE("memory that does not answer holds up one tick a little, and its signals are absent") {
    for (const int ticks : {1, 4}) {
        INFO(ticks << " ticks without an answer");
        World world;
        const auto memory = std::make_shared<Stuck>(world.image);
        world.observe(memory, 100ms);
        std::unique_lock lock(memory->held);
        for (int i = 0; i < ticks; ++i) {
            world.runs();
            const auto stuck = world.tick();
            CHECK(stuck->signals.get(Signal::go_goroutines).value.absent() ==
                  Absent{Absence::no_data, "its memory did not answer in time"});
            CHECK(quantity(stuck, Signal::fd_used) == count(3));
        }
        lock.unlock();
        bool answered = false;
        for (int i = 0; i < 100 && !answered; ++i) {
            std::this_thread::sleep_for(1ms);
            world.runs();
            const auto state = world.tick();
            answered = state->signals.get(Signal::go_goroutines).value.present() &&
                       quantity(state, Signal::go_goroutines) == count(6);
        }
        CHECK(answered);
    }
}

TEST_CASE("goroutines are looked into only where a service was opted in, and not for more than the budget") {
    struct Probing final : GivenProbes {
        std::vector<pid_t> watching{};
        GoroutineDelta given{};
        Status watch_goroutines(const GoroutineTarget& target) override {
            watching.push_back(target.process.pid);
            return {};
        }
        void unwatch_goroutines(const ProcessId& process) override { std::erase(watching, process.pid); }
        GoroutineDelta take_goroutines(const ProcessId&, MonoTime) override { return given; }
    };
    World world;
    CHECK(world.tick()->signals.get(Signal::goroutine_netpoll).value.absent().detail ==
          "its service is not named in probes.goroutines (gotuned.yaml)");
    Probing probes;
    probes.otherwise = World::quiet();
    probes.otherwise.switches = 10;
    auto process = std::make_shared<GoProcess>(*world.process);
    auto symbols = *process->build.symbols;
    for (const GoSymbol function : {GoSymbol::netpoll_ready, GoSymbol::execute})
        symbols.places[static_cast<std::size_t>(function)] = {0x401000, 64, 0x1000};
    process->build.symbols = std::make_shared<const GoSymbols>(symbols);
    world.process = process;
    ObserverOptions options;
    options.roots = world.host.roots();
    options.clock = world.clock;
    options.memory = world.image;
    options.goroutines.services = {"server"};
    world.observer = Observer::make(options, &probes);
    world.observer->found(world.process, world.clock->mono());
    const auto absence = [&] { return world.tick()->signals.get(Signal::goroutine_netpoll).value.absent().reason; };
    CHECK(absence() == Absence::not_observed);
    CHECK(probes.watching == std::vector<pid_t>{10});
    probes.given.elapsed = 5s;
    probes.given.hits = 1000;
    probes.given.wait.record(20us);
    const auto seen = world.tick();
    CHECK(std::get<DistributionPtr>(*seen->signals.get(Signal::goroutine_netpoll).value)->count() == 1);
    // 0.6 us each: 1% of 5 s are 83,333.
    probes.given.hits = 84000;
    CHECK(world.tick()->signals.get(Signal::goroutine_netpoll).value);
    CHECK(probes.watching.empty());
    CHECK(absence() == Absence::not_attached);
    probes.given.hits = 1000;
    for (int i = 0; i < 12; ++i) world.tick();
    CHECK(probes.watching == std::vector<pid_t>{10});
    world.observer->lost(world.process->id, world.clock->mono());
    CHECK(probes.watching.empty());
}

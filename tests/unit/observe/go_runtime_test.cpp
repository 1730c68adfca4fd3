#include "observe/go_runtime.h"

#include "catch.h"
#include "fake_tree.h"
#include "go_image.h"
#include "observe/cpu_quota.h"
#include "observe/go_signals.h"

using namespace gotuned;
using namespace std::chrono_literals;

namespace {

struct World {
    std::shared_ptr<GoImage> image;
    GoRuntime runtime;
    explicit World(const std::string& version = "go1.22.3", int ps = 4)
        : image(std::make_shared<GoImage>(version, ps)), runtime(image->process(), "/nowhere", image) {}
    GoRuntimeValues read() { return runtime.read(); }
};

constexpr std::uint64_t mib = 1U << 20U;

}  // namespace

TEST_CASE("goroutines are all that were made less the free ones and the runtime's own") {
    World world;
    world.image->set_goroutines(100);
    world.image->set(world.image->layout().sched_free, std::int32_t{20});
    world.image->set_free_of_p(0, 5);
    world.image->set_free_of_p(3, 7);
    const auto values = world.read();
    CHECK(*values.version == "go1.22.3");
    CHECK(*values.gomaxprocs == 4);
    CHECK(*values.goroutines == 100 - 20 - 5 - 7 - 4);
}

TEST_CASE("a reading is one call, and three more when the Ps are others than before") {
    World world;
    (void)world.read();
    world.image->calls = 0;
    (void)world.read();
    CHECK(world.image->calls == 1);
    world.image->set_procs(7);
    world.image->set_free_of_p(6, 3);
    const auto values = world.read();
    CHECK(world.image->calls == 5);
    CHECK(*values.gomaxprocs == 7);
    CHECK(*values.goroutines == 10 - 4 - 3);
}

TEST_CASE("from Go 1.25 on there are two lists of free goroutines") {
    World world("go1.25.3");
    world.image->set_goroutines(100);
    world.image->set(world.image->layout().sched_free, std::int32_t{20});
    world.image->set(world.image->layout().sched_free_no_stack, std::int32_t{30});
    CHECK(*world.read().goroutines == 100 - 20 - 30 - 4);
}

TEST_CASE("memory is what is mapped and ready and what was given back") {
    World world;
    const GoLayout& at = world.image->layout();
    world.image->set(at.mapped_ready, std::uint64_t{100 * mib});
    world.image->set(at.heap_released, std::uint64_t{30 * mib});
    const auto values = world.read();
    CHECK(*values.sys == 130 * mib);
    CHECK(*values.in_use == 100 * mib);
}

TEST_CASE("before Go 1.19 memory is the sum of its parts, and there is no limit and no count of bytes") {
    World world("go1.15.15");
    const GoLayout& at = world.image->layout();
    for (const GoPlace& part : {at.heap_sys, at.stacks_sys, at.stacks_in_use, at.mspan_sys, at.mcache_sys,
                                at.buckhash_sys, at.gc_sys, at.other_sys})
        world.image->set(part, std::uint64_t{mib});
    world.image->set(at.heap_released, std::uint64_t{3 * mib});
    world.image->set(at.next_gc, std::uint64_t{4 * mib});
    const auto values = world.read();
    CHECK(*values.sys == 8 * mib);
    CHECK(*values.in_use == 5 * mib);
    CHECK(*values.heap_goal == 4 * mib);
    CHECK(values.memory_limit.absent() == Absent{Absence::not_supported, "Go 1.15 has no memory limit"});
    CHECK(values.total_alloc.absent().reason == Absence::not_supported);
}

TEST_CASE("the heap's goal is the percentage's, pushed up by sweeping and by a trigger, or what the limit leaves") {
    World world;
    const GoLayout& at = world.image->layout();
    const auto goal = [&] { return *world.read().heap_goal; };
    world.image->set(at.percent_goal, std::uint64_t{40 * mib});
    world.image->set(at.mapped_ready, std::uint64_t{60 * mib});
    CHECK(goal() == 40 * mib);
    world.image->set(at.sweep_trigger, std::uint64_t{50 * mib});
    CHECK(goal() == 50 * mib);
    world.image->set(at.triggered, std::uint64_t{50 * mib});
    CHECK(goal() == 50 * mib + 65536);
    // 100 MiB of limit, 60 mapped, 35 of it heap: 25 are others', so 75 are left, less 3% (of whole percents).
    world.image->set(at.memory_limit, std::int64_t{100 * mib});
    world.image->set(at.heap_free, std::uint64_t{5 * mib});
    world.image->set(at.total_alloc, std::uint64_t{40 * mib});
    world.image->set(at.total_free, std::uint64_t{10 * mib});
    world.image->set(at.percent_goal, std::uint64_t{90 * mib});
    CHECK(goal() == 75 * mib - 75 * mib / 100 * 3);
    // Others alone are above the limit: what is marked, at least.
    world.image->set(at.memory_limit, std::int64_t{10 * mib});
    world.image->set(at.heap_marked, std::uint64_t{30 * mib});
    CHECK(goal() == 30 * mib);
    world.image->set(at.memory_limit, std::int64_t{INT64_MAX});
    world.image->set(at.percent_goal, std::uint64_t{UINT64_MAX});
    CHECK(goal() == GoRuntimeValues::never);
}

TEST_CASE("a value that cannot be true is absent, the others are not") {
    World world;
    const GoLayout& at = world.image->layout();
    world.image->set(at.gc_count, std::uint32_t{5});
    world.image->set(at.heap_marked, std::uint64_t{1} << 50U);
    world.image->set(at.memory_limit, std::int64_t{-1});
    world.image->set(at.gc_time, std::int64_t{-5});
    world.image->set(at.sched_system, std::int32_t{-4});
    world.image->set(at.mapped_ready, std::uint64_t{mib});
    const auto values = world.read();
    CHECK(*values.gomaxprocs == 4);
    CHECK(*values.gc_count == 5);
    CHECK(*values.sys == mib);
    for (const auto* value : {&values.heap_live, &values.memory_limit, &values.gc_cpu_ns, &values.goroutines})
        CHECK(value->absent().reason == Absence::malformed);
    world.image->set(at.sched_system, std::int32_t{4});
    world.image->set_free_of_p(2, 65);
    CHECK(world.read().goroutines.absent().reason == Absence::malformed);
    world.image->write<std::int32_t>(0x5100, -3);
    CHECK(world.read().gomaxprocs.absent().reason == Absence::malformed);
}

TEST_CASE("Ps that are none are not counted over") {
    World world;
    world.image->write<std::int32_t>(GoImage::p(2) + world.image->layout().p_id.offset, 9);
    auto values = world.read();
    CHECK(values.goroutines.absent().reason == Absence::malformed);
    CHECK(*values.gomaxprocs == 4);
    world.image->write<std::int32_t>(GoImage::p(2) + world.image->layout().p_id.offset, 2);
    CHECK(world.read().goroutines);
    World many("go1.22.3", 481);
    values = many.read();
    CHECK(values.goroutines.absent() == Absent{Absence::not_supported, "GOMAXPROCS is above 480"});
    CHECK(*values.gomaxprocs == 481);
}

TEST_CASE("a program whose runtime has not started says so") {
    World world;
    world.image->set_procs(0);
    const auto values = world.read();
    CHECK(*values.version == "go1.22.3");
    CHECK(values.gomaxprocs.absent() == Absent{Absence::no_data, "its runtime has not started"});
    CHECK(values.goroutines.absent().reason == Absence::no_data);
}

TEST_CASE("before the first collection nothing is known to live") {
    World world;
    CHECK(world.read().heap_live.absent().reason == Absence::no_data);
    world.image->set(world.image->layout().gc_count, std::uint32_t{1});
    world.image->set(world.image->layout().heap_marked, std::uint64_t{mib});
    CHECK(*world.read().heap_live == mib);
}

TEST_CASE("memory that does not hold the executable's version is another's") {
    World world;
    world.image->write<char>(0x6000, 'G');
    CHECK(world.read().gomaxprocs.absent().reason == Absence::malformed);
    world.image->write<char>(0x6000, 'g');
    CHECK(world.read().gomaxprocs);
    // Another image since: the text is somewhere else.
    world.image->write<std::uint64_t>(0x5000, 0x6008);
    CHECK(world.read().gomaxprocs.absent().reason == Absence::vanished);
    CHECK(world.read().gomaxprocs.absent().reason == Absence::malformed);
    world.image->write<std::uint64_t>(0x5000, 0x6000);
    CHECK(world.read().gomaxprocs);
}

TEST_CASE("an executable that tells no version takes that of the memory") {
    const auto image = std::make_shared<GoImage>("go1.15.15");
    GoProcess process = image->process();
    process.build.version.clear();
    CHECK(*GoRuntime(process, "/nowhere", image).read().version == "go1.15.15");
}

TEST_CASE("why a program cannot be read is told without touching its memory") {
    const auto image = std::make_shared<GoImage>();
    const auto why = [&](const GoProcess& process) {
        return GoRuntime(process, "/nowhere", image).read().gomaxprocs.absent();
    };
    GoProcess process = image->process();
    auto symbols = *process.build.symbols;
    symbols.outcome = SymbolsOutcome::stripped;
    process.build.symbols = std::make_shared<const GoSymbols>(symbols);
    CHECK(why(process) == Absent{Absence::not_supported, "the executable is stripped: it has no symbol table"});
    symbols = *image->process().build.symbols;
    symbols.places[static_cast<std::size_t>(GoSymbol::work)] = {};
    process.build.symbols = std::make_shared<const GoSymbols>(symbols);
    CHECK(why(process) == Absent{Absence::not_supported, "the executable has no symbol runtime.work"});
    process.build.symbols = nullptr;
    CHECK(why(process).reason == Absence::not_observed);
    CHECK(image->calls == 0);
    image->refuses = {Absence::not_permitted, "CAP_SYS_PTRACE is missing"};
    CHECK(why(image->process()).reason == Absence::not_permitted);
}

TEST_CASE("a position-independent program is read where the auxiliary vector says that it was loaded") {
    const auto image = std::make_shared<GoImage>();
    GoProcess process = image->process(33);
    auto symbols = *process.build.symbols;
    constexpr std::uint64_t bias = 0x1000;
    for (auto& place : symbols.places)
        if (place.address != 0) place.address -= bias;
    symbols.position_independent = 1;
    symbols.entry = 0x2000;
    process.build.symbols = std::make_shared<const GoSymbols>(symbols);
    const FakeTree tree;
    const auto read = [&](std::uint64_t entry) {
        const std::array<std::uint64_t, 6> vector{AT_PAGESZ, 4096, AT_ENTRY, entry, AT_NULL, 0};
        tree.write("33/auxv", std::string(reinterpret_cast<const char*>(vector.data()), sizeof vector));
        return GoRuntime(process, tree.root(), image).read().gomaxprocs;
    };
    CHECK(*read(0x3000) == 4);
    CHECK(read(0x4000).absent().reason == Absence::malformed);
    CHECK(read(0x3008).absent().reason == Absence::malformed);  // not a whole page
    CHECK(read(0x1000).absent().reason == Absence::malformed);  // below where it was linked to
    CHECK(GoRuntime(process, "/nowhere", image).read().gomaxprocs.absent().reason == Absence::vanished);
}

TEST_CASE("counters become rates, and the pauses of new collections a distribution") {
    World world;
    GoSignals signals;
    const GoLayout& at = world.image->layout();
    MonoTime now{1h};
    SignalTable first;
    world.image->set(at.gc_count, std::uint32_t{7});
    signals.set(first, world.read(), now);
    CHECK(first.get(Signal::go_gc_count).value.absent().reason == Absence::not_observed);
    CHECK(first.get(Signal::go_gc_pause).value.absent().reason == Absence::not_observed);
    CHECK_FALSE(signals.settled());

    world.image->set(at.gc_count, std::uint32_t{9});
    world.image->set(at.gc_pauses, std::uint64_t{1'000'000}, 6);  // of the one before: not counted again
    world.image->set(at.gc_pauses, std::uint64_t{30'000}, 7);
    world.image->set(at.gc_pauses, std::uint64_t{50'000}, 8);
    world.image->set(at.gc_time, std::int64_t{2'000'000'000});
    world.image->set(at.gc_idle_time, std::int64_t{1'000'000'000});
    world.image->set(at.total_alloc, std::uint64_t{10 * mib});
    SignalTable second;
    now += 5s;
    signals.set(second, world.read(), now);
    const auto quantity = [](const SignalTable& table, Signal id) { return std::get<Quantity>(*table.get(id).value); };
    CHECK(quantity(second, Signal::go_gc_count) == rate(0.4));
    CHECK(quantity(second, Signal::go_gc_cpu).value == Approx(1.0 / 5 / 4));
    CHECK(quantity(second, Signal::go_alloc).value == Approx(2 * mib));
    CHECK(quantity(second, Signal::go_memlimit).unlimited());
    const auto pauses = std::get<DistributionPtr>(*second.get(Signal::go_gc_pause).value);
    CHECK(pauses->count() == 2);
    CHECK(pauses->sum == Approx(80e-6));
    CHECK_FALSE(signals.settled());

    SignalTable third;
    now += 5s;
    signals.keep(third, second, now);
    CHECK(quantity(third, Signal::go_gc_count) == rate(0));
    CHECK(quantity(third, Signal::go_alloc).value == 0);
    CHECK(std::get<DistributionPtr>(*third.get(Signal::go_gc_pause).value)->count() == 0);
    CHECK(quantity(third, Signal::go_gomaxprocs) == count(4));
    CHECK(signals.settled());
}

TEST_CASE("of more collections than the runtime keeps pauses of, those that it keeps stand for all") {
    World world;
    GoSignals signals;
    const GoLayout& at = world.image->layout();
    SignalTable table;
    signals.set(table, world.read(), MonoTime{1h});
    for (std::size_t i = 0; i < 256; ++i) world.image->set(at.gc_pauses, std::uint64_t{10'000}, i);
    world.image->set(at.gc_count, std::uint32_t{512});
    signals.set(table, world.read(), MonoTime{1h} + 5s);
    CHECK(std::get<DistributionPtr>(*table.get(Signal::go_gc_pause).value)->count() == Approx(512));
}

TEST_CASE("memory off the heap is what is neither the runtime's nor a file's, and never below zero") {
    const auto off_heap = [](std::uint64_t anonymous, std::uint64_t swapped, std::uint64_t in_use) {
        return std::get<Quantity>(*memory_off_heap(anonymous, swapped, in_use));
    };
    CHECK(off_heap(100 * mib, 20 * mib, 30 * mib) == bytes(90.0 * mib));
    CHECK(off_heap(10 * mib, 0, 30 * mib) == bytes(0));
    CHECK(memory_off_heap(std::uint64_t{1}, std::uint64_t{1}, Absence::not_supported).absent().reason ==
          Absence::not_supported);
    CHECK(memory_off_heap(Absence::vanished, std::uint64_t{1}, std::uint64_t{1}).absent().reason == Absence::vanished);
}

TEST_CASE("GOMAXPROCS is held against the CPUs and the quota, whichever is less") {
    const auto excess = [](std::uint64_t gomaxprocs, std::vector<int> cpus, double quota) {
        return std::get<Quantity>(*gomaxprocs_excess(gomaxprocs, CpuSet(std::move(cpus)), quota)).value;
    };
    CHECK(excess(8, {0, 1, 2, 3, 4, 5, 6, 7}, unlimited_value) == 0);
    CHECK(excess(8, {0, 1, 2, 3, 4, 5, 6, 7}, 1.5) == 6.5);
    CHECK(excess(8, {0, 1}, 4) == 6);
    CHECK(excess(1, {0, 1, 2}, unlimited_value) == -2);
    CHECK(gomaxprocs_excess(Absence::not_supported, CpuSet({0}), 1).absent().reason == Absence::not_supported);
}

TEST_CASE("a cgroup's quota is the least of its own and those above it") {
    const FakeTree tree;
    tree.write("a.slice/cpu.max", "300000 100000\n");
    tree.write("a.slice/b.service/cpu.max", "max 100000\n");
    CpuQuotas quotas(tree.root());
    const MonoTime now{1h};
    CHECK(quotas.of("/a.slice/b.service", now) == 3);
    tree.write("a.slice/b.service/cpu.max", "50000 100000\n");
    CHECK(quotas.of("/a.slice/b.service", now + 14s) == 3);
    CHECK(quotas.of("/a.slice/b.service", now + 15s) == 0.5);
    CHECK(quotas.of("/a.slice/c.service", now) == 3);
    CHECK(quotas.of("/elsewhere", now) == unlimited_value);
    CHECK(quotas.of("/", now) == unlimited_value);
    CHECK(CpuQuotas::parse("max 100000") == unlimited_value);
    CHECK(CpuQuotas::parse("nonsense") == unlimited_value);
    CHECK(CpuQuotas::parse("1 0") == unlimited_value);
    CHECK(CpuQuotas({}).of("/a.slice", now) == unlimited_value);
}

// Direct reclaim, major faults and OOM kills of real processes, each against another measurement of the kernel's.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "memory_stall.h"
#include "observe/process_reader.h"
#include "observe/service_lives.h"
#include "probe_child.h"

using namespace gotuned;
using namespace gotuned::test;
using namespace std::chrono_literals;

namespace {

std::unique_ptr<MemoryStall> stall_or_skip(MemoryStall::With with) {
    std::string why;
    auto stall = MemoryStall::make("/var/tmp", why, with);
    if (stall == nullptr) WARN("SKIPPED: " << why);
    return stall;
}

const ProbeEvent* find_exit(const std::vector<ProbeEvent>& events, pid_t pid) {
    const auto found = std::ranges::find_if(
        events, [pid](const ProbeEvent& e) { return e.kind == GT_EXIT && e.pid == static_cast<std::uint32_t>(pid); });
    return found == events.end() ? nullptr : &*found;
}

std::uint32_t exit_code_seen(Probes& probes, pid_t pid) {
    std::vector<ProbeEvent> events;
    for (int i = 0; i < 2000; ++i) {
        probes.drain_events([&](const ProbeEvent& event) { events.push_back(event); });
        if (const ProbeEvent* seen = find_exit(events, pid)) return seen->exit_code;
        ::usleep(1000);
    }
    FAIL("no exit event of pid " << pid);
    return 0;
}

}  // namespace

TEST_CASE("time in direct reclaim is the cgroup's stall on memory, when one thread is all there is") {
    const auto probes = load_probes();
    const auto stall = stall_or_skip(MemoryStall::With::page_cache);
    if (stall == nullptr) return;
    const ProcessId id{stall->pid(), 1, 1};
    REQUIRE(probes->watch(id));
    const auto before = stall->pressure();
    REQUIRE(before);
    CHECK(probes->take(id, MonoClock::now()).reclaim.count() == 0);
    // Pressure is a mean over the CPUs, weighted by their work: a thread that moves would be told for a part only.
    pin_to(cpus_here().last, stall->pid());
    stall->begin();
    ::usleep(2'000'000);
    // Stopped, so that both are read of the same reclaims.
    REQUIRE(::kill(stall->pid(), SIGSTOP) == 0);
    await_stop(stall->pid());
    const SlotDelta delta = probes->take(id, MonoClock::now());
    const auto after = stall->pressure();
    REQUIRE(after);
    const double stalled = static_cast<double>(*after - *before) / 1e6;
    INFO("stalled for " << stalled << " s, in reclaim for " << delta.reclaim.sum << " s, " << delta.reclaim.count()
                        << " times, longest " << delta.reclaim.max << " s");
    CHECK(delta.reclaim_observed == delta.elapsed);
    CHECK(stalled > 0.01);
    CHECK(delta.reclaim.count() > 20);
    CHECK(delta.reclaim.sum == Approx(stalled).epsilon(0.15));
    CHECK(delta.reclaim.max <= delta.reclaim.sum);
    for (const auto& drop : probes->drops())
        if (drop.probe == "memory") CHECK(drop.count == 0);
}

TEST_CASE("a process that nobody watches reclaims for nobody") {
    const auto probes = load_probes();
    const auto stall = stall_or_skip(MemoryStall::With::page_cache);
    if (stall == nullptr) return;
    Child<Steps> bystander([](Steps& steps) { steps.stop_at(1); });
    REQUIRE(probes->watch(bystander.id()));
    stall->begin();
    ::usleep(500'000);
    const SlotDelta delta = probes->take(bystander.id(), MonoClock::now());
    CHECK(delta.reclaim.count() == 0);
    bystander->pass(1);
}

TEST_CASE("the OOM killer's victim is told from a process that somebody killed") {
    const auto probes = load_probes();
    const auto victim = stall_or_skip(MemoryStall::With::anonymous);
    if (victim == nullptr) return;
    const pid_t pid = victim->pid();
    REQUIRE(probes->watch(ProcessId{pid, 1, 1}));
    victim->begin();
    const int status = victim->wait();
    REQUIRE(WIFSIGNALED(status));
    REQUIRE(WTERMSIG(status) == SIGKILL);
    const std::uint32_t told = exit_code_seen(*probes, pid);
    CHECK(cause_of_exit(told) == ExitCause::oom);
    CHECK((told & ~GT_EXIT_OOM) == static_cast<std::uint32_t>(status));

    Child<Steps> killed([](Steps& steps) { steps.stop_at(1); });
    killed->await(1);
    REQUIRE(probes->watch(killed.id()));
    REQUIRE(::kill(killed.pid(), SIGKILL) == 0);
    const pid_t other = killed.pid();
    killed.wait();
    CHECK(cause_of_exit(exit_code_seen(*probes, other)) == ExitCause::killed);
}

TEST_CASE("major faults are those that the process counts itself") {
    struct Faults : Steps {
        std::atomic<long> counted{0};
    };
    Child<Faults> child([](Faults& faults) {
        constexpr std::size_t pages = 64;
        const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
        const int file = ::open("/var/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
        const std::string block(pages * page, 'x');
        if (file < 0 || ::write(file, block.data(), block.size()) < 0 || ::fsync(file) != 0) ::_exit(1);
        ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
        auto* memory = static_cast<volatile char*>(::mmap(nullptr, block.size(), PROT_READ, MAP_SHARED, file, 0));
        ::madvise(const_cast<char*>(memory), block.size(), MADV_RANDOM);
        for (std::size_t i = 0; i < pages; ++i) (void)memory[i * page];
        rusage used{};
        ::getrusage(RUSAGE_SELF, &used);
        faults.counted = used.ru_majflt;
        faults.stop_at(1);
    });
    child->await(1);
    const auto text = read_file("/proc/" + std::to_string(child.pid()) + "/stat");
    REQUIRE(text);
    const auto stat = parse_proc_stat(*text);
    REQUIRE(stat);
    CHECK(static_cast<long>(stat->major_faults) == child->counted);
    if (child->counted == 0) WARN("this file system keeps its pages in memory: there was no major fault");
    child->pass(1);
}

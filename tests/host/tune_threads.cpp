// Affinity of a process that makes and ends threads all the time, as Go's runtime may: none escapes the move, none
// keeps it after the undo.
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>

#include "../unit/tune/bench.h"
#include "../unit/tune/child.h"
#include "catch.h"
#include "tune/cpu_topology.h"
#include "tune/thread_masks.h"

using namespace gotuned;
using namespace gotuned::test;

namespace {

void* short_life(void*) {
    ::usleep(500);
    return nullptr;
}
void* busy_maker(void*) {
    for (;;) {
        pthread_t thread{};
        if (::pthread_create(&thread, nullptr, short_life, nullptr) == 0) ::pthread_join(thread, nullptr);
    }
}

/// A process with four threads that each make one thread after the other.
class Churn {
public:
    Churn() {
        const pid_t parent = ::getpid();
        pid_ = ::fork();
        REQUIRE(pid_ >= 0);
        if (pid_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (::getppid() != parent) ::_exit(0);
            for (int i = 0; i < 4; ++i) {
                pthread_t thread{};
                ::pthread_create(&thread, nullptr, busy_maker, nullptr);
            }
            for (;;) ::pause();
        }
        while (threads().size() < 5) ::usleep(1000);
        id_ = *identify("/proc", pid_);
    }
    Churn(const Churn&) = delete;
    Churn& operator=(const Churn&) = delete;
    ~Churn() {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    [[nodiscard]] const ProcessId& id() const { return id_; }
    [[nodiscard]] std::vector<pid_t> threads() const {
        return numbered_entries("/proc/" + std::to_string(pid_) + "/task").value_or(std::vector<pid_t>{});
    }
    /// Of all threads that lived long enough to be asked, over several looks.
    [[nodiscard]] std::set<std::string> masks() const {
        std::set<std::string> seen;
        for (int look = 0; look < 20; ++look)
            for (const pid_t thread : threads())
                if (const auto cpus = thread_cpus(thread); cpus) seen.insert(cpus->list());
        return seen;
    }

private:
    pid_t pid_ = 0;
    ProcessId id_{};
};

}  // namespace

TEST_CASE("no thread escapes a move, and none keeps it after the undo") {
    const Churn churn;
    const auto allowed = allowed_cpus({}, churn.id().pid);
    REQUIRE(allowed);
    if (allowed->size() < 2) {
        std::puts("SKIPPED: only one CPU here");
        std::exit(77);
    }
    Bench bench(Bench::Proc::real);
    bench.options.per_minute = 1000;
    bench.start();
    bench.see(churn.id(), "churn");
    for (int round = 0; round < 5; ++round) {
        const CpuSet one({allowed->cpus()[static_cast<std::size_t>(round) % allowed->size()]});
        bench.act(bench.fire("pin", churn.id(), {{"cpu.affinity", one}}));
        REQUIRE(bench.only().state == AdjustmentState::applied);
        CHECK(churn.masks() == std::set<std::string>{one.list()});
        bench.tick();
        CHECK(bench.only().state == AdjustmentState::applied);
        bench.undo();
        CHECK(bench.engine->live().empty());
        CHECK(churn.masks() == std::set<std::string>{allowed->list()});
        bench.clock.advance(std::chrono::hours(1));
    }
}

TEST_CASE("many children, with or without an event that told of them, are undone with their parent") {
    Bench bench(Bench::Proc::real);
    bench.start();
    Child child;
    bench.see(child.id());
    bench.act(bench.fire("raise", child.id(), {{"rlimit.nofile", count(1024)}, {"cpu.affinity", CpuSet({0})}}));
    std::vector<pid_t> heirs;
    for (int i = 0; i < 40; ++i) {
        heirs.push_back(child.fork_child());
        if (i % 2 == 0) bench.engine->forked(child.pid(), heirs.back());  // of the others no event told
    }
    for (const pid_t heir : heirs) REQUIRE(Child::nofile(heir).rlim_cur == 1024);
    bench.undo();
    const std::string all = allowed_cpus({}, child.pid())->list();
    for (const pid_t heir : heirs) {
        CHECK(Child::nofile(heir).rlim_cur == 256);
        CHECK(thread_cpus(heir)->list() == all);
    }
    CHECK(bench.engine->live().empty());
}

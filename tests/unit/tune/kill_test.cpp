// The daemon's own code, killed between any two steps of the journal and the kernel; then a new start. Every
// changed value must be accounted for, and put back.
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include "bench.h"

#include "catch.h"
#include "child.h"
#include "fork_alone.h"
#include "tune/crash_point.h"
#include "tune/thread_masks.h"

using namespace gotuned;
using namespace gotuned::test;

namespace {

std::atomic<int> points_left{0};
void kill_at_zero(const char*) {
    if (--points_left == 0) ::kill(::getpid(), SIGKILL);
}

/// Runs `life` in a process of its own that is killed at the n-th point. False: it came to its end before.
bool killed_at(int point, const std::function<void()>& life) {
    const pid_t pid = fork_alone();
    if (pid == 0) {
        points_left = point;
        crash_hook = kill_at_zero;
        life();
        ::_exit(0);
    }
    int status = 0;
    REQUIRE(::waitpid(pid, &status, 0) == pid);
    if (WIFSIGNALED(status)) {
        REQUIRE(WTERMSIG(status) == SIGKILL);
        return true;
    }
    REQUIRE(WEXITSTATUS(status) == 0);
    return false;
}

/// A whole life: a group of two, kept, a second step that fails, the end of the chain, another rule that stays.
void sysctl_life(Bench& bench) {
    bench.start();
    bench.act(bench.fire("both", HostId{}, {{swappiness, count(40)}, {page_cluster, count(1)}}));
    bench.keep();
    Decision step = bench.fire("both", HostId{}, {{swappiness, count(20)}, {page_cluster, count(0)}});
    step.step = 2;
    step.group = bench.engine->live().at(0).group;
    bench.act(step);
    bench.fail();
    bench.undo();
    bench.act(bench.fire("stays", HostId{}, {{swappiness, count(10)}}));
    bench.keep();
    bench.engine.reset();
}

Rulebook both_rules() { return rulebook({rule("both", {swappiness, page_cluster}), rule("stays", {swappiness})}); }

}  // namespace

TEST_CASE("killed at any step, a start without the rule puts every value back") {
    int points = 0;
    for (int point = 1;; ++point, ++points) {
        Bench bench;
        const bool killed = killed_at(point, [&] { sysctl_life(bench); });
        const Rulebook none = rulebook({});
        bench.restart(&none);
        CAPTURE(point);
        CHECK(bench.engine->live().empty());
        CHECK(bench.sysctl("vm/swappiness") == "60");
        CHECK(bench.sysctl("vm/page-cluster") == "3");
        bench.engine.reset();
        const auto journal = Journal::open(bench.options.run_dir + "/journal.db", "boot-a");
        REQUIRE(journal);
        CHECK((*journal)->open_entries()->empty());
        if (!killed) break;
    }
    CHECK(points > 30);
}

TEST_CASE(
    "killed at any step, a start with the rule adopts or puts back: what is changed is in force, and the rest is the "
    "old") {
    for (int point = 1;; ++point) {
        Bench bench;
        const bool killed = killed_at(point, [&] { sysctl_life(bench); });
        const Rulebook book = both_rules();
        bench.restart(&book);
        CAPTURE(point);
        std::map<std::string, double> expected{{swappiness, 60}, {page_cluster, 3}};
        const auto live = bench.engine->live();
        for (const LiveAdjustment& one : live) {
            CHECK((one.state == AdjustmentState::applied || one.state == AdjustmentState::kept));
            CHECK(one.original == Value(count(expected[one.knob])));
            expected[one.knob] = std::get<Quantity>(one.set).value;
        }
        // Never half a group.
        if (!live.empty() && live[0].rule == "both") CHECK(live.size() == 2);
        CHECK(bench.sysctl("vm/swappiness") == to_string(count(expected[swappiness])));
        CHECK(bench.sysctl("vm/page-cluster") == to_string(count(expected[page_cluster])));
        bench.undo_asked(0, false);
        CHECK(bench.sysctl("vm/swappiness") == "60");
        CHECK(bench.sysctl("vm/page-cluster") == "3");
        if (!killed) break;
    }
}

TEST_CASE("killed at any step of a recovery, the next start finishes it") {
    for (int point = 1;; ++point) {
        Bench bench;
        REQUIRE_FALSE(killed_at(100000, [&] {
            bench.start();
            bench.act(bench.fire("both", HostId{}, {{swappiness, count(40)}, {page_cluster, count(1)}}));
        }));
        const Rulebook none = rulebook({});
        const bool killed = killed_at(point, [&] { bench.restart(&none); });
        bench.restart(&none);
        CAPTURE(point);
        CHECK(bench.sysctl("vm/swappiness") == "60");
        CHECK(bench.sysctl("vm/page-cluster") == "3");
        CHECK(bench.engine->live().empty());
        if (!killed) break;
    }
}

TEST_CASE(
    "killed at any step, a real process gets its limit and the masks of its threads back, and so do its children") {
    for (int point = 1;; ++point) {
        Bench bench(Bench::Proc::real);
        Child child;
        const bool cpus = thread_cpus(child.pid())->size() >= 2;
        const std::string all = thread_cpus(child.pid())->list();
        const pid_t thread = child.start_thread();
        if (cpus) child.pin_itself(1);
        const std::string own = thread_cpus(child.pid())->list();
        bench.see(child.id());
        const bool killed = killed_at(point, [&] {
            bench.start();
            bench.act(bench.fire("move", child.id(), {{"rlimit.nofile", count(1024)}, {"cpu.affinity", CpuSet({0})}}));
            const pid_t heir = child.fork_child();
            bench.engine->forked(child.pid(), heir);
            bench.undo();
        });
        const Rulebook none = rulebook({});
        bench.restart(&none);
        CAPTURE(point);
        CHECK(bench.engine->live().empty());
        CHECK(child.soft() == 256);
        CHECK(Child::nofile(child.pid()).rlim_max == Child::hard);
        CHECK(thread_cpus(child.pid())->list() == own);
        CHECK(thread_cpus(thread)->list() == all);
        for (const ProcessId& heir : descendants_since("/proc", child.pid(), 0)) {
            CHECK(Child::nofile(heir.pid).rlim_cur == 256);
            const std::string mask = thread_cpus(heir.pid)->list();
            CHECK((mask == all || mask == own));
        }
        if (!killed) break;
    }
}

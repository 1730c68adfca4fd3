// nice and oom_score_adj of real processes: writing, inheriting, putting back, and what is left alone.
#include <linux/capability.h>

#include "bench.h"
#include "catch.h"
#include "child.h"
#include "tune/thread_nices.h"
#include "without.h"

using namespace gotuned;
using namespace gotuned::test;

namespace {

constexpr const char* nice_of = "process.nice";
constexpr const char* score_of = "process.oom_score_adj";

struct ProcessBench : Bench {
    ProcessBench() : Bench(Proc::real) { start(); }
    void set(const Child& child, const std::string& knob, double to) {
        see(child.id());
        act(fire("rule", child.id(), {{knob, count(to)}}));
    }
};
int nice_value(pid_t thread) { return thread_nice(thread).value_or(-99); }
int score(pid_t pid) {
    const auto text = read_file("/proc/" + std::to_string(pid) + "/oom_score_adj");
    return text ? std::stoi(*text) : -9999;
}
int own_score() { return score(::getpid()); }

}  // namespace

TEST_CASE("every thread is reniced, and each gets its own value back") {
    ProcessBench bench;
    Child child;
    const pid_t thread = child.start_thread();
    child.renice_itself(3);
    bench.set(child, nice_of, 7);
    CHECK(nice_value(child.pid()) == 7);
    CHECK(nice_value(thread) == 7);
    const pid_t later = child.start_thread();
    CHECK(nice_value(later) == 7);
    bench.undo();
    CHECK(bench.told.last("undone").adjustment != 0);
    CHECK(nice_value(child.pid()) == 3);
    CHECK(nice_value(thread) == nice_value(::getpid()));
}

TEST_CASE("nice below zero is given and taken back") {
    ProcessBench bench;
    const Child child;
    bench.set(child, nice_of, -5);
    CHECK(nice_value(child.pid()) == -5);
    bench.undo();
    CHECK(nice_value(child.pid()) == nice_value(::getpid()));
}

TEST_CASE("nice outside its safe bounds is moved into them") {
    ProcessBench bench;
    const Child child;
    bench.set(child, nice_of, -20);
    CHECK(nice_value(child.pid()) == -10);
    CHECK(bench.told.last("planned").reason == "raised to -10: the least that is safe");
}

TEST_CASE("a child that was forked later inherits nice, and is put back with its parent") {
    ProcessBench bench;
    Child child;
    bench.set(child, nice_of, 9);
    const pid_t heir = child.fork_child();
    bench.engine->forked(child.pid(), heir);
    REQUIRE(nice_value(heir) == 9);
    bench.undo();
    CHECK(nice_value(heir) == nice_value(::getpid()));
}

TEST_CASE("a process that reniced all its threads itself has drifted") {
    ProcessBench bench;
    Child child;
    bench.set(child, nice_of, 9);
    child.renice_itself(4);
    bench.tick();
    CHECK(bench.only().state == AdjustmentState::drifted);
    CHECK(bench.told.last("drifted").reason.find("it holds 4, not our 9") != std::string::npos);
    CHECK(nice_value(child.pid()) == 4);
}

TEST_CASE("a thread that was reniced by somebody else meanwhile is left alone, and said") {
    ProcessBench bench;
    Child child;
    const pid_t thread = child.start_thread();
    bench.set(child, nice_of, 9);
    child.renice_itself(4);
    bench.undo();
    CHECK(nice_value(child.pid()) == 4);
    CHECK(nice_value(thread) == nice_value(::getpid()));
    CHECK(bench.told.last("undone").reason.find("1 thread has a value that is not ours") != std::string::npos);
}

TEST_CASE("nice values of threads are kept compactly, and read back as they were") {
    const ThreadNices nices = ThreadNices::from({{10, 0}, {11, -5}, {12, -5}, {13, 19}, {14, 0}, {15, 0}});
    CHECK(nices.encode() == "0;-5=11+12;19=13");
    const auto back = ThreadNices::decode(nices.encode());
    REQUIRE(back);
    CHECK(back->common == 0);
    CHECK(back->others == nices.others);
    for (const char* text : {"", "x", "0;5", "0;5=", "0;=1", "0;5=-1"}) CHECK_FALSE(ThreadNices::decode(text));
}

TEST_CASE("oom_score_adj is set, inherited and put back") {
    ProcessBench bench;
    Child child;
    const int before = own_score();
    bench.set(child, score_of, 321);
    CHECK(score(child.pid()) == 321);
    const pid_t heir = child.fork_child();
    bench.engine->forked(child.pid(), heir);
    REQUIRE(score(heir) == 321);
    bench.undo();
    CHECK(score(child.pid()) == before);
    CHECK(score(heir) == before);
}

TEST_CASE("a raised oom_score_adj leaves the process free to lower its own again") {
    ProcessBench bench;
    Child child;
    const int before = own_score();
    bench.set(child, score_of, 500);
    // Without CAP_SYS_RESOURCE a process may go down to its least only: another user's, like most services.
    child.become(65534);
    const std::string file = "/proc/" + std::to_string(child.pid()) + "/oom_score_adj";
    without(CAP_SYS_RESOURCE, [&] {
        std::ofstream out(file);
        out << before << std::flush;
        CHECK(out.good());
    });
    CHECK(score(child.pid()) == before);
}

TEST_CASE("oom_score_adj of another user's process is set without CAP_DAC_OVERRIDE") {
    Child child;
    child.become(65534);
    const int before = score(child.pid());
    without(CAP_DAC_OVERRIDE, [&] {
        ProcessBench bench;
        bench.set(child, score_of, 400);
        CHECK(score(child.pid()) == 400);
        bench.undo();
    });
    CHECK(score(child.pid()) == before);
}

TEST_CASE("going below what a process may choose needs CAP_SYS_RESOURCE, and says so") {
    const Child child;
    const int before = score(child.pid());
    without(CAP_SYS_RESOURCE, [&] {
        ProcessBench bench;
        bench.set(child, score_of, before - 100);
        CHECK(bench.told.last("failed").reason.find("CAP_SYS_RESOURCE") != std::string::npos);
    });
    CHECK(score(child.pid()) == before);
}

TEST_CASE("oom_score_adj never makes a process one that cannot be killed") {
    ProcessBench bench;
    const Child child;
    bench.set(child, score_of, -1000);
    CHECK(bench.told.last("planned").reason == "raised to -900: the least that is safe");
    // Some containers have no CAP_SYS_RESOURCE: then it is not written at all.
    const bool can = has_capability(CAP_SYS_RESOURCE);
    CHECK(score(child.pid()) == (can ? -900 : own_score()));
}

TEST_CASE("a process that has ended is neither reniced nor scored") {
    for (const char* knob : {nice_of, score_of}) {
        ProcessBench bench;
        Child child;
        const ProcessId id = child.id();
        child.end();
        bench.see(id);
        bench.act(bench.fire("rule", id, {{knob, count(5)}}));
        CHECK(bench.refusal().starts_with("gone"));
    }
}

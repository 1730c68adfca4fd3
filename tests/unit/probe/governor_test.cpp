#include "probe/governor.h"

#include "catch.h"

using namespace gotuned;
using namespace std::chrono_literals;

namespace {

constexpr MonoTime start = MonoTime(1h);
constexpr Duration tick = 5s;

ProbeCosts costs(double scheduler, double window, double steady = 0) {
    ProbeCosts made;
    made.steady = steady;
    made.scheduler = scheduler;
    made.window = window;
    return made;
}

double share_open(const ProbePlan& plan) { return seconds(plan.window) / (seconds(tick) * plan.every); }

}  // namespace

TEST_CASE("before anything was measured the probes look as long as they may") {
    Governor governor(0.01);
    const ProbePlan& plan = governor.plan(start, tick, {}, {});
    CHECK(plan.window == 200ms);
    CHECK(plan.every == 1);
    CHECK(plan.scheduler == 1);
    CHECK(plan.reason.empty());
    CHECK(plan_words(plan).empty());
}

TEST_CASE("probes that cost less than the budget are left as they are") {
    Governor governor(0.01);
    const ProbePlan& plan = governor.plan(start, tick, costs(0.002, 0.1), {});
    CHECK(plan.window == 200ms);
    CHECK(plan.every == 1);
    CHECK(plan.cost == Approx(0.002 + 0.04 * 0.1));
    CHECK(plan.reason.empty());
}

TEST_CASE("a dear window is shortened first, then opened less often, and the plan stays within the budget") {
    for (const double window : {0.2, 0.3, 0.5, 1.0, 2.0, 8.0}) {
        Governor governor(0.01);
        const ProbePlan plan = governor.plan(start, tick, costs(0.002, window), {});
        INFO(window);
        CHECK(plan.scheduler == 1);
        CHECK(plan.window >= 100ms);  // shorter gives no value
        CHECK(plan.cost <= 0.01);
        CHECK(share_open(plan) * window + 0.002 == Approx(plan.cost));
        CHECK((plan.window < 200ms || plan.every > 1) == (window > 0.2));
        if (window > 0.2) CHECK(plan.reason.find("system calls") != std::string::npos);
    }
}

TEST_CASE("windows that no budget can pay are off, say why, and are tried again after ten minutes") {
    Governor governor(0.0001);
    ProbePlan plan = governor.plan(start, tick, costs(0, 1), {});
    CHECK(plan.window == Duration::zero());
    CHECK(plan_words(plan).find("not looked at") != std::string::npos);
    CHECK(plan_words(plan).find("100% of one CPU") != std::string::npos);
    plan = governor.plan(start + 9min, tick, costs(0, 1), {});
    CHECK(plan.window == Duration::zero());
    plan = governor.plan(start + 10min, tick, costs(0, 1), {});
    CHECK(plan.window > Duration::zero());
    // Measured again, as dear as before.
    plan = governor.plan(start + 10min + tick, tick, costs(0, 1), {});
    CHECK(plan.window == Duration::zero());
}

TEST_CASE("a scheduler tier that takes the budget is attached for a part of the time and leaves some to the windows") {
    Governor governor(0.01);
    const ProbePlan plan = governor.plan(start, tick, costs(0.03, 0.05), {});
    CHECK(plan.scheduler == 0.2);
    CHECK(plan.window > Duration::zero());
    CHECK(plan.cost <= 0.01);
    CHECK(plan.reason.find("context switches") != std::string::npos);
}

TEST_CASE("arrivals at sockets that are dear are seen for a part of the time, and all context switches still are") {
    Governor governor(0.01);
    for (const double sockets : {0.008, 0.02, 0.05, 0.12}) {
        ProbeCosts made = costs(0.006, 0.25);
        made.sockets = sockets;
        const ProbePlan plan = governor.plan(start, tick, made, {});
        INFO(sockets);
        CHECK(plan.scheduler == 1);
        CHECK(plan.sockets < 1);
        CHECK(plan.sockets * seconds(tick) >= 0.1);  // less gives no value
        CHECK(plan.window > Duration::zero());
        CHECK(plan.cost == Approx(0.006 + plan.sockets * sockets + share_open(plan) * 0.25));
        CHECK(plan.cost <= 0.01);
        CHECK(plan_words(plan).find("arrivals at sockets are seen for") != std::string::npos);
        CHECK(plan_words(plan).find("context switches are") == std::string::npos);
    }
    ProbeCosts cheap = costs(0.006, 0.05);
    cheap.sockets = 0.001;
    CHECK(governor.plan(start + tick, tick, cheap, {}).sockets == 1);
}

TEST_CASE("in a short tick a part is as long as gives a value") {
    Governor governor(0.01);
    ProbeCosts made = costs(0.3, 0.05);
    made.sockets = 0.3;
    const ProbePlan plan = governor.plan(start, 1s, made, {});
    CHECK(plan.scheduler == Approx(0.12));
    CHECK(plan.sockets == Approx(0.12));
}

TEST_CASE("what uprobes in opted-in processes take is not there for the others") {
    Governor governor(0.01);
    ProbeCosts made = costs(0.004, 0.1);
    CHECK(governor.plan(start, tick, made, {}).scheduler == 1);
    made.goroutines = 0.007;
    const ProbePlan plan = governor.plan(start + tick, tick, made, {});
    CHECK(plan.scheduler == 0.5);
    CHECK(plan.cost == Approx(0.007 + 0.5 * 0.004 + share_open(plan) * 0.1));
    CHECK(plan.cost <= 0.01);
}

TEST_CASE("what is always attached counts before all else") {
    Governor governor(0.01);
    const ProbePlan plan = governor.plan(start, tick, costs(0.004, 0.1, 0.007), {});
    CHECK(plan.scheduler == 0.5);
    CHECK(plan.cost <= 0.01);
}

TEST_CASE("what the sockets take from a process counts for its own throughput") {
    Governor governor(0.01);
    ProbeCosts made = costs(0.0001, 0.001);
    made.sockets = 0.0002;
    ProcessCosts checkout{"checkout", 0.001, 0.02};
    checkout.sockets = 0.05;
    const ProbePlan plan = governor.plan(start, tick, made, checkout);
    CHECK(plan.sockets == 0.1);
    CHECK(plan.process_cost <= 0.01);
    CHECK(plan.reason.find("arrivals at sockets: always seen, they would cost checkout 5% of its CPU time") !=
          std::string::npos);
}

TEST_CASE("a process's own throughput is kept, too, however cheap the probes are for the host") {
    Governor governor(0.01);
    const ProbePlan plan = governor.plan(start, tick, costs(0.0001, 0.001), {"checkout", 0.002, 0.8});
    CHECK(share_open(plan) * 0.8 + 0.002 <= 0.01);
    CHECK(plan.process_cost <= 0.01);
    CHECK(plan.process == "checkout");
    CHECK(plan_words(plan).find("checkout") != std::string::npos);
}

TEST_CASE("a plan at the border of a step does not change with every small difference") {
    Governor governor(0.01);
    ProbePlan plan = governor.plan(start, tick, costs(0.002, 0.21), {});
    CHECK(plan.window == 150ms);
    plan = governor.plan(start + tick, tick, costs(0.002, 0.19), {});
    CHECK(plan.window == 150ms);
    plan = governor.plan(start + 2 * tick, tick, costs(0.002, 0.12), {});
    CHECK(plan.window == 200ms);
}

TEST_CASE("a budget that even the last step exceeds is told as it is") {
    Governor governor(0.0001);
    const ProbePlan plan = governor.plan(start, tick, costs(0.5, 2), {});
    CHECK(plan.scheduler == 0.025);
    CHECK(plan.window == Duration::zero());
    CHECK(plan.cost > 0.0001);
    CHECK_FALSE(plan.reason.empty());
}

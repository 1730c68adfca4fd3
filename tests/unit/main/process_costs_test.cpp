#include "main/process_costs.h"

#include "catch.h"

using namespace gotuned;
using namespace std::chrono_literals;

namespace {

void add(Snapshot& snapshot, const std::string& service, double cpu, int switches, int calls) {
    auto state = std::make_shared<ProcessState>();
    const Exposure tick{5s, 5s};
    state->service = service;
    state->active = true;
    auto switched = std::make_shared<Distribution>();
    switched->buckets[3] = switches;
    auto called = std::make_shared<Distribution>();
    called->buckets[0] = calls;
    state->signals.set(Signal::cpu_usage, {SignalValue(Quantity{cpu, unit::ratio}), tick});
    state->signals.set(Signal::syscall_write, {SignalValue(DistributionPtr(called)), tick});
    state->signals.set(Signal::runq, {SignalValue(DistributionPtr(switched)), tick});
    snapshot.processes.emplace(ProcessId{static_cast<pid_t>(snapshot.processes.size() + 10), 1, 1}, std::move(state));
}

ProbeCosts microseconds() {
    ProbeCosts costs;
    costs.switch_seconds = 1e-6;
    costs.call_seconds = 1e-6;
    return costs;
}

}  // namespace

TEST_CASE("the process that the probes take most from is the one whose events are many for its CPU time") {
    Snapshot snapshot;
    add(snapshot, "busy", 1.0, 50000, 500000);    // 10,000 switches and 100,000 calls a second on one CPU
    add(snapshot, "chatty", 0.1, 10000, 100000);  // fewer, on a tenth of one
    const ProcessCosts dearest = dearest_process(snapshot, microseconds());
    CHECK(dearest.service == "chatty");
    CHECK(dearest.scheduler == Approx(0.02));
    CHECK(dearest.window == Approx(0.2));
}

TEST_CASE("a process that hardly runs does not count, and neither does one without events") {
    Snapshot snapshot;
    add(snapshot, "asleep", 0.01, 10000, 100000);
    add(snapshot, "computing", 1.0, 0, 0);
    const ProcessCosts dearest = dearest_process(snapshot, microseconds());
    CHECK(dearest.scheduler == 0);
    CHECK(dearest.window == 0);
    CHECK(dearest.service.empty());
}

TEST_CASE("what cannot be measured is reckoned from what all processes did") {
    Snapshot snapshot;
    add(snapshot, "one", 1.0, 50000, 500000);
    add(snapshot, "other", 0.01, 5000, 0);
    ProbeCosts costs = microseconds();
    CHECK_FALSE(complete(costs, snapshot).scheduler.has_value());
    costs.assumed = true;
    const ProbeCosts reckoned = complete(costs, snapshot);
    CHECK(reckoned.scheduler.value() == Approx(0.011));
    CHECK(reckoned.window.value() == Approx(0.1));
    costs.window = 0.2;  // measured, with CAP_SYS_ADMIN lost since
    CHECK(complete(costs, snapshot).window.value() == 0.2);
}

TEST_CASE("arrivals at sockets are told apart from context switches") {
    Snapshot snapshot;
    add(snapshot, "server", 1.0, 0, 0);
    auto state = std::make_shared<ProcessState>(*snapshot.processes.begin()->second);
    auto waits = std::make_shared<Distribution>();
    waits->buckets[5] = 50000;
    state->signals.set(Signal::netpoll_wait, {SignalValue(DistributionPtr(waits)), Exposure{5s, 5s}});
    snapshot.processes.begin()->second = state;
    ProbeCosts costs = microseconds();
    costs.arrival_seconds = 2e-6;
    CHECK(dearest_process(snapshot, costs).sockets == Approx(0.02));
    CHECK(dearest_process(snapshot, costs).scheduler == 0);
    CHECK(dearest_process(snapshot, costs).service == "server");
    costs.assumed = true;
    CHECK(complete(costs, snapshot).sockets.value() == Approx(0.02));
}

TEST_CASE("a process whose signals are absent takes part in nothing") {
    Snapshot snapshot;
    auto state = std::make_shared<ProcessState>();
    state->active = true;
    snapshot.processes.emplace(ProcessId{10, 1, 1}, std::move(state));
    CHECK(dearest_process(snapshot, microseconds()).window == 0);
}

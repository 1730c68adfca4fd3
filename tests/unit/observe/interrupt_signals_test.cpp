#include "observe/interrupt_signals.h"

#include "catch.h"

using namespace gotuned;
using namespace std::chrono_literals;

namespace {

const Absent no_window{Absence::not_observed, {}};

InterruptDelta seen(Duration observed) {
    InterruptDelta delta;
    delta.elapsed = 5s;
    delta.observed = observed;
    delta.sees_softirqs = delta.sees_handlers = delta.sees_drivers = true;
    for (int i = 0; i < 10; ++i) delta.softirqs[GT_SOFTIRQ_NET_RX].record(20us);
    delta.handlers["nvme0q1"].record(3us);
    delta.drivers["virtio_net"].record(15us);
    return delta;
}
HostState host_of(const InterruptDelta& delta) {
    HostState host;
    set_interrupt_signals(host, delta, no_window);
    return host;
}
const Distribution& distribution(const HostState& host, Signal id, const std::string& key) {
    return *std::get<DistributionPtr>(*host.keyed.at(id).at(key).value);
}
Absence absence(const HostState& host, Signal id) { return host.signals.get(id).value.absent().reason; }

}  // namespace

TEST_CASE("what a window saw of interrupts stands for the whole tick, by name") {
    const HostState host = host_of(seen(200ms));
    CHECK(distribution(host, Signal::host_softirq, "net_rx").count() == Approx(250));
    CHECK(distribution(host, Signal::host_softirq, "timer").count() == 0);
    CHECK(host.keyed.at(Signal::host_softirq).size() == GT_SOFTIRQS);
    CHECK(distribution(host, Signal::host_irq, "nvme0q1").count() == Approx(25));
    CHECK(distribution(host, Signal::host_napi, "virtio_net").max == Approx(15e-6));
    CHECK(host.keyed.at(Signal::host_irq).at("nvme0q1").exposure == Exposure{5s, 200ms});
}

TEST_CASE("without a window interrupts are absent for its reason, with too short a one for that") {
    const HostState none = host_of(seen(0s));
    CHECK(none.keyed.empty());
    CHECK(absence(none, Signal::host_softirq) == Absence::not_observed);
    const HostState little = host_of(seen(50ms));
    CHECK(absence(little, Signal::host_softirq) == Absence::low_exposure);
    CHECK(absence(little, Signal::host_irq) == Absence::low_exposure);
}

TEST_CASE("a program that is not attached takes away its own signal alone") {
    InterruptDelta delta = seen(200ms);
    delta.sees_handlers = false;
    const HostState host = host_of(delta);
    CHECK(absence(host, Signal::host_irq) == Absence::not_attached);
    CHECK_FALSE(host.keyed.contains(Signal::host_irq));
    CHECK(host.keyed.contains(Signal::host_napi));
}

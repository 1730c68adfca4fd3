// An Observer on a made host, with given probes and a clock by hand: what the tests of the Observer begin with.
#pragma once

#include <chrono>
#include <memory>

#include "fake_host.h"
#include "given_probes.h"
#include "observe/observer.h"

namespace gotuned::test {

using namespace std::chrono_literals;

struct World {
    FakeHost host{};
    std::shared_ptr<ManualClock> clock = std::make_shared<ManualClock>();
    GivenProbes probes{};
    std::unique_ptr<Observer> observer{};

    explicit World(bool with_probes = true) {
        probes.given_reports = {ProbeReport{"sys_enter", "tp_btf", true, true}};
        probes.otherwise = quiet();
        ObserverOptions options;
        options.roots = host.roots();
        options.clock = clock;
        observer = Observer::make(options, with_probes ? &probes : nullptr);
    }
    static SlotDelta quiet() {
        SlotDelta delta;
        delta.elapsed = 5s;
        delta.observed = 200ms;
        delta.scheduler_observed = 5s;
        return delta;
    }
    static SlotDelta busy() {
        SlotDelta delta = quiet();
        delta.switches = 10;
        delta.epoll_wake.record(20us);
        return delta;
    }
    void found(const std::shared_ptr<const GoProcess>& process) { observer->found(process, clock->mono()); }
    SnapshotPtr tick(Duration by = 5s) {
        clock->advance(by);
        return observer->observe(clock->mono(), clock->wall(), {});
    }
};

inline const ProcessState& state_of(const SnapshotPtr& snapshot, const std::shared_ptr<const GoProcess>& process) {
    return *snapshot->processes.at(process->id);
}
inline Quantity quantity(const SignalTable& table, Signal id) { return std::get<Quantity>(*table.get(id).value); }
inline Absence absence(const SignalTable& table, Signal id) { return table.get(id).value.absent().reason; }

}  // namespace gotuned::test

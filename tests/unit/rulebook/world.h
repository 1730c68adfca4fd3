// A small host to evaluate against: a Snapshot that a test fills by hand and moves on tick by tick.
#pragma once

#include <memory>
#include <string>

#include "observe/snapshot.h"
#include "rulebook/expression.h"

namespace gotuned::test {

inline constexpr Duration tick = std::chrono::seconds(5);
inline const MonoTime start{std::chrono::hours(1)};
inline const ProcessId first_process{100, 1000, 7};
inline const CgroupId first_cgroup{42};

/// A distribution of `n` events of `value` each.
inline DistributionPtr events(int n, Duration value) {
    auto made = std::make_shared<Distribution>();
    for (int i = 0; i < n; ++i) made->record(value);
    return made;
}
inline SignalReading seen(DistributionPtr distribution, Duration window = tick, Duration observed = tick) {
    return SignalReading{Reading<SignalValue>(SignalValue(std::move(distribution))), {window, observed}};
}
inline SignalReading looked(Quantity value, Duration observed, Duration window = tick) {
    return SignalReading{Reading<SignalValue>(SignalValue(value)), {window, observed}};
}

struct World {
    Snapshot snapshot{};
    World() {
        snapshot.sequence = 1;
        snapshot.at = start;
        snapshot.host.signals.set(Signal::host_memory_available, bytes(8e9));
        add_cgroup(first_cgroup, "/system.slice/payment.service");
        add_process(first_process, first_cgroup);
    }
    /// The next Snapshot: the same values, one tick later.
    void advance(Duration by = tick) {
        ++snapshot.sequence;
        snapshot.at += by;
        snapshot.window = by;
    }
    GoProcess& add_process(ProcessId id, CgroupId cgroup, const std::string& unit = "payment.service") {
        auto process = std::make_shared<GoProcess>();
        process->id = id;
        process->exe = "/usr/bin/payment";
        process->unit = unit;
        process->cgroup_inode = cgroup.inode;
        process->build.version = "go1.22.3";
        auto state = std::make_shared<ProcessState>();
        state->process = process;
        state->since = snapshot.at - snapshot.window;
        state->signals.set(Signal::fd_used, count(500));
        state->signals.set(Signal::fd_limit, count(1000));
        snapshot.processes[id] = state;
        return *process;
    }
    void add_cgroup(CgroupId id, const std::string& path) {
        auto state = std::make_shared<CgroupState>();
        state->id = id;
        state->path = path;
        state->signals.set(Signal::cg_memory_high, bytes(unlimited_value));
        state->signals.set(Signal::cg_memory_current, bytes(1e9));
        snapshot.cgroups[id] = state;
    }
    /// Changes one process; the Snapshot's states are shared, so this makes a new one.
    template <typename F>
    void change(F&& function, ProcessId id = first_process) {
        auto state = std::make_shared<ProcessState>(*snapshot.processes.at(id));
        function(*state);
        snapshot.processes[id] = state;
    }
    template <typename V>
    void set(Signal signal, V&& value, ProcessId id = first_process) {
        change([&](ProcessState& state) { state.signals.set(signal, std::forward<V>(value)); }, id);
    }
};

inline constexpr Type condition{Type::Kind::boolean, {}};
inline Type quantity_of(Unit unit) { return Type{Type::Kind::quantity, unit}; }

}  // namespace gotuned::test

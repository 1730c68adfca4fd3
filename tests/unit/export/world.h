// Snapshots made by hand for the tests of export.
#pragma once

#include <memory>
#include <string>

#include "export/metrics.h"
#include "observe/snapshot.h"

namespace gotuned::test {

inline constexpr Duration tick = std::chrono::seconds(5);

struct World {
    Snapshot snapshot{};
    MetricsInput input{};
    World() {
        snapshot.at = MonoTime(std::chrono::hours(1));
        snapshot.wall = WallTime(std::chrono::seconds(1'700'000'000));
    }

    /// A process of a service, to be filled by `fill`.
    template <typename Fill>
    void process(pid_t pid, const std::string& service, Fill&& fill, bool exited = false) {
        auto go = std::make_shared<GoProcess>();
        go->id = {pid, 100, 7};
        go->exe = "/usr/bin/" + service;
        go->cgroup_inode = cgroup_of_new_processes;
        auto state = std::make_shared<ProcessState>();
        state->process = go;
        state->service = service;
        state->exited = exited;
        fill(state->signals);
        snapshot.processes[go->id] = state;
    }
    void process(pid_t pid, const std::string& service) {
        process(pid, service, [](SignalTable&) {});
    }
    template <typename Fill>
    void cgroup(std::uint64_t inode, Fill&& fill) {
        auto state = std::make_shared<CgroupState>();
        state->id = {inode};
        state->read_at = snapshot.at;
        fill(state->signals);
        snapshot.cgroups[state->id] = state;
    }
    void gone(pid_t pid) { snapshot.processes.erase(ProcessId{pid, 100, 7}); }
    /// Publishes, and moves on by a tick; processes stay as they are.
    SnapshotPtr next(Duration by = tick) {
        snapshot.sequence += 1;
        snapshot.at += by;
        snapshot.window = by;
        return std::make_shared<const Snapshot>(snapshot);
    }
    void tell(Metrics& metrics, Duration by = tick) { metrics.update(next(by), input); }
    std::uint64_t cgroup_of_new_processes = 0;
};

inline SignalReading distribution(std::initializer_list<Duration> events, double factor = 1) {
    auto out = std::make_shared<Distribution>();
    for (const Duration event : events) out->record(event);
    out->scale(factor);
    return {SignalValue(DistributionPtr(out)), {tick, tick}};
}
inline SignalReading over(Quantity value, Duration window) { return {SignalValue(value), {window, window}}; }

/// The value of a sample line that begins with `start` ("name{labels}"); −1 when there is none.
inline double sample(const Metrics& metrics, const std::string& start) {
    const std::string& text = *metrics.text();
    std::size_t at = text.starts_with(start + " ") ? 0 : text.find("\n" + start + " ");
    if (at == std::string::npos) return -1;
    at = text.find(' ', text.find(start, at) + start.size());
    return std::stod(text.substr(at + 1));
}
inline bool has(const Metrics& metrics, const std::string& part) {
    return metrics.text()->find(part) != std::string::npos;
}

}  // namespace gotuned::test

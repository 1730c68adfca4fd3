#include "main/process_costs.h"

#include <algorithm>
#include <variant>

#include "bpf/gotuned.h"

namespace gotuned {
namespace {

constexpr double least_cpu = 0.05;

double number(const SignalTable& table, Signal id) {
    const auto value = table.get(id).value;
    if (!value) return 0;
    const auto* quantity = std::get_if<Quantity>(&*value);
    return quantity == nullptr ? 0 : quantity->value;
}

/// Events a second of a distribution; scaled by its exposure already.
double per_second(const SignalTable& table, Signal id) {
    const SignalReading reading = table.get(id);
    if (!reading.value || reading.exposure.window <= Duration::zero()) return 0;
    const auto* seen = std::get_if<DistributionPtr>(&*reading.value);
    return seen == nullptr ? 0 : (*seen)->count() / seconds(reading.exposure.window);
}

/// CPU time a second.
double of_scheduler(const SignalTable& signals, const ProbeCosts& costs) {
    return per_second(signals, Signal::runq) * costs.switch_seconds;
}
double of_sockets(const SignalTable& signals, const ProbeCosts& costs) {
    return per_second(signals, Signal::netpoll_wait) * costs.arrival_seconds;
}
double of_window(const SignalTable& signals, const ProbeCosts& costs) {
    double calls = 0;
    for (std::size_t i = 0; i < GT_CLASSES; ++i)
        calls += per_second(signals, static_cast<Signal>(static_cast<std::size_t>(Signal::syscall_read) + i));
    return calls * costs.call_seconds;
}

}  // namespace

ProcessCosts dearest_process(const Snapshot& snapshot, const ProbeCosts& costs) {
    ProcessCosts dearest;
    for (const auto& [id, state] : snapshot.processes) {
        if (state->exited || !state->active) continue;
        const double cpu = number(state->signals, Signal::cpu_usage);
        if (cpu < least_cpu) continue;
        const double scheduler = of_scheduler(state->signals, costs) / cpu;
        const double sockets = of_sockets(state->signals, costs) / cpu;
        const double window = of_window(state->signals, costs) / cpu;
        // What binds is any of them: the service named is that of the largest.
        if (std::max({scheduler, sockets, window}) > std::max({dearest.scheduler, dearest.sockets, dearest.window}))
            dearest.service = state->service;
        dearest.scheduler = std::max(dearest.scheduler, scheduler);
        dearest.sockets = std::max(dearest.sockets, sockets);
        dearest.window = std::max(dearest.window, window);
    }
    return dearest;
}

ProbeCosts complete(ProbeCosts costs, const Snapshot& snapshot) {
    if (!costs.assumed) return costs;
    double scheduler = 0;
    double sockets = 0;
    double window = 0;
    for (const auto& [id, state] : snapshot.processes) {
        if (state->exited || !state->active) continue;
        scheduler += of_scheduler(state->signals, costs);
        sockets += of_sockets(state->signals, costs);
        window += of_window(state->signals, costs);
    }
    if (!costs.scheduler) costs.scheduler = scheduler;
    if (!costs.sockets) costs.sockets = sockets;
    if (!costs.window) costs.window = window;
    return costs;
}

}  // namespace gotuned

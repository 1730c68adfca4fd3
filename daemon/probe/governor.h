// The budget governor: from what the probes cost, as measured, to how long and how often the expensive ones may look.
// Used by main once a tick. Pure: it reads no clock and touches no program.
#pragma once

#include <optional>
#include <string>

#include "base/time.h"

namespace gotuned {

/// What was measured, or is assumed. Costs are CPU time by time that passes: 0.01 is 1% of one CPU.
struct ProbeCosts {
    double steady = 0;                  ///< of what is attached all the time
    double goroutines = 0;              ///< of the uprobes in processes that were opted in
    std::optional<double> scheduler{};  ///< of the programs of context switches while they are attached
    std::optional<double> sockets{};    ///< the same of those of arrivals at sockets
    std::optional<double>
        window{};               ///< of an open window of system calls and interrupts, with the slow way into the kernel
    double switch_seconds = 0;  ///< of a context switch of a watched process, with the wake-up before it
    double call_seconds = 0;    ///< of a system call of a watched process in an open window
    double arrival_seconds = 0;  ///< of data that arrives at a socket of a watched process, with the read of it
    bool assumed = false;        ///< the kernel does not let us measure: an event costs what it does in our benchmarks
};

/// The same as a share of one process's own CPU time: what the probes take from its throughput.
struct ProcessCosts {
    std::string service{};
    double scheduler = 0;  ///< while the programs of context switches are attached
    double window = 0;     ///< while a window is open
    double sockets = 0;    ///< while the programs of arrivals at sockets are attached
};

/// What may run until the next plan.
struct ProbePlan {
    Duration window = std::chrono::milliseconds(200);  ///< zero: no window is opened
    unsigned every = 1;                                ///< a window each so many ticks
    double scheduler = 1;                              ///< share of each tick in which context switches are seen
    double sockets = 1;                                ///< the same of arrivals at sockets
    double cost = 0;                                   ///< what that comes to, by what was measured
    double process_cost = 0;                           ///< of the process that the probes take most from
    std::string process{};                             ///< its service
    std::string reason{};                              ///< why something is shortened or off; empty: nothing is
    friend bool operator==(const ProbePlan&, const ProbePlan&) = default;
};

class Governor {
public:
    /// Of one CPU, and of the throughput of each watched process.
    explicit Governor(double budget) : budget_(budget) {}

    /// The uprobes keep to the budget themselves (GoroutineOptions); what they leave of it is left to the others.
    /// A window is never shorter than what gives a value (least_exposure), rather less frequent. At least a fifth of
    /// the budget is left to the windows: when the programs of context switches alone would take more than the rest,
    /// they are attached for a part of each tick; those of sockets get what is left then (where data comes so often
    /// that they are dear, a small part of the time still sees thousands of arrivals), outside the windows. Windows
    /// that are off are tried again after ten minutes.
    const ProbePlan& plan(MonoTime now, Duration tick, const ProbeCosts& costs, const ProcessCosts& process);
    [[nodiscard]] const ProbePlan& current() const { return plan_; }
    [[nodiscard]] double budget() const { return budget_; }

private:
    double budget_;
    ProbePlan plan_{};
    std::optional<MonoTime> off_since_{};
    double window_ = 0;          ///< the measured cost that the windows are off for
    double window_process_ = 0;  ///< the same of the process
};

/// What is told of it (metrics, status).
struct ProbeBudget {
    double budget = 0;
    Duration tick{};
    ProbeCosts costs{};
    ProbePlan plan{};
};

/// "shortened to 120 ms every 6 ticks: …", for people; empty when nothing is shortened.
std::string plan_words(const ProbePlan& plan);

}  // namespace gotuned

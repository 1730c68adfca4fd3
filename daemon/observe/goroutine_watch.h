// One process whose service was opted in to have its goroutines looked into (probes.goroutines): asks for the uprobes,
// and takes them off for a while when they cost more than they may. Used by WatchedProcess.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "discover/go_process.h"
#include "observe/snapshot.h"
#include "probe/probes.h"

namespace gotuned {

/// Which services, and what it may cost.
struct GoroutineOptions {
    std::set<std::string> services{};
    double budget = 0.01;  ///< of one CPU, for all of them together
};

class GoroutineWatch {
public:
    /// goroutine.netpoll of this tick. `version`: as the process tells it.
    /// `budget`: its own part of one CPU.
    SignalReading observe(Probes* probes, const GoProcess& process, const std::string& service,
                          std::string_view version, const GoroutineOptions& options, double budget, MonoTime now);
    void end(Probes* probes, const ProcessId& process);
    [[nodiscard]] bool watching() const { return watching_; }

private:
    void begin(Probes& probes, const GoProcess& process, std::string_view version, MonoTime now);

    bool watching_ = false;
    MonoTime next_try_{};
    Absent why_not_{Absence::not_attached, {}};
};

}  // namespace gotuned

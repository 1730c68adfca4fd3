// What is exported of the daemon itself: probes, rules, adjustments, absences, its own cost. Sums what must never fall.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "export/families.h"
#include "export/metrics.h"

namespace gotuned {

class OwnMetrics {
public:
    /// `before`: the Snapshot of the last call; null: there was none.
    void update(const Snapshot* before, const Snapshot& snapshot, const MetricsInput& input);
    void woken(const Snapshot* before, const Snapshot& snapshot, const Evaluation& evaluation,
               const PressureReport& pressure);
    /// How many services have a name, and how many processes are in "other".
    void write(Families& families, std::size_t named_services) const;

private:
    using RuleOnTarget = std::pair<std::string, TargetId>;

    MetricsInput input_{};
    std::map<std::string, std::map<RuleStanding::State, std::size_t>> standings_;  ///< rule → state → targets
    std::map<std::string, std::uint64_t> decisions_;
    std::map<std::pair<std::string, Absence>, std::uint64_t> unknowns_;
    std::set<RuleOnTarget> firing_;
    std::map<RuleOnTarget, MonoTime> detected_;  ///< when the condition of a change in force began to hold
    std::vector<std::uint64_t> verified_;
    double verified_sum_ = 0;
    Distribution ticks_{};
    double observed_seconds_ = 0;
    std::map<std::pair<Signal, Absence>, std::int64_t> absent_;
    std::int64_t processes_ = 0, opted_out_ = 0;
    std::size_t cgroups_ = 0;
    WallTime snapshot_at_{};

    void take_decisions(const Evaluation& evaluation, const Snapshot& snapshot);
    void count_absences(const Snapshot* before, const Snapshot& snapshot);
    /// Of one table, as seen in its Snapshot: once more, or (`times` −1) once less.
    void count_absences(const SignalTable& table, Scope scope, const Snapshot& snapshot, int times);
    void count_process(const ProcessState& process, const Snapshot& snapshot, int times);
    void take_exposure(const Snapshot& snapshot);
    void write_rules(Families& families) const;
    void write_adjustments(Families& families) const;
    void write_probes(Families& families) const;
    void write_budget(Families& families) const;
    void write_cost(Families& families) const;
};

}  // namespace gotuned

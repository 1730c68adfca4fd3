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
    void update(const Snapshot& snapshot, const MetricsInput& input);
    void woken(const Snapshot& snapshot, const Evaluation& evaluation, const PressureReport& pressure);
    /// `named_services`: how many services have a name of their own. `snapshot`: the last one.
    void write(Families& families, std::size_t named_services, const Snapshot& snapshot) const;

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
    WallTime snapshot_at_{};

    void take_decisions(const Evaluation& evaluation, const Snapshot& snapshot);
    void take_exposure(const Snapshot& snapshot);
    void write_rules(Families& families) const;
    void write_adjustments(Families& families) const;
    void write_probes(Families& families) const;
    void write_budget(Families& families) const;
    static void write_absences(Families& families, const Snapshot& snapshot);
    void write_cost(Families& families) const;
};

}  // namespace gotuned

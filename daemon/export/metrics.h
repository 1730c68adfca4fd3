// What Prometheus reads: takes each tick's Snapshot and the daemon's own numbers, adds up what must never fall, and
// renders one text a tick at most (only when somebody asks). All values of one text come from one Snapshot.
#pragma once

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/time.h"
#include "discover/process_table.h"
#include "observe/pressure_report.h"
#include "observe/snapshot.h"
#include "probe/probes.h"
#include "rulebook/evaluator.h"
#include "tune/engine.h"

namespace gotuned {

/// `series:` of gotuned.yaml. At either cap newcomers are exported as the service "other".
struct SeriesLimits {
    std::size_t max_services = 100;
    std::size_t max_lines = 30000;
    bool full_buckets = false;  ///< histograms with powers of 2; else powers of 4
};

/// What runs, for gotuned_rulebook_info and its kin.
struct RulebookReport {
    std::string sha256{};
    int version = 0;  ///< 0: no rulebook is running
    std::string profile{};
    std::size_t rules = 0;
    std::size_t enforced = 0;
    std::size_t errors = 0;          ///< of the last load, when it failed
    std::uint64_t failed_loads = 0;  ///< since start
    bool last_good = false;          ///< the running one was loaded from last-good
};

/// What this daemon costs.
struct OwnCost {
    Duration tick{};         ///< how long the work of this tick took
    double cpu_seconds = 0;  ///< user and system, since start (getrusage(2)), children included
    double resident_bytes = 0;
    WallTime started{};
};

/// What update() takes besides the Snapshot. Copied where it is kept.
struct MetricsInput {
    std::vector<ProbeReport> probes{};
    std::vector<Probes::Drop> drops{};
    ProbeBudget budget{};
    PressureReport pressure{};
    const Evaluation* evaluation = nullptr;  ///< of this Snapshot; may be null
    std::vector<LiveAdjustment> adjustments{};
    std::vector<AdjustmentTotal> totals{};  ///< since start
    ProcessTable::Counts discovered{};
    RulebookReport rulebook{};
    OwnCost cost{};
    bool paused = false;
    bool circuit_open = false;
    bool unsafe_bounds = false;  ///< adjust.unsafe
    bool ready = false;
};

class Metrics final : public prometheus::Collectable {
public:
    explicit Metrics(const SeriesLimits& limits);
    ~Metrics() override;

    /// Once a tick, with the tick's Snapshot (never null). A Snapshot given twice counts once.
    void update(const SnapshotPtr& snapshot, const MetricsInput& input);

    /// A Snapshot between two ticks (Snapshot::woken_for), with the standing of all rules after it and the triggers
    /// that woke for it.
    void woken(const SnapshotPtr& snapshot, const Evaluation& evaluation, const PressureReport& pressure);

    [[nodiscard]] std::vector<prometheus::MetricFamily> Collect() const override;
    /// The text format, version 0.0.4; rendered at the first call after an update(), then shared. Never null.
    [[nodiscard]] std::shared_ptr<const std::string> text() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace gotuned

// The daemon's answers as JSON text: what the control API returns and `gotunectl --json` prints. Field names are
// stable and described in docs/gotunectl.md. Quantities are numbers in base units (seconds, bytes, ratio, count) with
// a "text" for people beside them; "unlimited" is a string; what is absent is {"absent": REASON, "detail": …}.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "observe/pressure_report.h"
#include "observe/snapshot.h"
#include "probe/probes.h"
#include "rulebook/evaluator.h"
#include "rulebook/rulebook.h"
#include "tune/engine.h"
#include "tune/history.h"

namespace gotuned {

/// For people: "payments pid 4711".
using TargetNamer = std::function<std::string(const TargetId&)>;

struct StatusInput {
    std::string version{};
    std::string not_ready{};  ///< empty when ready
    bool paused = false;
    bool circuit_open = false;
    std::string profile{};
    std::string rulebook_origin{};       ///< "sources", "last-good", "none"
    const Rulebook* rulebook = nullptr;  ///< may be null
    Diagnostics errors{};                ///< of the last load, when it failed
    std::vector<std::string> listening{};
    std::string environment{};
    const Snapshot* snapshot = nullptr;  ///< may be null before the first tick
    const Evaluation* evaluation = nullptr;
    std::vector<LiveAdjustment> adjustments{};
    std::vector<Yield> yields{};
    std::vector<ProbeReport> probes{};
    ProbeFeatures features{};
    std::vector<Probes::Drop> drops{};
    ProbeBudget budget{};  ///< 0: there are no probes
    PressureReport pressure{};
    std::vector<PreflightItem> preflight{};
    std::vector<std::string> conflicts{};  ///< who else sets what rules may set, a line each
    std::string journal_warning{};         ///< what the journal lost or cannot tell; empty when all is well
    bool unsafe_bounds = false;            ///< adjust.unsafe
    double cpu_seconds = 0;
    double resident_bytes = 0;
    Duration uptime{};
};
std::string status_json(const StatusInput& input, const TargetNamer& name);

/// The catalogue: {"signals": […]}.
std::string signal_catalogue_json();
/// Values of targets, with their cgroup's for a process: {"targets": [{"target", "scope", "signals": {NAME: …}}]}.
std::string signal_values_json(const Snapshot& snapshot, const std::vector<TargetId>& targets, const TargetNamer& name);

/// {"rulebook": SHA256, "profile", "items": […]}.
std::string plan_json(const std::vector<PlanItem>& items, const std::string& sha256, const std::string& profile,
                      const TargetNamer& name);

/// One rule on one target, or why there is no explanation.
struct ExplainedTarget {
    TargetId target{};
    Result<Explanation> explanation{};
    std::vector<std::string> held_back{};  ///< what keeps the whole rule from acting now
    std::vector<PlanItem> plan{};          ///< what the engine says of each write, in their order; may be empty
};
std::string explain_json(const Rule& rule, const std::vector<ExplainedTarget>& targets, const TargetNamer& name);

std::string history_json(const std::vector<HistoryEntry>& entries);
std::string undo_json(const std::vector<UndoOutcome>& outcomes);
/// {"sha256", "rules", "enforced", "profile", "files"}: the answer of reload and profile.
std::string loaded_json(const Rulebook& rulebook);
/// {"done": TEXT}: the answer of pause and resume.
std::string done_json(std::string_view text);

}  // namespace gotuned

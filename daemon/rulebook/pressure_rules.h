// Which rules a PSI trigger has evaluated between two ticks: those that read nothing but memory and pressure, which are
// then read anew; all others would judge old values a second time.
#pragma once

#include "rulebook/evaluator.h"

namespace gotuned {

/// Every signal of its expressions is one that answers_pressure(), and there is one at least.
bool answers_pressure(const Rule& rule);

/// Where triggers are worth their cost.
struct PressureNeeds {
    bool host = false;     ///< some such rule reads the host's memory or pressure
    bool cgroups = false;  ///< some such rule reads a cgroup's
};
PressureNeeds pressure_needs(const Rulebook& rulebook);

/// The standing of all rules after a Snapshot between two ticks: `woken` where it judged, `last` elsewhere, whose fires
/// go on. For people and metrics; what is to be done is in `woken` alone.
Evaluation carried_on(const Evaluation& last, const Evaluation& woken);

}  // namespace gotuned

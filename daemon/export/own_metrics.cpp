#include "export/own_metrics.h"

#include <algorithm>
#include <array>

#include "export/absences.h"

namespace gotuned {
namespace {

/// From a condition's first Snapshot to a verified change: seconds. Ticks, `for`, settle and hold make it up.
const std::vector<double>& verified_bounds() {
    static const std::vector<double> bounds{1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600};
    return bounds;
}

std::string text(std::string_view view) { return std::string(view); }

double epoch(WallTime at) { return std::chrono::duration<double>(at.time_since_epoch()).count(); }

using State = RuleStanding::State;
constexpr std::array standing_states{State::idle,      State::pending, State::firing, State::yielding,
                                     State::verifying, State::kept,    State::unknown};
constexpr std::array live_states{AdjustmentState::applied, AdjustmentState::kept, AdjustmentState::undo_deferred,
                                 AdjustmentState::drifted};

}  // namespace

void OwnMetrics::update(const Snapshot& snapshot, const MetricsInput& input) {
    input_ = input;
    input_.evaluation = nullptr;
    snapshot_at_ = snapshot.wall;
    standings_.clear();
    if (input.evaluation != nullptr) take_decisions(*input.evaluation, snapshot);
    take_exposure(snapshot);
    ticks_.record(input.cost.tick);
}

void OwnMetrics::woken(const Snapshot& snapshot, const Evaluation& evaluation, const PressureReport& pressure) {
    snapshot_at_ = snapshot.wall;
    input_.pressure = pressure;
    standings_.clear();
    take_decisions(evaluation, snapshot);
}

void OwnMetrics::take_decisions(const Evaluation& evaluation, const Snapshot& snapshot) {
    for (const auto& [rule, targets] : evaluation.targets) standings_[rule][State::idle] = targets;
    std::map<RuleOnTarget, Duration> held;
    for (const RuleStanding& standing : evaluation.standings) {
        if (standing.state == State::idle) continue;
        auto& states = standings_[standing.rule];
        ++states[standing.state];
        if (states[State::idle] > 0) --states[State::idle];
        if (standing.held > Duration::zero()) held[{standing.rule, standing.target}] = standing.held;
    }
    for (const auto& [unknown, count] : evaluation.unknowns) unknowns_[unknown] += count;

    // A decision is repeated at each Snapshot while its condition holds: it counts when it is new.
    std::set<RuleOnTarget> firing;
    for (const Decision& decision : evaluation.decisions) {
        const RuleOnTarget key{decision.rule, decision.target};
        if (decision.kind == DecisionKind::fire) {
            firing.insert(key);
            if (!firing_.contains(key)) ++decisions_[decision.rule];
            // A further step is called for when it fires: its condition has held since before the step it follows.
            if (!detected_.contains(key)) detected_[key] = decision.step > 1 ? snapshot.at : snapshot.at - held[key];
        } else if (const auto found = detected_.find(key); found != detected_.end()) {
            if (decision.kind == DecisionKind::keep && decision.verified) {
                const double took = seconds(snapshot.at - found->second);
                const auto& bounds = verified_bounds();
                verified_.resize(bounds.size() + 1);
                ++verified_[static_cast<std::size_t>(std::lower_bound(bounds.begin(), bounds.end(), took) -
                                                     bounds.begin())];
                verified_sum_ += took;
            }
            detected_.erase(found);
        }
    }
    firing_ = std::move(firing);
    // A rule that fired and was refused never comes to an end: forgotten when it neither fires nor is in force.
    std::set<RuleOnTarget> live;
    for (const LiveAdjustment& adjustment : input_.adjustments) live.insert({adjustment.rule, adjustment.target});
    std::erase_if(detected_,
                  [&](const auto& entry) { return !firing_.contains(entry.first) && !live.contains(entry.first); });
}

void OwnMetrics::take_exposure(const Snapshot& snapshot) {
    // All processes are looked at by the same windows; one that was there for the whole tick has seen them all.
    Duration longest{};
    for (const auto& [id, process] : snapshot.processes)
        longest = std::max(longest, process->signals.get(Signal::netpoll_poll_rate).exposure.observed);
    observed_seconds_ += seconds(longest);
}

void OwnMetrics::write_rules(Families& families) const {
    const RulebookReport& rulebook = input_.rulebook;
    if (rulebook.version > 0)
        families.gauge(
            "gotuned_rulebook_info",
            "The running rulebook: sha256 over all files that took part, and the version of the format.",
            {{"sha256", rulebook.sha256}, {"version", std::to_string(rulebook.version)}, {"profile", rulebook.profile}},
            1);
    families.gauge("gotuned_rulebook_rules", "Rules of the running rulebook by mode.", {{"mode", "enforce"}},
                   static_cast<double>(rulebook.enforced));
    families.gauge("gotuned_rulebook_rules", "", {{"mode", "observe"}},
                   static_cast<double>(rulebook.rules - std::min(rulebook.rules, rulebook.enforced)));
    families.gauge("gotuned_rulebook_errors",
                   "Errors of the last load of the rulebook; 0 when what runs is what the files say.", {},
                   static_cast<double>(rulebook.errors));
    families.counter("gotuned_rulebook_failed_loads_total", "Loads of the rulebook that were refused.", {},
                     static_cast<double>(rulebook.failed_loads));
    families.gauge("gotuned_rulebook_last_good",
                   "1 when the running rulebook is the saved last good one, because the files are wrong.", {},
                   rulebook.last_good ? 1 : 0);
    for (const auto& [rule, states] : standings_)
        for (const State state : standing_states) {
            const auto found = states.find(state);
            families.gauge("gotuned_rule_state", "Targets by how the rule stands for them.",
                           {{"rule", rule}, {"state", text(to_string(state))}},
                           found == states.end() ? 0 : static_cast<double>(found->second));
        }
    for (const auto& [rule, count] : decisions_)
        families.counter("gotuned_decisions_total",
                         "Times that a rule fired for a target, whether or not anything was changed.", {{"rule", rule}},
                         static_cast<double>(count));
    for (const auto& [unknown, count] : unknowns_)
        families.counter("gotuned_unknown_conditions_total",
                         "Evaluations whose condition was unknown, by reason: such a rule neither fires nor clears.",
                         {{"rule", unknown.first}, {"reason", text(to_string(unknown.second))}},
                         static_cast<double>(count));
}

void OwnMetrics::write_adjustments(Families& families) const {
    for (const AdjustmentState state : live_states) {
        const auto count = std::count_if(input_.adjustments.begin(), input_.adjustments.end(),
                                         [state](const auto& one) { return one.state == state; });
        families.gauge("gotuned_adjustments", "Adjustments in force, by state.", {{"state", text(to_string(state))}},
                       static_cast<double>(count));
    }
    for (const AdjustmentTotal& total : input_.totals)
        families.counter("gotuned_adjustments_total", "What became of adjustments since start.",
                         {{"rule", total.rule}, {"knob", total.knob}, {"outcome", total.outcome}},
                         static_cast<double>(total.count));
    families.histogram(
        "gotuned_detect_to_verified_seconds",
        "From the first Snapshot in which a rule's condition held (of a further step: in which it fired) to its "
        "change being verified.",
        {}, verified_bounds(), verified_, verified_sum_);
    families.gauge("gotuned_paused", "1 while paused: nothing is changed.", {}, input_.paused ? 1 : 0);
    families.gauge("gotuned_circuit_open", "1 while too many failed verifications hold every rule in observe.", {},
                   input_.circuit_open ? 1 : 0);
    families.gauge("gotuned_adjust_unsafe", "1 with adjust.unsafe: rules may write values outside the safe bounds.", {},
                   input_.unsafe_bounds ? 1 : 0);
}

void OwnMetrics::write_budget(Families& families) const {
    const ProbeBudget& budget = input_.budget;
    if (!(budget.budget > 0)) return;
    families.gauge("gotuned_probe_budget_ratio", "probes.budget: of one CPU, and of each watched process's CPU time.",
                   {}, budget.budget);
    const auto cost = [&families](const char* part, double value) {
        families.gauge("gotuned_probe_cost_ratio",
                       "CPU time that the probes take now, by what was sampled last: 1 is one CPU.", {{"part", part}},
                       value);
    };
    const double share = budget.plan.window <= Duration::zero() || budget.tick <= Duration::zero()
                             ? 0
                             : seconds(budget.plan.window) / (seconds(budget.tick) * budget.plan.every);
    if (budget.costs.scheduler) {
        cost("steady", budget.costs.steady);
        cost("goroutines", budget.costs.goroutines);
        cost("scheduler", *budget.costs.scheduler * budget.plan.scheduler);
    }
    if (budget.costs.sockets) cost("sockets", *budget.costs.sockets * budget.plan.sockets);
    if (budget.costs.window) cost("windows", *budget.costs.window * share);
    if (!budget.plan.process.empty())
        families.gauge("gotuned_probe_process_cost_ratio",
                       "What the probes take from the CPU time of the process that gives most.",
                       {{"service", budget.plan.process}}, budget.plan.process_cost);
    families.gauge(
        "gotuned_probe_window_ratio",
        "Share of the time in which system calls are looked at; right before it, interrupts are for as long.", {},
        share);
    families.gauge("gotuned_probe_scheduler_ratio", "Share of the time with the scheduler's programs attached.", {},
                   budget.plan.scheduler);
    families.gauge("gotuned_probe_sockets_ratio", "Share of the time in which arrivals at sockets are seen.", {},
                   budget.plan.sockets);
}

void OwnMetrics::write_probes(Families& families) const {
    for (const ProbeReport& probe : input_.probes)
        families.gauge(
            "gotuned_probe_attached",
            "1 when the BPF program is attached (or, for windows, could be when last tried); else 0, with the reason.",
            {{"probe", probe.probe}, {"tier", probe.tier}, {"reason", probe.reason}}, probe.attached ? 1 : 0);
    for (const ProbeReport& probe : input_.probes)
        families.counter("gotuned_probe_cpu_seconds_total",
                         "CPU time of the BPF program, estimated from its events and a sampled cost a run.",
                         {{"probe", probe.probe}}, probe.cpu_seconds);
    for (const ProbeReport& probe : input_.probes)
        families.counter("gotuned_probe_runs_total", "Runs of the BPF program as far as they were sampled.",
                         {{"probe", probe.probe}}, static_cast<double>(probe.runs));
    write_budget(families);
    for (const Probes::Drop& drop : input_.drops)
        families.counter("gotuned_probe_dropped_total", "What the BPF program lost, by reason.",
                         {{"probe", drop.probe}, {"reason", drop.reason}}, static_cast<double>(drop.count));
    const PressureReport& pressure = input_.pressure;
    const auto triggers = [&families](const char* state, std::size_t count) {
        families.gauge(
            "gotuned_pressure_triggers",
            "PSI triggers that wake the daemon when threads stall on memory: armed, refused by the kernel, or "
            "cgroups beyond the bound, which are looked at when the host's fires.",
            {{"state", state}}, static_cast<double>(count));
    };
    triggers("armed", pressure.cgroups + (pressure.host ? 1 : 0));
    triggers("refused", pressure.refused.size());
    triggers("by_host", pressure.by_host);
    families.counter("gotuned_pressure_events_total",
                     "PSI triggers that fired; empty: the kernel sent them though no time was lost.",
                     {{"kind", "stall"}}, static_cast<double>(pressure.events - pressure.empty));
    families.counter("gotuned_pressure_events_total", "", {{"kind", "empty"}}, static_cast<double>(pressure.empty));
    families.counter("gotuned_pressure_wakeups_total",
                     "Evaluations of the rules of memory and pressure between two ticks, because of PSI triggers.", {},
                     static_cast<double>(pressure.wakes));
    families.counter("gotuned_syscall_observed_seconds_total",
                     "For how long system calls were looked at (windows); counts are scaled by it.", {},
                     observed_seconds_);
    const ProcessTable::Counts& found = input_.discovered;
    const auto discover = [&families](const char* result, std::uint64_t count) {
        families.counter("gotuned_discover_total", "Executables looked at to tell Go programs from others, by result.",
                         {{"result", result}}, static_cast<double>(count));
    };
    discover("inspected", found.inspected);
    discover("cached", found.cache_hits);
    discover("not_go", found.not_go);
    discover("failed", found.failed);
    discover("inspector_killed", found.inspector_killed);
}

void OwnMetrics::write_absences(Families& families, const Snapshot& snapshot) {
    for (const auto& [key, count] : absences_of(snapshot))
        families.gauge("gotuned_signal_absent", "Targets for which a signal has no value, by reason.",
                       {{"signal", text(info(key.first).name)}, {"reason", text(to_string(key.second))}},
                       static_cast<double>(count));
}

void OwnMetrics::write_cost(Families& families) const {
    families.histogram("gotuned_tick_seconds", "What the work of one tick took.", {}, ticks_, false);
    families.gauge("gotuned_snapshot_timestamp_seconds", "Wall time of the Snapshot that these values come from.", {},
                   epoch(snapshot_at_));
    families.counter("process_cpu_seconds_total", "Total user and system CPU time of gotuned in seconds.", {},
                     input_.cost.cpu_seconds);
    families.gauge("process_resident_memory_bytes", "Resident memory of gotuned in bytes.", {},
                   input_.cost.resident_bytes);
    if (input_.cost.started != WallTime{})
        families.gauge("process_start_time_seconds", "Start time of gotuned in seconds since the epoch.", {},
                       epoch(input_.cost.started));
}

void OwnMetrics::write(Families& families, std::size_t named_services, const Snapshot& snapshot) const {
    families.gauge("gotuned_build_info", "The version of gotuned.", {{"version", GOTUNED_VERSION}}, 1);
    families.gauge("gotuned_ready", "1 when ready: a rulebook runs and a Snapshot was taken.", {},
                   input_.ready ? 1 : 0);
    const auto targets = [&families](const char* scope, double count) {
        families.gauge("gotuned_targets", "What rules can be evaluated for: Go processes, their cgroups, the host.",
                       {{"scope", scope}}, count);
    };
    std::size_t processes = 0;
    std::size_t opted_out = 0;
    for (const auto& [id, process] : snapshot.processes) {
        if (process->exited) continue;
        ++processes;
        if (process->process->opted_out) ++opted_out;
    }
    targets("process", static_cast<double>(processes));
    targets("cgroup", static_cast<double>(snapshot.cgroups.size()));
    targets("host", 1);
    families.gauge("gotuned_targets_opted_out",
                   "Go processes that opted out (GOTUNED=off, X-Gotuned=off): seen, never touched.", {},
                   static_cast<double>(opted_out));
    families.gauge("gotuned_services",
                   "Services with a name of their own in these metrics; all others are service=\"other\".", {},
                   static_cast<double>(named_services));
    write_rules(families);
    write_adjustments(families);
    write_probes(families);
    write_absences(families, snapshot);
    write_cost(families);
    // Names of others (two programs of one probe, two long names cut to one) must not fail the scrape.
    families.merge_duplicates();
}

}  // namespace gotuned

// The one translation unit of export with nlohmann-json.
#include "export/json.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

namespace gotuned {
namespace {

using Json = nlohmann::ordered_json;

/// Strangers' bytes that are not UTF-8 become U+FFFD: JSON has no others.
std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

std::string text(std::string_view view) { return std::string(view); }

Json number(double value) {
    if (value == unlimited_value) return "unlimited";
    return value;
}

std::string utc(WallTime at) {
    const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(at.time_since_epoch());
    const auto whole = std::chrono::floor<std::chrono::seconds>(milliseconds);
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(static_cast<std::time_t>(whole.count())),
                       (milliseconds - whole).count());
}

Json json_of(const Value& value) {
    if (const auto* quantity = std::get_if<Quantity>(&value))
        return {
            {"value", number(quantity->value)}, {"unit", to_string(quantity->unit)}, {"text", to_string(*quantity)}};
    if (const auto* boolean = std::get_if<bool>(&value))
        return {{"value", *boolean}, {"text", *boolean ? "true" : "false"}};
    if (const auto* words = std::get_if<std::string>(&value)) return {{"value", *words}, {"text", *words}};
    const std::string list = std::get<CpuSet>(value).list();
    return {{"value", list}, {"unit", "cpus"}, {"text", list}};
}

Json json_of(const Absent& absent) {
    Json out{{"absent", text(to_string(absent.reason))}};
    if (!absent.detail.empty()) out["detail"] = absent.detail;
    return out;
}

Json json_of(const Reading<Value>& reading) { return reading ? json_of(*reading) : json_of(reading.absent()); }

Json json_of(const Distribution& distribution) {
    const double count = distribution.count();
    Json out{{"unit", "time"}, {"count", count}};
    if (!(count > 0)) {
        out["text"] = "no events";
        return out;
    }
    const auto put = [&out](const char* name, const Reading<double>& value) {
        if (value) out[name] = *value;
        return value ? to_string(Quantity{*value, unit::time}) : std::string("?");
    };
    const std::string p50 = put("p50", distribution.quantile(0.5));
    put("p90", distribution.quantile(0.9));
    const std::string p99 = put("p99", distribution.quantile(0.99));
    put("mean", distribution.mean());
    put("stddev", distribution.stddev());
    out["max"] = distribution.max;
    out["text"] = fmt::format("p50 {}, p99 {}, max {}, {:.0f} events", p50, p99,
                              to_string(Quantity{distribution.max, unit::time}), count);
    return out;
}

Json json_of(const SignalReading& reading, const SignalInfo& signal) {
    Json out;
    if (!reading.value.present()) {
        out = json_of(reading.value.absent());
    } else if (const auto* distribution = std::get_if<DistributionPtr>(&*reading.value)) {
        out = *distribution ? json_of(**distribution) : json_of(Absent{Absence::no_data, {}});
    } else if (const auto* quantity = std::get_if<Quantity>(&*reading.value)) {
        out = json_of(Value(*quantity));
    } else if (const auto* words = std::get_if<std::string>(&*reading.value)) {
        out = json_of(Value(*words));
    } else {
        out = json_of(Value(std::get<CpuSet>(*reading.value)));
    }
    if (signal.sampled) {
        out["window_seconds"] = seconds(reading.exposure.window);
        out["observed_seconds"] = seconds(reading.exposure.observed);
    }
    return out;
}

Json json_of(const TargetId& target, const TargetNamer& name) {
    return {{"id", to_string(target)}, {"name", name(target)}, {"scope", text(to_string(scope_of(target)))}};
}

Json json_of(const Evidence& evidence) {
    Json out{{"text", evidence.text}, {"value", json_of(evidence.value)}};
    Json parts = Json::array();
    for (const Evidence& part : evidence.parts) parts.push_back(json_of(part));
    if (!parts.empty()) out["parts"] = std::move(parts);
    return out;
}

Json json_of(const Diagnostic& diagnostic) {
    return {{"file", diagnostic.place.file}, {"line", diagnostic.place.line}, {"column", diagnostic.place.column},
            {"message", diagnostic.message}, {"hint", diagnostic.hint},       {"text", to_string(diagnostic)}};
}

Json json_of(const LiveAdjustment& adjustment, const TargetNamer& name) {
    Json out{{"id", adjustment.id},
             {"group", adjustment.group},
             {"rule", adjustment.rule},
             {"target", json_of(adjustment.target, name)},
             {"knob", adjustment.knob},
             {"original", json_of(adjustment.original)},
             {"set", json_of(adjustment.set)},
             {"state", text(to_string(adjustment.state))},
             {"step", adjustment.step}};
    if (adjustment.state == AdjustmentState::drifted) out["now"] = adjustment.now;
    if (adjustment.state == AdjustmentState::undo_deferred) out["undo_cause"] = text(to_string(adjustment.undo_cause));
    if (!adjustment.note.empty()) out["note"] = adjustment.note;
    return out;
}

Json json_of(const PlannedWrite& write) {
    Json out{{"knob", write.knob}};
    if (!write.text.empty()) {
        out["text"] = write.text;
    } else if (write.placement) {
        const bool pack = write.placement->kind == Adjust::Placement::Kind::pack;
        out["to"] = Json{{"text", fmt::format("{}({})", pack ? "pack" : "spread", write.placement->cpus)}};
    } else {
        out["to"] = json_of(write.to);
    }
    return out;
}

/// A write with what the engine makes of it: what it holds now, the value within the bounds, what it objects to.
Json json_of(const PlannedWrite& write, const PlanItem* planned) {
    Json out = json_of(write);
    if (planned == nullptr) return out;
    if (planned->now.present()) out["now"] = json_of(planned->now);
    if (planned->to.present() && write.text.empty()) out["to"] = json_of(planned->to);
    out["clamped"] = planned->clamped;
    out["refused"] = planned->refused;
    return out;
}

Json process_json(const ProcessState& state, const TargetNamer& name) {
    const GoProcess& go = *state.process;
    Json out{{"target", json_of(TargetId(go.id), name)},
             {"pid", go.id.pid},
             {"service", state.service},
             {"exe", go.exe},
             {"go", go.build.version},
             {"module", go.build.module},
             {"unit", go.unit},
             {"cgroup", go.cgroup},
             {"container", go.container},
             {"user", go.user}};
    out["opted_out"] = go.opted_out ? Json(go.opt_out_source) : Json(nullptr);
    const auto put = [&](const char* field, Signal signal) {
        out[field] = json_of(state.signals.get(signal), info(signal));
    };
    put("epoll_wake", Signal::epoll_wake);
    put("runq", Signal::runq);
    put("fd_used", Signal::fd_used);
    put("fd_limit", Signal::fd_limit);
    put("mem_rss", Signal::mem_rss);
    put("cpu_usage", Signal::cpu_usage);
    return out;
}

std::size_t enforced(const Rulebook& rulebook) {
    std::size_t count = 0;
    for (const Rule& rule : rulebook.rules) count += rule.mode == Mode::enforce ? 1 : 0;
    return count;
}

Json rulebook_json(const StatusInput& input) {
    Json out{{"origin", input.rulebook_origin}};
    if (input.rulebook != nullptr) {
        out["sha256"] = input.rulebook->sha256;
        out["version"] = input.rulebook->version;
        out["rules"] = input.rulebook->rules.size();
        out["enforced"] = enforced(*input.rulebook);
        out["files"] = input.rulebook->files;
    }
    out["errors"] = Json::array();
    for (const Diagnostic& diagnostic : input.errors) out["errors"].push_back(json_of(diagnostic));
    return out;
}

Json standings_json(const Evaluation& evaluation, const TargetNamer& name) {
    Json out = Json::array();
    for (const RuleStanding& standing : evaluation.standings) {
        if (standing.state == RuleStanding::State::idle) continue;
        Json one{{"rule", standing.rule},
                 {"target", json_of(standing.target, name)},
                 {"state", text(to_string(standing.state))},
                 {"held_seconds", seconds(standing.held)}};
        if (standing.state == RuleStanding::State::unknown) one["unknown"] = json_of(*standing.unknown);
        if (!standing.yields_to.empty()) one["yields_to"] = standing.yields_to;
        out.push_back(std::move(one));
    }
    return out;
}

Json probes_json(const StatusInput& input) {
    Json out = Json::array();
    for (const ProbeReport& probe : input.probes)
        out.push_back({{"probe", probe.probe},
                       {"tier", probe.tier},
                       {"attached", probe.attached},
                       {"windowed", probe.windowed},
                       {"reason", probe.reason},
                       {"runs", probe.runs},
                       {"cpu_seconds", probe.cpu_seconds}});
    return out;
}

Json budget_json(const ProbeBudget& budget) {
    Json out{{"budget", budget.budget},
             {"cost", budget.plan.cost},
             {"steady", budget.costs.steady},
             {"goroutines", budget.costs.goroutines},
             {"process_cost", budget.plan.process_cost},
             {"process", budget.plan.process},
             {"assumed", budget.costs.assumed},
             {"window_seconds", seconds(budget.plan.window)},
             {"window_every_ticks", budget.plan.every},
             {"scheduler", budget.plan.scheduler},
             {"sockets", budget.plan.sockets},
             {"shortened", plan_words(budget.plan)}};
    // What was not sampled yet is not 0.
    out["scheduler_cost"] = budget.costs.scheduler ? Json(*budget.costs.scheduler) : Json();
    out["sockets_cost"] = budget.costs.sockets ? Json(*budget.costs.sockets) : Json();
    out["window_cost"] = budget.costs.window ? Json(*budget.costs.window) : Json();
    return out;
}

Json pressure_json(const PressureReport& pressure) {
    Json out{{"wanted", pressure.wanted},
             {"host", pressure.host},
             {"cgroups", pressure.cgroups},
             {"by_host", pressure.by_host},
             {"stall_seconds", seconds(pressure.threshold.stall)},
             {"window_seconds", seconds(pressure.threshold.window)},
             {"events", pressure.events},
             {"empty", pressure.empty},
             {"wakes", pressure.wakes},
             {"refused", Json::array()}};
    for (const auto& [where, why] : pressure.refused) out["refused"].push_back({{"where", where}, {"reason", why}});
    return out;
}

/// What a person who has just installed it wants to know.
std::string next_step(const StatusInput& input) {
    if (!input.not_ready.empty() || input.rulebook == nullptr) return {};
    if (input.paused) return "paused: nothing is changed; go on with: gotunectl resume";
    if (enforced(*input.rulebook) == 0)
        return "nothing is enforced: gotunectl plan shows what rules would do now, gotunectl profile balanced enforces "
               "those that touch only their own target";
    return {};
}

}  // namespace

std::string status_json(const StatusInput& input, const TargetNamer& name) {
    Json out{{"version", input.version},           {"ready", input.not_ready.empty()},
             {"not_ready", input.not_ready},       {"paused", input.paused},
             {"circuit_open", input.circuit_open}, {"profile", input.profile},
             {"environment", input.environment},   {"uptime_seconds", seconds(input.uptime)},
             {"listening", input.listening},       {"next_step", next_step(input)}};
    out["rulebook"] = rulebook_json(input);
    out["processes"] = Json::array();
    if (input.snapshot != nullptr) {
        out["snapshot"] = {{"sequence", input.snapshot->sequence}, {"at", utc(input.snapshot->wall)}};
        for (const auto& [id, process] : input.snapshot->processes)
            if (!process->exited) out["processes"].push_back(process_json(*process, name));
    }
    out["standings"] = input.evaluation == nullptr ? Json::array() : standings_json(*input.evaluation, name);
    out["adjustments"] = Json::array();
    for (const LiveAdjustment& adjustment : input.adjustments) out["adjustments"].push_back(json_of(adjustment, name));
    out["yields"] = Json::array();
    for (const Yield& yield : input.yields)
        out["yields"].push_back({{"rule", yield.rule},
                                 {"target", json_of(yield.target, name)},
                                 {"why", yield.why},
                                 {"command", yield.command}});
    out["probes"] = probes_json(input);
    if (input.budget.budget > 0) out["probe_budget"] = budget_json(input.budget);
    out["drops"] = Json::array();
    for (const Probes::Drop& drop : input.drops)
        out["drops"].push_back({{"probe", drop.probe}, {"reason", drop.reason}, {"count", drop.count}});
    out["kernel"] = {
        {"release", input.features.kernel}, {"lockdown", input.features.lockdown}, {"btf", input.features.kernel_btf}};
    out["pressure"] = pressure_json(input.pressure);
    out["preflight"] = Json::array();
    for (const PreflightItem& item : input.preflight)
        out["preflight"].push_back({{"knob", item.knob}, {"writable", item.writable}, {"reason", item.reason}});
    out["conflicts"] = input.conflicts;
    out["journal_warning"] = input.journal_warning;
    out["unsafe"] = input.unsafe_bounds;
    out["cost"] = {{"cpu_seconds", input.cpu_seconds}, {"resident_bytes", input.resident_bytes}};
    return dump(out);
}

std::string signal_catalogue_json() {
    constexpr std::array kinds{"quantity", "distribution", "text", "cpus"};
    Json out{{"signals", Json::array()}};
    for (const SignalInfo& signal : signals())
        out["signals"].push_back({{"name", signal.name},
                                  {"scope", text(to_string(signal.scope))},
                                  {"kind", kinds.at(static_cast<std::size_t>(signal.kind))},
                                  {"unit", to_string(signal.unit)},
                                  {"sampled", signal.sampled},
                                  {"key", signal.key},
                                  {"meaning", signal.meaning},
                                  {"source", signal.source}});
    return dump(out);
}

std::string signal_values_json(const Snapshot& snapshot, const std::vector<TargetId>& targets,
                               const TargetNamer& name) {
    Json out{{"at", utc(snapshot.wall)}, {"targets", Json::array()}};
    for (const TargetId& target : targets) {
        Json values = Json::object();
        const auto put = [&values](const SignalTable& table, Scope scope) {
            for (const SignalInfo& signal : signals())
                if (signal.scope == scope) values[text(signal.name)] = json_of(table.get(signal.id), signal);
        };
        if (const auto* process = std::get_if<ProcessId>(&target)) {
            const auto found = snapshot.processes.find(*process);
            if (found == snapshot.processes.end()) continue;
            put(found->second->signals, Scope::process);
            if (const CgroupState* cgroup = snapshot.cgroup_of(*found->second)) put(cgroup->signals, Scope::cgroup);
        } else if (const auto* id = std::get_if<CgroupId>(&target)) {
            const auto found = snapshot.cgroups.find(*id);
            if (found == snapshot.cgroups.end()) continue;
            put(found->second->signals, Scope::cgroup);
        } else {
            put(snapshot.host.signals, Scope::host);
            for (const auto& [signal, all] : snapshot.host.keyed) {
                values.erase(text(info(signal).name));
                for (const auto& [key, reading] : all)
                    values[fmt::format("{}(\"{}\")", info(signal).name, key)] = json_of(reading, info(signal));
            }
        }
        out["targets"].push_back({{"target", json_of(target, name)}, {"signals", std::move(values)}});
    }
    return dump(out);
}

std::string plan_json(const std::vector<PlanItem>& items, const std::string& sha256, const std::string& profile,
                      const TargetNamer& name) {
    Json out{{"rulebook", sha256}, {"profile", profile}, {"items", Json::array()}};
    for (const PlanItem& item : items)
        out["items"].push_back({{"rule", item.rule},
                                {"target", json_of(item.target, name)},
                                {"knob", item.knob},
                                {"mode", text(to_string(item.mode))},
                                {"now", json_of(item.now)},
                                {"wanted", json_of(item.wanted)},
                                {"to", json_of(item.to)},
                                {"clamped", item.clamped},
                                {"refused", item.refused},
                                {"evidence", item.evidence}});
    return dump(out);
}

std::string explain_json(const Rule& rule, const std::vector<ExplainedTarget>& targets, const TargetNamer& name) {
    Json out{{"rule", rule.name},
             {"why", rule.why},
             {"source", rule.source},
             {"scope", text(to_string(rule.scope))},
             {"severity", text(to_string(rule.severity))},
             {"mode", text(to_string(rule.mode))},
             {"mode_source", rule.mode_source},
             {"when", rule.when ? rule.when->print() : ""},
             {"for_seconds", seconds(rule.for_)},
             {"file", rule.place.file},
             {"line", rule.place.line},
             {"targets", Json::array()}};
    for (const ExplainedTarget& one : targets) {
        Json target{{"target", json_of(one.target, name)}};
        if (!one.explanation) {
            target["error"] = to_string(one.explanation.error());
        } else {
            const Explanation& explanation = *one.explanation;
            target["sentence"] = to_string(explanation.when);
            target["when"] = json_of(explanation.when);
            target["held_seconds"] = seconds(explanation.held);
            target["needed_seconds"] = seconds(explanation.needed);
            if (explanation.expect) target["expect"] = json_of(*explanation.expect);
            if (explanation.undo_when) target["undo_when"] = json_of(*explanation.undo_when);
            target["writes"] = Json::array();
            for (std::size_t i = 0; i < explanation.writes.size(); ++i)
                target["writes"].push_back(
                    json_of(explanation.writes[i], i < one.plan.size() ? &one.plan[i] : nullptr));
            target["held_back"] = one.held_back;
            target["note"] = explanation.note;
        }
        out["targets"].push_back(std::move(target));
    }
    return dump(out);
}

std::string history_json(const std::vector<HistoryEntry>& entries) {
    Json out{{"entries", Json::array()}};
    for (const HistoryEntry& entry : entries)
        out["entries"].push_back({{"id", entry.id},
                                  {"at", utc(entry.at)},
                                  {"event", entry.event},
                                  {"adjustment", entry.adjustment},
                                  {"group", entry.group},
                                  {"rule", entry.rule},
                                  {"target", entry.target},
                                  {"target_id", entry.target_id},
                                  {"knob", entry.knob},
                                  {"original", entry.original},
                                  {"from", entry.from},
                                  {"to", entry.to},
                                  {"reason", entry.reason},
                                  {"evidence", entry.evidence},
                                  {"actor", entry.actor}});
    return dump(out);
}

std::string undo_json(const std::vector<UndoOutcome>& outcomes) {
    Json out{{"outcomes", Json::array()}};
    for (const UndoOutcome& outcome : outcomes)
        out["outcomes"].push_back({{"id", outcome.id},
                                   {"rule", outcome.rule},
                                   {"target", outcome.target},
                                   {"knob", outcome.knob},
                                   {"state", text(to_string(outcome.state))},
                                   {"reason", outcome.reason}});
    return dump(out);
}

std::string loaded_json(const Rulebook& rulebook) {
    return dump({{"sha256", rulebook.sha256},
                 {"rules", rulebook.rules.size()},
                 {"enforced", enforced(rulebook)},
                 {"profile", rulebook.profile},
                 {"files", rulebook.files}});
}

std::string done_json(std::string_view words) { return dump({{"done", text(words)}}); }

}  // namespace gotuned

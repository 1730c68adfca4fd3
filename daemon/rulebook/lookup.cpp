// Evaluation's leaves: signals, sysctls, environment, and what an adjustment remembers.
#include "rulebook/lookup.h"

#include <fmt/format.h>

#include <cmath>

#include "base/files.h"
#include "rulebook/evaluate.h"

namespace gotuned {
namespace {

const ProcessState* process_of(const EvaluationContext& context) {
    const auto* id = std::get_if<ProcessId>(&context.target);
    if (id == nullptr) return nullptr;
    const auto found = context.snapshot.processes.find(*id);
    return found == context.snapshot.processes.end() ? nullptr : found->second.get();
}

const CgroupState* cgroup_of(const EvaluationContext& context) {
    if (const auto* id = std::get_if<CgroupId>(&context.target)) {
        const auto found = context.snapshot.cgroups.find(*id);
        return found == context.snapshot.cgroups.end() ? nullptr : found->second.get();
    }
    const ProcessState* process = process_of(context);
    return process == nullptr ? nullptr : context.snapshot.cgroup_of(*process);
}

Reading<Value> quantity(double value, Unit unit) {
    if (std::isnan(value) || value == -unlimited_value) return Absence::malformed;
    return Value(Quantity{value, unit});
}

Reading<Value> statistic_of(const SignalReading& reading, Statistic statistic, const Distribution& seen,
                            Duration window, Unit unit) {
    const auto with_unit = [unit](const Reading<double>& value) -> Reading<Value> {
        return value ? quantity(*value, unit) : Reading<Value>(value.absent());
    };
    const auto percentile = [&](double q) -> Reading<Value> {
        const double events = raw_count(reading);
        if (events < least_percentile_events)
            return Absent{Absence::no_data,
                          fmt::format("{:.0f} events, fewer than {:.0f}", std::floor(events), least_percentile_events)};
        return with_unit(seen.quantile(q));
    };
    switch (statistic) {
        case Statistic::p50:
            return percentile(0.5);
        case Statistic::p90:
            return percentile(0.9);
        case Statistic::p99:
            return percentile(0.99);
        case Statistic::max:
            if (!(seen.count() > 0)) return Absence::no_data;
            return quantity(seen.max, unit);
        case Statistic::mean:
            return with_unit(seen.mean());
        case Statistic::stddev:
            return with_unit(seen.stddev());
        case Statistic::count:
            return quantity(seen.count(), unit);
        case Statistic::rate:
            if (window <= Duration::zero()) return Absence::not_observed;
            return quantity(seen.count() / seconds(window), unit);
    }
    return Absence::malformed;
}

/// Of "*" the one with the largest value; should none have a value, any of them.
std::optional<SignalReading> find_keyed(const Node& node, const HostState& host) {
    const auto all = host.keyed.find(node.signal);
    if (all == host.keyed.end()) return host.signals.get(node.signal);  // nothing of its kind could be read
    if (node.key != "*") {
        const auto found = all->second.find(node.key);
        return found == all->second.end() ? std::nullopt : std::optional(found->second);
    }
    const SignalReading* largest = nullptr;
    const auto value = [](const SignalReading& reading) {
        const auto* quantity = reading.value ? std::get_if<Quantity>(&*reading.value) : nullptr;
        return quantity == nullptr ? -unlimited_value : quantity->value;
    };
    for (const auto& [key, reading] : all->second)
        if (largest == nullptr || value(reading) > value(*largest)) largest = &reading;
    return largest == nullptr ? std::nullopt : std::optional(*largest);
}

/// Why find_reading() found none.
Absent not_found(const Node& node, const EvaluationContext& context) {
    const SignalInfo& signal = info(node.signal);
    if (!node.key.empty())
        return {Absence::not_supported, node.key == "*" ? fmt::format("this host has no {}", signal.key)
                                                        : fmt::format("this host has no {} {}", signal.key, node.key)};
    if (signal.scope == Scope::cgroup && !std::holds_alternative<CgroupId>(context.target))
        return {Absence::not_observed, "its cgroup was not read"};
    return {Absence::vanished, "the target is not in this Snapshot"};
}

/// Runs of white space are one blank: the kernel separates the numbers of a sysctl by tabs.
std::string squeezed(std::string_view raw) {
    std::string out;
    for (const char c : trim(raw)) {
        const bool space = c == ' ' || c == '\t' || c == '\n';
        if (!space) out += c;
        if (space && !out.empty() && out.back() != ' ') out += ' ';
    }
    return out;
}

Reading<Value> outside_number(const std::map<std::string, Reading<double>>& readings, const std::string& name) {
    const auto found = readings.find(name);
    if (found == readings.end()) return Absent{Absence::not_observed, "was not asked for"};
    if (!found->second) return found->second.absent();
    return quantity(*found->second, unit::count);
}

}  // namespace

std::optional<SignalReading> find_reading(const Node& node, const EvaluationContext& context) {
    const Signal signal = node.signal;
    if (!node.key.empty()) return find_keyed(node, context.snapshot.host);
    switch (info(signal).scope) {
        case Scope::host:
            return context.snapshot.host.signals.get(signal);
        case Scope::cgroup: {
            const CgroupState* cgroup = cgroup_of(context);
            return cgroup == nullptr ? std::nullopt : std::optional(cgroup->signals.get(signal));
        }
        case Scope::process: {
            const ProcessState* process = process_of(context);
            return process == nullptr ? std::nullopt : std::optional(process->signals.get(signal));
        }
    }
    return std::nullopt;
}

double raw_count(const SignalReading& reading) {
    if (!reading.value) return 0;
    const auto* distribution = std::get_if<DistributionPtr>(&*reading.value);
    if (distribution == nullptr || *distribution == nullptr) return 0;
    const Exposure& exposure = reading.exposure;
    double scaled_by = 1;
    if (exposure.window > Duration::zero() && exposure.observed < exposure.window)
        scaled_by = seconds(exposure.observed) / seconds(exposure.window);
    constexpr double slack = 1e-6;  // counts that were scaled up and back are not quite whole
    return (*distribution)->count() * scaled_by + slack;
}

Reading<DistributionPtr> distribution_of(const Node& node, const EvaluationContext& context) {
    const std::optional<SignalReading> reading = find_reading(node, context);
    if (!reading) return not_found(node, context);
    if (!reading->value) return reading->value.absent();
    const auto* distribution = std::get_if<DistributionPtr>(&*reading->value);
    if (distribution == nullptr) return Absence::malformed;
    return *distribution;
}

Reading<Value> look_up_signal(const Node& node, const EvaluationContext& context) {
    const std::optional<SignalReading> reading = find_reading(node, context);
    if (!reading) return not_found(node, context);
    if (!reading->value) return reading->value.absent();
    if (info(node.signal).sampled && reading->exposure.observed < least_exposure)
        return Absent{Absence::low_exposure,
                      fmt::format("looked at for {}", to_string(time(reading->exposure.observed)))};
    const SignalValue& value = *reading->value;
    if (const auto* distribution = std::get_if<DistributionPtr>(&value)) {
        if (!node.statistic) return Absence::malformed;
        if (*distribution == nullptr) return Absence::no_data;
        const Duration window =
            reading->exposure.window > Duration::zero() ? reading->exposure.window : context.snapshot.window;
        return statistic_of(*reading, *node.statistic, **distribution, window, node.type.unit);
    }
    if (const auto* number = std::get_if<Quantity>(&value))
        return info(node.signal).kind == SignalKind::quantity ? quantity(number->value, node.type.unit)
                                                              : Reading<Value>(Absence::malformed);
    if (const auto* text = std::get_if<std::string>(&value))
        return node.type.kind == Type::Kind::text ? Reading<Value>(Value(*text)) : Reading<Value>(Absence::malformed);
    return node.type.kind == Type::Kind::cpus ? Reading<Value>(Value(std::get<CpuSet>(value)))
                                              : Reading<Value>(Absence::malformed);
}

Reading<Value> from_outside(const Node& node, std::string_view raw) {
    if (node.type.kind == Type::Kind::text) return Value(squeezed(raw));
    double value = 0;
    if (!parse_double(trim(raw), value) || !std::isfinite(value)) return Absent{Absence::malformed, "not one number"};
    return Value(count(value));
}

Reading<Value> look_up_sysctl(const Node& node, const EvaluationContext& context) {
    const auto found = context.snapshot.host.sysctls.find(node.text);
    if (found == context.snapshot.host.sysctls.end()) return Absent{Absence::not_observed, node.text + " was not read"};
    if (!found->second) return found->second.absent();
    return from_outside(node, *found->second);
}

Reading<Value> look_up_app(const Node& node, const EvaluationContext& context) {
    const auto& outside = context.snapshot.outside;
    if (outside == nullptr || context.app.empty()) return Absent{Absence::not_observed, "no metrics page was read"};
    const auto page = outside->app.find(context.app);
    if (page == outside->app.end()) return Absent{Absence::not_observed, "no metrics page of " + context.app};
    return outside_number(page->second, node.text);
}

Reading<Value> look_up_query(const Node& node, const EvaluationContext& context) {
    const auto& outside = context.snapshot.outside;
    if (outside == nullptr) return Absent{Absence::not_observed, "Prometheus was not asked"};
    return outside_number(outside->prometheus, node.text);
}

Reading<Value> look_up_environment(const Node& node, const EvaluationContext& context) {
    const auto& host = context.snapshot.host.environment;
    if (const ProcessState* process = process_of(context); process != nullptr && process->process != nullptr) {
        const auto& own = process->process->environment;
        if (const auto found = own.find(node.text); found != own.end()) return from_outside(node, found->second);
    }
    const bool from_host = !std::holds_alternative<ProcessId>(context.target) || node.text == "GOTUNED_ENVIRONMENT";
    if (const auto found = host.find(node.text); from_host && found != host.end())
        return from_outside(node, found->second);
    return Absent{Absence::no_data, node.text + " is not set"};
}

/// A remembered value as the type that the node has.
Reading<Value> as_typed(const Node& node, const Value& value) {
    switch (node.type.kind) {
        case Type::Kind::quantity:
            if (const auto* number = std::get_if<Quantity>(&value)) return quantity(number->value, node.type.unit);
            return Absence::malformed;
        case Type::Kind::number:
            if (const auto* number = std::get_if<Quantity>(&value)) return quantity(number->value, unit::count);
            if (const auto* text = std::get_if<std::string>(&value)) return from_outside(node, *text);
            return Absence::malformed;
        case Type::Kind::text:
            if (const auto* text = std::get_if<std::string>(&value)) return Value(squeezed(*text));
            if (const auto* number = std::get_if<Quantity>(&value)) return Value(fmt::format("{}", number->value));
            return Absence::malformed;
        case Type::Kind::boolean:
            return std::holds_alternative<bool>(value) ? Reading<Value>(value) : Reading<Value>(Absence::malformed);
        case Type::Kind::cpus:
            return std::holds_alternative<CpuSet>(value) ? Reading<Value>(value) : Reading<Value>(Absence::malformed);
        case Type::Kind::distribution:
            break;
    }
    return Absence::malformed;
}

Reading<Value> look_up_original(const Node& node, const EvaluationContext& context) {
    for (const LiveAdjustment* adjustment : context.adjustments)
        if (adjustment != nullptr && adjustment->knob == node.text) return as_typed(node, adjustment->original);
    return Absent{Absence::no_data, "no live adjustment of " + node.text};
}

Reading<Value> look_up_before(const Node& node, const EvaluationContext& context) {
    const std::string argument = print_tree(*node.parts[0]);
    for (const LiveAdjustment* adjustment : context.adjustments) {
        if (adjustment == nullptr) continue;
        const auto found = adjustment->before.find(argument);
        if (found == adjustment->before.end()) continue;
        return found->second ? as_typed(node, *found->second) : Reading<Value>(found->second.absent());
    }
    return Absent{Absence::no_data, "its value before the adjustment is not known"};
}

}  // namespace gotuned

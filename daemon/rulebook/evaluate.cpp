#include "rulebook/evaluate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "rulebook/lookup.h"

namespace gotuned {
namespace {

/// Three-valued truth: nothing is unknown.
using Truth = std::optional<bool>;

Unit unit_of(const Node& node) { return node.type.kind == Type::Kind::quantity ? node.type.unit : unit::count; }

class Evaluation {
public:
    Evaluation(const EvaluationContext& context, const ExpressionState& state)
        : Evaluation(context, state, context.looked_at_host) {}

    [[nodiscard]] Reading<Value> value(const Node& node) const {
        if (looked_at_host_ != nullptr) {
            if (node.of_host) return Evaluation(context_, state_, nullptr).value(node);
            if (node.kind == NodeKind::signal && info(node.signal).scope == Scope::host) *looked_at_host_ = true;
        }
        switch (node.kind) {
            case NodeKind::literal:
                if (const auto* quantity = std::get_if<Quantity>(&node.literal))
                    return Value(Quantity{quantity->value, unit_of(node)});
                return node.literal;
            case NodeKind::signal:
                return look_up_signal(node, context_);
            case NodeKind::call:
                return call(node);
            case NodeKind::negate:
                return combined(node, [](const std::vector<double>& x) { return -x[0]; });
            case NodeKind::arithmetic:
                return arithmetic(node);
            case NodeKind::comparison:
                return comparison(node);
            case NodeKind::negation: {
                const Reading<Value> part = value(*node.parts[0]);
                if (!part) return part.absent();
                return Value(!std::get<bool>(*part));
            }
            case NodeKind::logic:
                return logic(node);
        }
        return Absence::malformed;
    }

    [[nodiscard]] Reading<double> number(const Node& node) const {
        const Reading<Value> seen = value(node);
        if (!seen) return seen.absent();
        const auto* quantity = std::get_if<Quantity>(&*seen);
        if (quantity == nullptr) return Absence::malformed;
        return quantity->value;
    }

private:
    Evaluation(const EvaluationContext& context, const ExpressionState& state, bool* looked_at_host)
        : context_(context), state_(state), looked_at_host_(looked_at_host) {}

    /// A number that came out of numbers. −∞ and NaN stand for nothing that can be measured, and ∞ is only meant when
    /// an `unlimited` went in: an overflow must not pass for it.
    static Reading<Value> checked(double result, bool unlimited_in, Unit unit) {
        if (std::isnan(result)) return Absent{Absence::no_data, "unlimited against unlimited"};
        if (result == -unlimited_value) return Absent{Absence::no_data, "below every number"};
        if (result == unlimited_value && !unlimited_in) return Absent{Absence::no_data, "too large"};
        return Value(Quantity{result, unit});
    }

    template <typename F>
    Reading<Value> combined(const Node& node, F&& function) const {
        std::vector<double> numbers;
        bool unlimited_in = false;
        for (const NodePtr& part : node.parts) {
            const Reading<double> seen = number(*part);
            if (!seen) return seen.absent();
            numbers.push_back(*seen);
            unlimited_in = unlimited_in || *seen == unlimited_value;
        }
        return checked(function(numbers), unlimited_in, unit_of(node));
    }

    [[nodiscard]] Reading<Value> arithmetic(const Node& node) const {
        if (node.op == Operator::divide) {
            const Reading<double> divisor = number(*node.parts[1]);
            if (divisor && *divisor == 0) return Absent{Absence::no_data, "division by zero"};
        }
        return combined(node, [&node](const std::vector<double>& x) {
            switch (node.op) {
                case Operator::add:
                    return x[0] + x[1];
                case Operator::subtract:
                    return x[0] - x[1];
                case Operator::multiply:
                    return x[0] * x[1];
                default:
                    return x[0] / x[1];
            }
        });
    }

    [[nodiscard]] Reading<Value> comparison(const Node& node) const {
        const Reading<Value> left = value(*node.parts[0]);
        if (!left) return left.absent();
        const Reading<Value> right = value(*node.parts[1]);
        if (!right) return right.absent();
        const auto* a = std::get_if<Quantity>(&*left);
        const auto* b = std::get_if<Quantity>(&*right);
        if ((a == nullptr) != (b == nullptr)) return Absence::malformed;
        if (a == nullptr) {
            const bool same = *left == *right;
            return Value(node.op == Operator::equal ? same : !same);
        }
        switch (node.op) {
            case Operator::equal:
                return Value(a->value == b->value);
            case Operator::unequal:
                return Value(a->value != b->value);
            case Operator::less:
                return Value(a->value < b->value);
            case Operator::at_most:
                return Value(a->value <= b->value);
            case Operator::greater:
                return Value(a->value > b->value);
            default:
                return Value(a->value >= b->value);
        }
    }

    /// Kleene: a part that decides beats one that is unknown.
    [[nodiscard]] Reading<Value> logic(const Node& node) const {
        const bool decides = node.op == Operator::either;
        Reading<Value> left = value(*node.parts[0]);
        if (left && std::get<bool>(*left) == decides) return left;
        Reading<Value> right = value(*node.parts[1]);
        if (right && std::get<bool>(*right) == decides) return right;
        return left ? right : left;
    }

    [[nodiscard]] Reading<Value> widened(const Node& node) const {
        if (node.slot >= state_.series.size()) return Absence::not_observed;
        const Series& series = state_.series[node.slot];
        const bool sampled = node.parts[0]->kind == NodeKind::signal && info(node.parts[0]->signal).sampled;
        Reading<double> result;
        switch (node.function) {
            case Function::rate:
                result = series.rate();
                break;
            case Function::avg:
                result = series.average();
                break;
            case Function::max_over:
                result = series.maximum();
                break;
            case Function::p50:
                result = series.quantile(0.5, sampled);
                break;
            case Function::p90:
                result = series.quantile(0.9, sampled);
                break;
            default:
                result = series.quantile(0.99, sampled);
                break;
        }
        if (!result) return result.absent();
        return checked(*result, true, unit_of(node));
    }

    [[nodiscard]] Reading<Value> call(const Node& node) const {
        switch (node.function) {
            case Function::min:
                return combined(node,
                                [](const std::vector<double>& x) { return *std::min_element(x.begin(), x.end()); });
            case Function::max:
                return combined(node,
                                [](const std::vector<double>& x) { return *std::max_element(x.begin(), x.end()); });
            case Function::clamp:  // the upper bound wins when they cross
                return combined(node,
                                [](const std::vector<double>& x) { return std::min(std::max(x[0], x[1]), x[2]); });
            case Function::abs:
                return combined(node, [](const std::vector<double>& x) { return std::fabs(x[0]); });
            case Function::rate:
            case Function::avg:
            case Function::max_over:
            case Function::p50:
            case Function::p90:
            case Function::p99:
                return widened(node);
            case Function::before:
                return look_up_before(node, context_);
            case Function::original:
                return look_up_original(node, context_);
            case Function::present:
                if (node.parts[0]->type.kind == Type::Kind::distribution)
                    return Value(distribution_of(*node.parts[0], context_).present());
                return Value(value(*node.parts[0]).present());
            case Function::env:
                return look_up_environment(node, context_);
            case Function::sysctl:
                return look_up_sysctl(node, context_);
            case Function::app:
                return look_up_app(node, context_);
            case Function::prometheus:
                return look_up_query(node, context_);
            case Function::none:
                break;
        }
        return Absence::malformed;
    }

    const EvaluationContext& context_;
    const ExpressionState& state_;
    bool* looked_at_host_;
};

/// What this Snapshot stands for, for this target: a process that was found within the tick is no older than that.
struct Covered {
    Sample sample{};
    bool newborn = false;
};
Covered covered(const EvaluationContext& context) {
    const Snapshot& snapshot = context.snapshot;
    Covered covered{{snapshot.at - std::max(snapshot.window, Duration::zero()), snapshot.at}, false};
    const auto* id = std::get_if<ProcessId>(&context.target);
    const auto found = id == nullptr ? snapshot.processes.end() : snapshot.processes.find(*id);
    if (found != snapshot.processes.end() && found->second->since > covered.sample.from) {
        covered.newborn = snapshot.window > Duration::zero();  // all are new in the first Snapshot
        covered.sample.from = std::min(found->second->since, snapshot.at);
    }
    return covered;
}

}  // namespace

Reading<Value> evaluate_tree(const Node& node, const EvaluationContext& context, const ExpressionState& state) {
    return Evaluation(context, state).value(node);
}

void observe_tree(const Node& node, const EvaluationContext& context, ExpressionState& state) {
    for (const NodePtr& part : node.parts)
        if (node.function != Function::before) observe_tree(*part, context, state);
    if (!is_widened(node.function) || node.slot >= state.series.size()) return;
    Series& series = state.series[node.slot];
    const Covered now = covered(context);
    if (now.newborn) series.mark_newborn();
    const Node& of = *node.parts[0];
    if (of.type.kind != Type::Kind::distribution) {
        series.add(now.sample, Evaluation(context, state).number(of));
        return;
    }
    const std::optional<SignalReading> reading = find_reading(of, context);
    series.add(now.sample, distribution_of(of, context), reading ? raw_count(*reading) : 0,
               reading ? reading->exposure.observed : Duration::zero());
}

Evidence explain_tree(const Node& node, const EvaluationContext& context, const ExpressionState& state) {
    Evidence evidence{print_tree(node), {}, {}, Evidence::Kind::literal};
    if (node.type.kind == Type::Kind::distribution) {
        evidence.value = Absent{Absence::no_data, "a distribution"};
        if (const auto seen = distribution_of(node, context); !seen) evidence.value = seen.absent();
        evidence.kind = Evidence::Kind::reading;
        return evidence;
    }
    evidence.value = evaluate_tree(node, context, state);
    switch (node.kind) {
        case NodeKind::literal:
            return evidence;
        case NodeKind::signal:
            evidence.kind = Evidence::Kind::reading;
            return evidence;
        case NodeKind::negate:
        case NodeKind::arithmetic:
            evidence.kind = Evidence::Kind::arithmetic;
            break;
        case NodeKind::comparison:
            evidence.kind = Evidence::Kind::comparison;
            break;
        case NodeKind::negation:
        case NodeKind::logic:
            evidence.kind = Evidence::Kind::logic;
            break;
        case NodeKind::call:
            switch (node.function) {
                case Function::min:
                case Function::max:
                case Function::clamp:
                case Function::abs:
                    evidence.kind = Evidence::Kind::function;
                    break;
                case Function::present:
                    evidence.kind = Evidence::Kind::logic;
                    break;
                case Function::before:
                    evidence.kind = Evidence::Kind::reading;
                    return evidence;
                default:
                    evidence.kind = Evidence::Kind::reading;
                    break;
            }
            break;
    }
    for (const NodePtr& part : node.parts) evidence.parts.push_back(explain_tree(*part, context, state));
    return evidence;
}

}  // namespace gotuned

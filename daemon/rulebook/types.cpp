#include "rulebook/types.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/files.h"
#include "base/text.h"
#include "rulebook/knob_catalogue.h"

namespace gotuned {
namespace {

using Kind = Type::Kind;
using Check = tl::expected<void, ExpressionError>;
tl::unexpected<ExpressionError> error(const Node& at, std::string message, std::string hint = {}) {
    return tl::unexpected(ExpressionError{at.offset, std::move(message), std::move(hint)});
}

constexpr Type boolean{Kind::boolean, {}};
constexpr Type number{Kind::number, {}};
constexpr Type text{Kind::text, {}};
constexpr int largest_exponent = 8;

/// A part of the expression as a message shows it.
std::string shown(const Node& node) {
    const std::string whole = print_tree(node);
    return whole.size() <= 60 ? whole : clean_text(whole, 57) + "…";
}

bool is_numeric(const Node& node) { return node.type.kind == Kind::quantity || node.type.kind == Kind::number; }

/// How a plain number is written in a unit: for hints.
std::string in_unit(const Node& node, Unit unit) {
    if (node.kind != NodeKind::literal) return {};
    if (unit == unit::time) return fmt::format("write its unit: {0}s or {0}ms", node.text);
    if (unit == unit::bytes) return fmt::format("write its unit: {0}B or {0}MiB", node.text);
    if (unit == unit::per_second) return fmt::format("write its unit: {}/s", node.text);
    if (unit == unit::bytes_per_second) return fmt::format("write its unit: {}B/s", node.text);
    return {};
}

class Checker {
public:
    Checker(Scope scope, ExpressionRole role) : scope_(scope), role_(role) {}
    Checked result{};

    Check check(Node& node) {
        for (const NodePtr& part : node.parts) {
            if (node.function == Function::before && inside_before_)
                return error(node, "before() stands within before()");
            if (node.function == Function::before) inside_before_ = true;
            const Check status = check(*part);
            if (node.function == Function::before) inside_before_ = false;
            if (!status) return status;
        }
        switch (node.kind) {
            case NodeKind::literal:
                return {};  // the parser knows
            case NodeKind::signal:
                return signal(node);
            case NodeKind::call:
                return call(node);
            case NodeKind::negate:
                return negate(node);
            case NodeKind::arithmetic:
                return arithmetic(node);
            case NodeKind::comparison:
                return comparison(node);
            case NodeKind::negation:
            case NodeKind::logic:
                node.type = boolean;
                for (const NodePtr& part : node.parts)
                    if (Check status = condition(*part, node); !status) return status;
                return {};
        }
        return {};
    }

    /// The root against what its place wants.
    static Check fit(Node& root, const Type& wanted) {
        if (wanted.kind == Kind::boolean) {
            if (root.type == boolean) return {};
            return error(root,
                         fmt::format("a condition is wanted here, but {} is {}", shown(root), to_string(root.type)),
                         is_numeric(root) ? "compare it, as in … > 5" : "");
        }
        if (wanted.kind == Kind::quantity) {
            become_number(root);
            if (root.type == wanted) return {};
            const bool adapts = wanted.unit == unit::count || wanted.unit == unit::ratio || root.any_unit;
            if (root.type.kind == Kind::number && adapts) {
                root.type = wanted;
                return {};
            }
            return error(
                root,
                fmt::format("{} is wanted here, but {} is {}", to_string(wanted), shown(root), to_string(root.type)),
                root.type.kind == Kind::number ? in_unit(root, wanted.unit) : "");
        }
        if (wanted.kind == Kind::number) {
            const bool plain =
                root.type.kind == Kind::quantity && (root.type.unit == unit::count || root.type.unit == unit::bytes);
            if (root.type.kind == Kind::number || root.type.kind == Kind::text || plain) return {};
            return error(root,
                         fmt::format("a plain number, bytes or text is wanted here, but {} is {}", shown(root),
                                     to_string(root.type)),
                         "the kernel's own unit is meant: write the number that /proc/sys shows");
        }
        if (wanted.kind == Kind::cpus && cpus_from_text(root)) return {};
        if (root.type.kind == wanted.kind && wanted.kind != Kind::distribution) return {};
        return error(
            root, fmt::format("{} is wanted here, but {} is {}", to_string(wanted), shown(root), to_string(root.type)),
            wanted.kind == Kind::cpus ? "write a list of CPUs: \"0-3,8\"" : "");
    }

private:
    static bool cpus_from_text(Node& node) {
        CpuSet cpus;
        if (node.kind != NodeKind::literal || node.type != text) return false;
        if (!CpuSet::parse(std::get<std::string>(node.literal), cpus) || cpus.empty()) return false;
        node.literal = cpus;
        node.type = Type{Kind::cpus, {}};
        return true;
    }
    /// Text from outside is a number where one is wanted.
    static void become_number(Node& node) {
        if (!node.flexible) return;
        node.type = number;
        node.flexible = false;
    }

    static Check condition(const Node& part, const Node& whole) {
        if (part.type == boolean) return {};
        const std::string_view word = whole.kind == NodeKind::negation ? "not" : to_string(whole.op);
        return error(part, fmt::format("'{}' joins conditions, but {} is {}", word, shown(part), to_string(part.type)));
    }
    static Check numeric(Node& node, std::string_view user) {
        become_number(node);
        if (is_numeric(node)) return {};
        if (node.type.kind == Kind::distribution) return whole_distribution(node);
        return error(node, fmt::format("{} needs a quantity, but {} is {}", user, shown(node), to_string(node.type)));
    }
    static Check whole_distribution(const Node& node) {
        return error(node, fmt::format("{} is a distribution", shown(node)),
                     fmt::format("name a statistic of it, as in {}.p99", node.text));
    }

    /// One type for all parts: what they have in common, with plain numbers adapted.
    static tl::expected<Type, ExpressionError> common(Node& node, std::string_view verb) {
        const Node* leader = nullptr;
        const std::string user = node.kind == NodeKind::call ? fmt::format("{}()", to_string(node.function))
                                                             : fmt::format("'{}'", to_string(node.op));
        for (const NodePtr& part : node.parts) {
            if (Check status = numeric(*part, user); !status) return tl::unexpected(std::move(status.error()));
            if (leader == nullptr && part->type.kind == Kind::quantity) leader = part.get();
        }
        node.any_unit = leader == nullptr && std::any_of(node.parts.begin(), node.parts.end(),
                                                         [](const NodePtr& part) { return part->any_unit; });
        if (leader == nullptr) return number;
        for (const NodePtr& part : node.parts) {
            if (part->type == leader->type) continue;
            const bool plain = part->type.kind == Kind::number;
            const Unit unit = leader->type.unit;
            if (plain && (part->any_unit || unit == unit::count || unit == unit::ratio)) {
                part->type = leader->type;
                continue;
            }
            return error(node.kind == NodeKind::call ? *part : node,
                         fmt::format("cannot {}: {} is {}, {} is {}", verb, shown(*leader), to_string(leader->type),
                                     shown(*part), to_string(part->type)),
                         plain ? in_unit(*part, unit) : "");
        }
        return leader->type;
    }

    Check signal(Node& node) {
        auto named = resolve_signal(node.text, scope_);
        if (!named) return error(node, std::move(named.error().message), std::move(named.error().hint));
        node.signal = named->signal;
        node.statistic = named->statistic;
        const SignalInfo& entry = info(node.signal);
        if (Check status = one_of(node, entry); !status) return status;
        switch (entry.kind) {
            case SignalKind::quantity:
                node.type = Type{Kind::quantity, entry.unit};
                break;
            case SignalKind::text:
                node.type = text;
                break;
            case SignalKind::cpus:
                node.type = Type{Kind::cpus, {}};
                break;
            case SignalKind::distribution:
                node.type = node.statistic ? Type{Kind::quantity, unit_of(entry, *node.statistic)}
                                           : Type{Kind::distribution, entry.unit};
                break;
        }
        return {};
    }

    /// Of a signal that there is one of each: which.
    static Check one_of(const Node& node, const SignalInfo& entry) {
        if (entry.key.empty()) return {};
        const bool distribution = entry.kind == SignalKind::distribution;
        if (node.key.empty())
            return error(node, fmt::format("there is one {} of each {}", node.text, entry.key),
                         fmt::format("write {}(\"NAME\"){}", node.text,
                                     distribution ? "" : fmt::format(", or {}(\"*\") for the largest", node.text)));
        if (node.key == "*" && distribution)
            return error(
                node, fmt::format("distributions have no largest: {} wants the name of one {}", node.text, entry.key));
        return {};
    }

    static Check negate(Node& node) {
        Node& part = *node.parts[0];
        if (Check status = numeric(part, "'-'"); !status) return status;
        node.type = part.type;
        node.any_unit = part.any_unit;
        return {};
    }

    static Check arithmetic(Node& node) {
        if (node.op == Operator::add || node.op == Operator::subtract) {
            auto type = common(node, node.op == Operator::add ? "add" : "subtract");
            if (!type) return tl::unexpected(std::move(type.error()));
            node.type = *type;
            return {};
        }
        const std::string user = fmt::format("'{}'", to_string(node.op));
        for (const NodePtr& part : node.parts)
            if (Check status = numeric(*part, user); !status) return status;
        const Node& left = *node.parts[0];
        const Node& right = *node.parts[1];
        if (node.op == Operator::divide && right.kind == NodeKind::literal &&
            std::get<Quantity>(right.literal).value == 0)
            return error(right, "division by zero");
        node.any_unit = left.any_unit || right.any_unit;
        if (left.type.kind == Kind::number && right.type.kind == Kind::number) {
            node.type = number;
            return {};
        }
        node.any_unit = false;
        const int sign = node.op == Operator::divide ? -1 : 1;
        const int time = left.type.unit.time + sign * right.type.unit.time;
        const int bytes = left.type.unit.bytes + sign * right.type.unit.bytes;
        const int count = left.type.unit.count + sign * right.type.unit.count;
        if (std::max({std::abs(time), std::abs(bytes), std::abs(count)}) > largest_exponent)
            return error(node, fmt::format("the unit of {} has an exponent above {}", shown(node), largest_exponent));
        node.type = Type{Kind::quantity, Unit{static_cast<std::int8_t>(time), static_cast<std::int8_t>(bytes),
                                              static_cast<std::int8_t>(count)}};
        return {};
    }

    static Check comparison(Node& node) {
        node.type = boolean;
        Node& left = *node.parts[0];
        Node& right = *node.parts[1];
        const bool ordering = node.op != Operator::equal && node.op != Operator::unequal;
        for (const Node* part : {&left, &right})
            if (part->type.kind == Kind::distribution) return whole_distribution(*part);
        if (left.type.kind == Kind::cpus) cpus_from_text(right);
        if (right.type.kind == Kind::cpus) cpus_from_text(left);
        const bool numbers = ordering || is_numeric(left) || is_numeric(right);
        if (numbers && (is_numeric(left) || left.flexible) && (is_numeric(right) || right.flexible)) {
            auto type = common(node, "compare");
            if (!type) return tl::unexpected(std::move(type.error()));
            node.any_unit = false;
            return {};
        }
        if (left.type.kind != right.type.kind)
            return error(node, fmt::format("cannot compare: {} is {}, {} is {}", shown(left), to_string(left.type),
                                           shown(right), to_string(right.type)));
        if (ordering)
            return error(node,
                         fmt::format("'{}' needs quantities, but {} is {}", to_string(node.op), shown(left),
                                     to_string(left.type)),
                         "only == and != compare these");
        return {};
    }

    Check arguments(const Node& node, std::size_t least, std::size_t most, std::string_view usage) const {
        if (node.parts.size() >= least && node.parts.size() <= most) return {};
        return error(node,
                     fmt::format("{}() has {} argument{}", to_string(node.function), node.parts.size(),
                                 node.parts.size() == 1 ? "" : "s"),
                     fmt::format("write {}", usage));
    }

    Check call(Node& node) {
        switch (node.function) {
            case Function::none:
                return error(node, "unknown function");
            case Function::min:
            case Function::max:
                return joined(node, 2, 16, "min(a, b) or max(a, b)");
            case Function::clamp:
                return clamp(node);
            case Function::abs:
                return joined(node, 1, 1, "abs(x)");
            case Function::rate:
            case Function::avg:
            case Function::max_over:
                return widened(node);
            case Function::p50:
            case Function::p90:
            case Function::p99:
                return percentile(node);
            case Function::before:
                return before(node);
            case Function::original:
                return original(node);
            case Function::present:
                node.type = boolean;
                return arguments(node, 1, 1, "present(x)");
            case Function::env:
                return outside(node, "an environment variable");
            case Function::sysctl:
                return outside(node, "a sysctl");
            case Function::app:
                return app(node);
            case Function::prometheus:
                if (trim(node.text).empty()) return error(node, "prometheus() names a query");
                node.type = number;
                return {};
        }
        return {};
    }

    Check joined(Node& node, std::size_t least, std::size_t most, std::string_view usage) {
        if (Check status = arguments(node, least, most, usage); !status) return status;
        auto type = common(node, fmt::format("take the {} of", to_string(node.function)));
        if (!type) return tl::unexpected(std::move(type.error()));
        node.type = *type;
        return {};
    }
    Check clamp(Node& node) {
        if (Check status = joined(node, 3, 3, "clamp(x, least, most)"); !status) return status;
        const Node& least = *node.parts[1];
        const Node& most = *node.parts[2];
        if (least.kind == NodeKind::literal && most.kind == NodeKind::literal &&
            std::get<Quantity>(least.literal).value > std::get<Quantity>(most.literal).value)
            return error(least, fmt::format("clamp() with a least of {} above its most of {}", least.text, most.text));
        return {};
    }

    Check window(Node& node) {
        const Node& literal = *node.parts[1];
        const auto* quantity = std::get_if<Quantity>(&literal.literal);
        if (literal.kind != NodeKind::literal || quantity == nullptr ||
            literal.type != Type{Kind::quantity, unit::time})
            return error(literal, fmt::format("the window of {}() is a time", to_string(node.function)), "as in 1m");
        if (quantity->value < seconds(least_window) || quantity->value > seconds(most_window))
            return error(literal, fmt::format("a window is {} to {}, not {}", to_string(time(least_window)),
                                              to_string(time(most_window)), literal.text));
        node.window = from_seconds(quantity->value);
        return {};
    }
    Check within(const Node& node) const {
        if (!inside_before_) return {};
        return error(node, fmt::format("{}() cannot stand within before()", to_string(node.function)));
    }
    void add_series(Node& node, bool distributions) {
        node.slot = result.series.size();
        result.series.push_back(Checked::Series{node.window, distributions});
    }
    Check widened(Node& node) {
        const bool rate = node.function == Function::rate;
        const std::string usage = rate ? "rate(x)" : fmt::format("{}(x, 1m)", to_string(node.function));
        if (Check status = arguments(node, rate ? 1 : 2, rate ? 1 : 2, usage); !status) return status;
        Node& of = *node.parts[0];
        if (Check status = numeric(of, fmt::format("{}()", to_string(node.function))); !status) return status;
        if (!rate)
            if (Check status = window(node); !status) return status;
        node.type = of.type;
        node.any_unit = of.any_unit && !rate;
        if (rate) {
            if (of.type.kind == Kind::number) of.type = Type{Kind::quantity, unit::count};
            if (of.type.unit.time <= -largest_exponent)
                return error(node, "the unit of rate() has an exponent that is too low");
            node.type = Type{Kind::quantity, of.type.unit};
            node.type.unit.time = static_cast<std::int8_t>(node.type.unit.time - 1);
        }
        add_series(node, false);
        return {};
    }
    Check percentile(Node& node) {
        const std::string usage = fmt::format("{}(epoll.wake, 1m)", to_string(node.function));
        if (Check status = arguments(node, 2, 2, usage); !status) return status;
        const Node& of = *node.parts[0];
        if (of.type.kind != Kind::distribution) {
            std::string hint = fmt::format("write {}", usage);
            if (of.kind == NodeKind::signal && of.statistic)
                hint = fmt::format("write {}({}, {})", to_string(node.function), info(of.signal).name,
                                   shown(*node.parts[1]));
            return error(of,
                         fmt::format("{}() takes a distribution, but {} is {}", to_string(node.function), shown(of),
                                     to_string(of.type)),
                         hint);
        }
        if (Check status = window(node); !status) return status;
        node.type = Type{Kind::quantity, of.type.unit};
        add_series(node, true);
        return {};
    }

    Check before(Node& node) {
        if (role_ != ExpressionRole::expect) return error(node, "before() has a value only in expect");
        if (Check status = arguments(node, 1, 1, "before(x)"); !status) return status;
        const Node& of = *node.parts[0];
        if (of.type.kind == Kind::distribution) return whole_distribution(of);
        node.type = of.type;
        node.any_unit = of.any_unit;
        node.flexible = of.flexible;
        return {};
    }
    Check original(Node& node) {
        if (Check status = within(node); !status) return status;
        if (role_ != ExpressionRole::expect && role_ != ExpressionRole::undo_when)
            return error(node, "original() has a value only in expect and undo_when",
                         "before an adjustment there is no original: read the signal itself");
        const KnobInfo* knob = find_knob_info(node.text);
        if (knob == nullptr) {
            for (const std::string_view unbuilt : unbuilt_knobs())
                if (node.text == unbuilt || (unbuilt.back() == '.' && node.text.substr(0, unbuilt.size()) == unbuilt))
                    return error(node, fmt::format("knob {} is not built yet in this version", node.text));
            std::vector<std::string_view> names;
            for (const KnobInfo& entry : knob_catalogue())
                if (!entry.prefix) names.push_back(entry.name);
            const std::string near = nearest(node.text, names);
            return error(node, fmt::format("unknown knob {}", clean_text(node.text, 80)),
                         near.empty() ? "" : fmt::format("did you mean {}?", near));
        }
        switch (knob->takes) {
            case KnobInfo::Takes::count:
                node.type = Type{Kind::quantity, unit::count};
                break;
            case KnobInfo::Takes::bytes:
                node.type = Type{Kind::quantity, unit::bytes};
                break;
            case KnobInfo::Takes::time:
                node.type = Type{Kind::quantity, unit::time};
                break;
            case KnobInfo::Takes::cpus:
                node.type = Type{Kind::cpus, {}};
                break;
            case KnobInfo::Takes::sysctl:
                node.type = text;
                node.flexible = true;
                break;
            case KnobInfo::Takes::word:
                node.type = text;
                break;
            case KnobInfo::Takes::text:
                return error(node, fmt::format("{} changes nothing: it has no original", node.text));
        }
        return {};
    }
    static Check app(Node& node) {
        if (auto selector = parse_sample_selector(node.text); !selector)
            return error(node,
                         fmt::format("app() names one sample: {} at its character {}", selector.error().message,
                                     selector.error().offset + 1),
                         std::move(selector.error().hint));
        node.type = number;
        return {};
    }
    static Check outside(Node& node, std::string_view what) {
        if (node.text.empty()) return error(node, fmt::format("{}() names {}", to_string(node.function), what));
        node.type = text;
        node.flexible = true;
        return {};
    }

    Scope scope_;
    ExpressionRole role_;
    bool inside_before_ = false;
};

}  // namespace

tl::expected<Checked, ExpressionError> check_tree(Node& root, Scope scope, ExpressionRole role, const Type& wanted) {
    Checker checker(scope, role);
    if (Check status = checker.check(root); !status) return tl::unexpected(std::move(status.error()));
    if (Check status = Checker::fit(root, wanted); !status) return tl::unexpected(std::move(status.error()));
    return std::move(checker.result);
}

}  // namespace gotuned

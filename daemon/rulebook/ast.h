// The tree of an expression, as the parser builds it and the checker (types.h) completes it; afterwards it is never
// changed. Private to the expression language: others see Expression.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rulebook/expression.h"

namespace gotuned {

enum class NodeKind : std::uint8_t { literal, signal, call, negate, arithmetic, comparison, negation, logic };

enum class Operator : std::uint8_t {
    none,
    add,
    subtract,
    multiply,
    divide,
    equal,
    unequal,
    less,
    at_most,
    greater,
    at_least,
    both,
    either
};
std::string_view to_string(Operator op);

enum class Function : std::uint8_t {
    none,
    min,
    max,
    clamp,
    abs,
    rate,
    avg,
    max_over,
    p50,
    p90,
    p99,
    before,
    original,
    present,
    env,
    sysctl,
    app,
    prometheus
};
/// As it is written: "max_over", "host.sysctl".
std::string_view to_string(Function function);
std::optional<Function> parse_function(std::string_view name);
/// Those whose one argument is a text: env, host.sysctl, app, prometheus.
bool takes_text(Function function);
/// Those with memory: rate, avg, max_over, p50, p90, p99.
bool is_widened(Function function);

struct Node {
    NodeKind kind = NodeKind::literal;
    Operator op = Operator::none;
    Function function = Function::none;
    std::size_t offset = 0;
    std::string
        text{};  ///< literal: as written; signal: its name; env, sysctl, original, app, prometheus: what is meant
    std::string key{};  ///< signal: which of those that there is one of each: "sda"; "*": the largest of all
    Value literal{};    ///< of a literal
    std::vector<std::unique_ptr<Node>> parts{};

    // From here on: the checker's.
    Type type{};
    bool any_unit = false;  ///< holds `unlimited`: its number adapts to every unit
    bool flexible = false;  ///< text from outside, which may still become a number
    Signal signal{};
    std::optional<Statistic> statistic{};
    Duration window{};     ///< of a widened function
    std::size_t slot = 0;  ///< of a widened function: its series in the ExpressionState
    bool of_host = false;  ///< one of Expression::host_parts()
};
using NodePtr = std::unique_ptr<Node>;

/// Text to tree; names and types are not looked at. Errors: syntax, an unknown or unbuilt function, too long, too deep.
tl::expected<NodePtr, ExpressionError> parse_tree(std::string_view text);

/// Least parentheses; parsing it gives an equal tree.
std::string print_tree(const Node& node);
/// Every bracket: "(or (< fd.used 5) (present runq))". For tests that print_tree() loses nothing.
std::string structure_of(const Node& node);

}  // namespace gotuned

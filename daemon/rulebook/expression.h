// The rulebook's expression language: parsed and typed at load, evaluated without loops, files or clocks.
// An Expression is immutable and shared; all memory an evaluation needs between Snapshots is ExpressionState.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/reading.h"
#include "base/result.h"
#include "base/target.h"
#include "base/value.h"
#include "observe/snapshot.h"
#include "rulebook/diagnostic.h"

namespace gotuned {

/// The type of an expression. A bare number literal is `number`: it adapts to count or ratio.
struct Type {
    enum class Kind { boolean, quantity, number, text, cpus, distribution } kind = Kind::boolean;
    Unit unit{};  ///< for quantity and distribution
    friend bool operator==(const Type&, const Type&) = default;
};
std::string to_string(const Type& type);

/// What was seen while evaluating, as a tree: the material of `explain` and of a decision's evidence.
struct Evidence {
    std::string text{};        ///< this part of the expression, printed: "fd.used / fd.limit"
    Reading<Value> value{};    ///< unknown is absent, with its reason
    std::vector<Evidence> parts{};
};
/// "fd.used (983) / fd.limit (1024) = 96.0% > 80%  ⇒ true"
std::string to_string(const Evidence& evidence);

/// Memory of one expression for one target: the series behind avg, max_over, rate, p99(…, 1m).
/// A target that restarts gets a new one (identities differ), so a window never spans a restart.
class ExpressionState;

/// Everything an evaluation may look at.
struct EvaluationContext {
    const Snapshot& snapshot;
    TargetId target{};
    /// The live adjustments of the rule on this target (original(knob), before(x)); empty outside expect, undo_when.
    std::vector<const LiveAdjustment*> adjustments{};
};

class Expression {
public:
    virtual ~Expression() = default;
    [[nodiscard]] virtual const Type& type() const = 0;
    /// Parsing the printed text gives an equal expression.
    [[nodiscard]] virtual std::string print() const = 0;
    /// Total: never throws, never loops. Unknown is an absent Reading with its reason.
    [[nodiscard]] virtual Reading<Value> evaluate(const EvaluationContext& context, ExpressionState& state) const = 0;
    /// As evaluate(), keeping what was seen. Does not move the state on (call it after evaluate()).
    [[nodiscard]] virtual Evidence explain(const EvaluationContext& context, const ExpressionState& state) const = 0;
    /// Takes this Snapshot into the series; called once a Snapshot whether or not the value is needed.
    virtual void observe(const EvaluationContext& context, ExpressionState& state) const = 0;
    [[nodiscard]] virtual std::shared_ptr<ExpressionState> make_state() const = 0;
    /// The value when it does not depend on a Snapshot (literals and arithmetic of them).
    [[nodiscard]] virtual std::optional<Value> constant() const = 0;
    /// The arguments of before(x) inside, printed: main captures their values when the rule fires.
    [[nodiscard]] virtual std::vector<std::shared_ptr<const Expression>> before_arguments() const = 0;
    /// Signals, sysctls, environment names, knobs of original() that are read.
    struct Needs { std::set<Signal> signals; std::set<std::string> sysctls, environment, originals; };
    [[nodiscard]] virtual Needs needs() const = 0;
    friend bool operator==(const Expression& a, const Expression& b) { return a.print() == b.print(); }
};
using ExpressionPtr = std::shared_ptr<const Expression>;

/// Where an expression stands: decides which functions and signals it may use.
enum class ExpressionRole { when, to, expect, undo_when };

struct ExpressionError {
    std::size_t offset = 0;  ///< byte offset into the text
    std::string message{};
    std::string hint{};      ///< "did you mean fd.used?"
};

/// Parses and types. `wanted`: the type the place needs (boolean for conditions, the knob's unit for `to`).
tl::expected<ExpressionPtr, ExpressionError> parse_expression(std::string_view text, Scope scope, ExpressionRole role,
                                                               const Type& wanted);
/// Only a literal with its unit ("5s", "4KiB", "80%"): durations and sizes elsewhere in the YAML.
tl::expected<Quantity, ExpressionError> parse_literal(std::string_view text);

}  // namespace gotuned

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

/// The type of an expression. A bare number literal is `number`: it adapts to count or ratio, never to time or bytes
/// (`unlimited` adapts to any quantity). Text from outside — host.sysctl("…"), env("…"), original() of a sysctl — is
/// text, and a `number` where a number is wanted (arithmetic, < <= > >=, a comparison with a number): unknown
/// (malformed) when it is not exactly one number. It never takes a unit by itself: host.sysctl("net.core.rmem_max") *
/// 1B.
struct Type {
    enum class Kind { boolean, quantity, number, text, cpus, distribution } kind = Kind::boolean;
    Unit unit{};  ///< for quantity and distribution
    friend bool operator==(const Type&, const Type&) = default;
};
/// "time", "bytes", "a plain number", "true or false", "text", "a CPU set", "a distribution of time".
std::string to_string(const Type& type);

/// What was seen while evaluating, as a tree: the material of `explain` and of a decision's evidence.
struct Evidence {
    /// reading: what was looked up (a signal, host.sysctl, env, original, before, a widened function); function: min
    /// max clamp abs; logic: and or not, present.
    enum class Kind : std::uint8_t { literal, reading, arithmetic, function, comparison, logic };

    std::string text{};      ///< this part of the expression, printed: "fd.used / fd.limit"
    Reading<Value> value{};  ///< unknown is absent, with its reason
    std::vector<Evidence> parts{};
    Kind kind = Kind::literal;
};
/// One line: "fd.used (983) / fd.limit (1024) = 96.0% > 80%  ⇒ true"; what is not known reads "unknown: low_exposure".
std::string to_string(const Evidence& evidence);

/// Memory of one expression for one target: the series behind avg, max_over, rate, p99(…, 1m) (series.h).
/// A target that restarts gets a new one (identities differ), so a window never spans a restart. A widened function is
/// unknown until its target was watched for the whole window, and while less than half of the window is known.
class ExpressionState;

/// Everything an evaluation may look at.
struct EvaluationContext {
    const Snapshot& snapshot;
    TargetId target{};
    /// The live adjustments of the rule on this target (original(knob), before(x)); empty outside expect, undo_when.
    std::vector<const LiveAdjustment*> adjustments{};
    /// The target definition whose metrics page app() reads; empty: none.
    std::string app{};
    /// Set when what came out depends on the host otherwise than by host_parts(). Null: nobody asks.
    bool* looked_at_host = nullptr;
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
    /// Whether there is anything to remember: a function over a window, or rate().
    [[nodiscard]] virtual bool remembers() const = 0;
    /// A copy that shares nothing: for plan.
    [[nodiscard]] virtual std::shared_ptr<ExpressionState> copy_state(const ExpressionState& state) const = 0;
    /// The value when it does not depend on a Snapshot (literals and arithmetic of them).
    [[nodiscard]] virtual std::optional<Value> constant() const = 0;
    /// The arguments of before(x) inside, printed: main captures their values when the rule fires.
    [[nodiscard]] virtual const std::vector<std::shared_ptr<const Expression>>& before_arguments() const = 0;
    /// Signals, sysctls, environment names, knobs of original(), samples of app(), queries of prometheus() that are
    /// read.
    struct Needs {
        std::set<Signal> signals;
        std::set<std::string> sysctls, environment, originals, app, queries;
    };
    [[nodiscard]] virtual Needs needs() const = 0;
    /// The parts that are true or false by the host's signals alone ("host.cpu.psi.some_10s < 20%"), in order: the same
    /// for all targets of a Snapshot. Of a target whose own state stays as it is, evaluate() says the same as long as
    /// these do, if it did not look at the host in another part.
    [[nodiscard]] virtual std::vector<Reading<Value>> host_parts(const Snapshot& snapshot) const = 0;
    /// Whether some series is of the host's signals.
    [[nodiscard]] virtual bool remembers_host() const = 0;
    friend bool operator==(const Expression& a, const Expression& b) { return a.print() == b.print(); }
};
using ExpressionPtr = std::shared_ptr<const Expression>;

/// Where an expression stands: decides which functions and signals it may use.
enum class ExpressionRole { when, to, expect, undo_when };

struct ExpressionError {
    std::size_t offset = 0;  ///< byte offset into the text
    std::string message{};
    std::string hint{};  ///< "did you mean fd.used?"
};

/// At most this long, in bytes; at most this many names, literals and operators; at most this many levels of nesting.
inline constexpr std::size_t longest_expression = 4096;
inline constexpr std::size_t largest_expression = 256;
inline constexpr int deepest_expression = 64;
/// Windows of avg(), max_over(), p99(…, …).
inline constexpr Duration least_window = std::chrono::seconds(1);
inline constexpr Duration most_window = std::chrono::hours(24);

/// Parses and types. `wanted`: the type the place needs. boolean for conditions, the knob's unit for `to`; number for
/// a sysctl: a plain number, count, bytes or text, since the kernel knows no unit; cpus: also a list, bare or as text
/// ("0-3,8").
tl::expected<ExpressionPtr, ExpressionError> parse_expression(std::string_view text, Scope scope, ExpressionRole role,
                                                              const Type& wanted);
/// Only a literal with its unit ("5s", "4KiB", "80%"): durations and sizes elsewhere in the YAML. A plain number is a
/// count. No sign, no `unlimited`.
tl::expected<Quantity, ExpressionError> parse_literal(std::string_view text);

}  // namespace gotuned

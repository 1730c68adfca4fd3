// A loaded rulebook: typed rules, immutable. Made by the loader, read by the evaluator, `plan`, `explain`, export.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/time.h"
#include "rulebook/diagnostic.h"
#include "rulebook/expression.h"

namespace gotuned {

enum class Mode { observe, enforce };
enum class Severity { info, warning, critical };
enum class Otherwise { undo, keep };
std::string_view to_string(Mode mode);
std::string_view to_string(Severity severity);

/// A pattern of `match:` made ready once, at load (match.h).
class Pattern;

/// One key of `match:`: any of the patterns must match (OR).
struct MatchClause {
    enum class Key { unit, exe, cmdline, cgroup, user, env, container, pod, namespace_name, label, go } key{};
    std::vector<std::string> patterns{};  ///< globs; "/…/" is an ECMAScript regex; go: comparisons ">=1.19"
    /// Beside patterns, made by the loader; matches() makes them on the fly where they are missing.
    std::vector<std::shared_ptr<const Pattern>> compiled{};
};

/// `targets:` — a name that an operator gave to a set of Go processes. All clauses must match, none of `not_`.
struct TargetDefinition {
    std::string name{};
    std::vector<MatchClause> match{};
    std::vector<MatchClause> not_{};
    std::string metrics{};  ///< address of its metrics page, which app("…") reads; empty: none
    Place place{};
};
/// Whether a process matches a definition. Pure; a regex was compiled and checked at load.
bool matches(const TargetDefinition& definition, const GoProcess& process);

/// One line of `adjust:`.
struct Adjust {
    std::string knob{};
    ExpressionPtr to{};  ///< null when `to` is one of the below
    struct Placement {
        enum class Kind { pack, spread } kind{};
        int cpus = 1;
    };
    std::optional<Placement> placement{};     ///< cpu.affinity: pack(n), spread(n)
    std::string text{};                       ///< advise
    std::optional<Quantity> least{}, most{};  ///< the rule's own narrowing of the knob's bounds
    Place place{};
};

struct Verify {
    bool present = false;  ///< without `verify:` a change ends as kept(unverified)
    Duration settle = std::chrono::seconds(5);
    Duration hold = std::chrono::seconds(30);
    ExpressionPtr expect{};
    Otherwise otherwise = Otherwise::undo;
};

struct Repeat {
    int at_most = 1;  ///< includes the first step
    Duration every{};
};

struct Rule {
    std::string name{};
    std::string why{};
    std::string source{};
    Scope scope = Scope::process;
    std::vector<std::string> targets{};  ///< empty: every Go process (or its cgroup)
    std::set<std::string> app{};         ///< what app("…") names in any of its expressions
    ExpressionPtr when{};
    Duration for_{};
    std::vector<Adjust> adjust{};
    Verify verify{};
    ExpressionPtr undo_when{};  ///< may be null
    Duration undo_for = std::chrono::minutes(1);
    Duration cooldown = std::chrono::minutes(10);
    Repeat repeat{};
    Severity severity = Severity::info;
    std::vector<std::string> yields_to{};
    Mode mode = Mode::observe;  ///< what came out: override, own, profile, else observe
    std::string mode_source{};  ///< "override", "rule", "profile balanced", "default"
    bool packaged = false;      ///< from the packaged layer
    Place place{};
};

/// Immutable after load.
struct Rulebook {
    std::vector<Rule> rules{};  ///< in order of precedence for one knob: operator before packaged, then file order
    std::vector<TargetDefinition> targets{};
    std::string sha256{};  ///< of all files that took part, in order
    int version = 1;
    std::string profile{};
    std::vector<std::string> files{};
    /// Everything any rule reads, so that observe reads it.
    Expression::Needs needs{};
    std::set<std::string> environment{};  ///< env names in match, not and env()
    OutsideWanted outside{};              ///< pages and queries behind app() and prometheus()

    [[nodiscard]] const Rule* find(std::string_view name) const;
};
using RulebookPtr = std::shared_ptr<const Rulebook>;

}  // namespace gotuned

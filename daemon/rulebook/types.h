// The checker: looks up every name, derives every unit and refuses what cannot be meant, so that evaluation needs no
// error but "unknown". Private to the expression language.
#pragma once

#include "rulebook/ast.h"

namespace gotuned {

/// What a checked tree needs while it is evaluated.
struct Checked {
    struct Series {
        Duration window{};           ///< zero for rate()
        bool distributions = false;  ///< p50, p90, p99
    };
    std::vector<Series> series{};  ///< by Node::slot
};

/// Completes the tree in place. Errors carry the offset of the part that is wrong.
tl::expected<Checked, ExpressionError> check_tree(Node& root, Scope scope, ExpressionRole role, const Type& wanted);

/// A signal's name, perhaps with a statistic behind it, as a rule of this scope reads it.
struct NamedSignal {
    Signal signal{};
    std::optional<Statistic> statistic{};
};
tl::expected<NamedSignal, ExpressionError> resolve_signal(std::string_view name, Scope scope);

}  // namespace gotuned

// Patterns of `match:`: globs, /regular expressions/, NAME=pattern, Go versions. Made and checked at load, so that
// matching a process cannot fail, and costs little even for a command line that a stranger chose.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "rulebook/rulebook.h"

namespace gotuned {

/// Immutable.
class Pattern {
public:
    virtual ~Pattern() = default;
    /// Whether this pattern of `key` matches the process.
    [[nodiscard]] virtual bool matches(const GoProcess& process) const = 0;
    /// env: the variable that is looked at; empty for other keys.
    [[nodiscard]] virtual std::string environment() const { return {}; }
};

struct PatternError {
    std::size_t offset = 0;  ///< into the pattern
    std::string message{};
    std::string hint{};
};
tl::expected<std::shared_ptr<const Pattern>, PatternError> make_pattern(MatchClause::Key key, const std::string& text);

/// The key as it is written in YAML ("namespace" for namespace_name).
std::string_view to_string(MatchClause::Key key);
std::optional<MatchClause::Key> parse_match_key(std::string_view text);

/// A Go release as numbers: go1.22.3 → 1, 22, 3; a release candidate or beta counts as before its release.
struct GoVersion {
    int major = 0, minor = 0, patch = 0;
    int candidate = 0;  ///< of go1.22rc1; a release is above all candidates
    friend auto operator<=>(const GoVersion&, const GoVersion&) = default;
};
/// "go1.22.3 X:boringcrypto", "1.22", "devel go1.23-abc"; nothing when no release is named ("devel +abc").
std::optional<GoVersion> parse_go_version(std::string_view text);

}  // namespace gotuned

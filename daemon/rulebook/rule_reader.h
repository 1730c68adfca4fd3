// One rule from its YAML map and the overrides that name it. Private to the loader.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "rulebook/errors.h"
#include "rulebook/rulebook.h"
#include "rulebook/yaml.h"

namespace gotuned {

/// A map in a file: a rule, or an override of it.
struct YamlMap {
    const YamlFile* file = nullptr;
    const YamlNode* node = nullptr;
};

struct RuleSource {
    YamlMap own{};
    std::vector<YamlMap> overrides{};  ///< the operator's, disjoint in their keys
    std::optional<YamlMap> profile{};  ///< of a packaged rule only
    std::string profile_name{};
    bool packaged = false;
};

struct RuleContext {
    const std::set<std::string>& target_names;
    bool unsafe_bounds = false;
    Errors& errors;
};

/// A rule with the places that later checks point at.
struct ReadRule {
    Rule rule{};
    const YamlFile* file = nullptr;
    std::vector<std::pair<const YamlFile*, std::size_t>> yields_to_at{};  ///< beside rule.yields_to
    std::vector<std::pair<const YamlFile*, std::size_t>> adjust_at{};     ///< beside rule.adjust
    std::vector<std::pair<const YamlFile*, std::size_t>> app_at{};        ///< the first app() of each expression
};

/// The maps have been checked against their tables. Errors are reported; the rule is then as good as it could be read.
ReadRule read_rule(const RuleSource& source, const RuleContext& context);

/// `adjust:` alone (adjust_reader.cpp).
void read_adjust(const YamlFile& file, const YamlNode& list, const RuleContext& context, ReadRule& out);

/// Parses an expression of a rule and reports its errors at their characters; null when it has any.
ExpressionPtr read_expression(const YamlFile& file, const YamlNode& node, Scope scope, ExpressionRole role,
                              const Type& wanted, Errors& errors);

}  // namespace gotuned

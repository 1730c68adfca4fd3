// Tables of fields: what keys a map in YAML may have, of what type, with what default and meaning. The loader checks
// every file against them and the JSON Schema is printed from them, so the two cannot differ.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "rulebook/errors.h"
#include "rulebook/yaml.h"

namespace gotuned {

enum class FieldType : std::uint8_t {
    text,        ///< any scalar but an empty one
    name,        ///< lower-case words joined by '-'
    flag,        ///< true, false
    integer,     ///< decimal, within least and most
    time,        ///< a literal with its unit, within least and most (seconds)
    bytes,       ///< as time, in bytes
    ratio,       ///< "1%"
    literal,     ///< a literal of whatever unit its reader wants
    expression,  ///< of the rulebook's language: its reader parses it
    choice,      ///< one of `choices`
    texts,       ///< a text or a list of texts
    map,         ///< a map by `table`
    list,        ///< a list of maps by `table`
    named,       ///< a map from free names to maps by `table`
};

struct Table;

struct Field {
    std::string_view key{};
    FieldType type{};
    std::string_view doc{};
    bool required = false;
    std::string_view fallback{};  ///< the default as one would write it; empty: none
    std::span<const std::string_view> choices{};
    const Table* table = nullptr;
    double least = 0, most = std::numeric_limits<double>::infinity();
    std::string_view unbuilt{};      ///< this version does not have it: what exactly
    std::string_view unbuilt_map{};  ///< this version does not have its form as a map: what exactly
    bool nullable = false;           ///< may be written as null: the default
};

struct Table {
    std::string_view name{};  ///< for errors: "a rule"
    std::string_view id{};    ///< for the schema: "rule"
    std::string_view doc{};
    std::span<const Field> fields{};

    [[nodiscard]] const Field* find(std::string_view key) const;
};

/// Reports all that is wrong with the shape and the literals of a map; expressions are left to their readers.
void check_map(const YamlFile& file, const YamlNode& map, const Table& table, Errors& errors);

/// The value of a field, when it is there and has no error (the error is reported by check_map()).
std::optional<Duration> read_time(const YamlNode* node);
std::optional<double> read_bytes(const YamlNode* node);
std::optional<double> read_ratio(const YamlNode* node);
std::optional<int> read_integer(const YamlNode* node);
std::optional<bool> read_flag(const YamlNode* node);
/// Of a text or a list of texts.
std::vector<const YamlNode*> read_texts(const YamlNode* node);

/// "did you mean X?", or nothing when no candidate is near.
std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& candidates);
/// Names of rules: what `- name:` may hold.
bool is_kebab_case(std::string_view name);

}  // namespace gotuned

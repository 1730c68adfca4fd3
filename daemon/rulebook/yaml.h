// A YAML file as a strict tree: what the tables of fields (table.h) read. Less is accepted than YAML allows, so that
// a file means what it looks like: one document; no tags, anchors, aliases or merge keys; no duplicate keys; no
// octal-looking numbers; at most 1 MiB and 32 levels. Only yaml.cpp knows the YAML library.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "rulebook/diagnostic.h"

namespace gotuned {

struct YamlNode {
    enum class Kind : std::uint8_t { null, scalar, sequence, map } kind = Kind::null;
    enum class Style : std::uint8_t { plain, single_quoted, double_quoted, literal, folded, block, flow } style{};
    std::string text{};             ///< of a scalar, unquoted and folded
    bool in_flow = false;           ///< an item of { } or [ ]
    std::size_t offset = 0;         ///< of its first byte in the file (the quote, the '|' of a block scalar)
    std::vector<YamlNode> keys{};   ///< of a map, in order: always scalars
    std::vector<YamlNode> items{};  ///< of a sequence; of a map the values, beside keys

    [[nodiscard]] bool is(Kind wanted) const { return kind == wanted; }
    /// "clamp(a" of `{ to: clamp(a, b, c) }`: within { } and [ ] a comma ends an unquoted value.
    [[nodiscard]] bool cut_by_comma() const;
    [[nodiscard]] bool plain() const { return kind == Kind::scalar && style == Style::plain; }
    /// The value of a key; null when there is none.
    [[nodiscard]] const YamlNode* find(std::string_view key) const;
};
/// "a map", "a list", "text", "nothing": for errors.
std::string_view to_string(YamlNode::Kind kind);

/// A file's text with its tree.
struct YamlFile {
    std::string path{};
    std::string text{};
    YamlNode root{};
    bool empty = true;  ///< nothing but blanks and comments

    /// The place of a byte of the text; columns count code points.
    [[nodiscard]] Place place(std::size_t offset) const;
    [[nodiscard]] Diagnostic diagnostic(std::size_t offset, std::string message, std::string hint = {}) const;
    /// Where byte `offset` of a scalar's text stands in the file: through quotes, escapes and block indentation.
    [[nodiscard]] std::size_t offset_in(const YamlNode& scalar, std::size_t offset) const;
};

inline constexpr std::size_t yaml_size_limit = 1U << 20U;
inline constexpr std::size_t yaml_depth_limit = 32;

/// Total: any bytes give a tree or errors. With errors the tree is empty.
YamlFile parse_yaml(std::string path, std::string text, Diagnostics& errors);

}  // namespace gotuned

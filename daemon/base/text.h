// Text that came from strangers (process names, paths, files) and text that people mistyped.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gotuned {

/// Valid UTF-8 without control characters, at most `limit` bytes: invalid bytes become U+FFFD, control
/// characters (with DEL, C1 and the line and paragraph separators) become '?'. For labels, log lines and tables.
std::string clean_text(std::string_view text, std::size_t limit = 256);

/// How many bytes from the front are well-formed UTF-8 (no overlong form, surrogate or truncation): all, or where
/// the first bad byte is.
std::size_t valid_utf8_prefix(std::string_view text);

/// The candidate nearest to `word` by edit distance, empty when none is near (more than a third of the word).
std::string nearest(std::string_view word, const std::vector<std::string_view>& candidates);

/// fnmatch(3) without special treatment of '/' or leading dots.
bool glob_match(const std::string& pattern, const std::string& text);

std::vector<std::string_view> split(std::string_view text, char separator);

/// A JSON string literal with its quotes; input bytes that are not UTF-8 become U+FFFD.
std::string json_quote(std::string_view text);

}  // namespace gotuned

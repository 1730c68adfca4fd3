#include "rulebook/diagnostic.h"

#include <fmt/format.h>

#include "base/text.h"

namespace gotuned {
namespace {

constexpr std::size_t widest_line = 400;  // of a longer one nobody sees the caret

/// The spaces that bring a caret below `column` (code points from 1) of the cleaned line.
std::string caret(const std::string& line, int column) {
    int code_points = 0;
    for (const char c : line) {
        if ((static_cast<unsigned char>(c) & 0xC0U) != 0x80) ++code_points;
    }
    if (column < 1 || column > code_points + 1) return {};
    return std::string(static_cast<std::size_t>(column - 1), ' ') + '^';
}

}  // namespace

std::string to_string(const Diagnostic& diagnostic) {
    const Place& place = diagnostic.place;
    std::string out = clean_text(place.file, 1024);
    if (place.line > 0) out += fmt::format(":{}:{}", place.line, place.column);
    if (!out.empty()) out += ": ";
    out += clean_text(diagnostic.message, 1024);
    if (!diagnostic.line_text.empty() && diagnostic.line_text.size() <= widest_line) {
        const std::string line = clean_text(diagnostic.line_text, widest_line * 3);
        const std::string below = caret(line, place.column);
        if (!below.empty()) out += "\n    " + line + "\n    " + below;
    }
    if (!diagnostic.hint.empty()) out += "\n    hint: " + clean_text(diagnostic.hint, 1024);
    return out;
}

}  // namespace gotuned

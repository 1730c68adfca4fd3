#include "rulebook/yaml_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace gotuned {
namespace {

bool blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

std::size_t utf8_size(std::uint32_t code_point) {
    if (code_point < 0x80) return 1;
    if (code_point < 0x800) return 2;
    return code_point < 0x10000 ? 3 : 4;
}

/// One escape of a double-quoted scalar: its length in the file and in the text.
struct Escape {
    std::size_t source = 2;
    std::size_t text = 1;
};
Escape read_escape(std::string_view source) {
    if (source.size() < 2) return {1, 1};
    std::size_t digits = 0;
    switch (source[1]) {
        case 'x':
            digits = 2;
            break;
        case 'u':
            digits = 4;
            break;
        case 'U':
            digits = 8;
            break;
        case 'N':
        case '_':
            return {2, 2};
        case 'L':
        case 'P':
            return {2, 3};
        default:
            return {2, 1};
    }
    std::uint32_t value = 0;
    for (const char c : source.substr(2, digits)) {
        const auto digit = static_cast<std::uint32_t>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
        value = (value << 4U) | (digit & 0xFU);
    }
    return {2 + digits, utf8_size(value)};
}

std::size_t after_block_header(std::string_view text, std::size_t offset) {
    const std::size_t line_end = text.find('\n', offset);
    return line_end == std::string_view::npos ? text.size() : line_end + 1;
}

}  // namespace

std::optional<Diagnostic> refuse_bytes(const YamlFile& file) {
    const std::string_view text = file.text;
    if (text.size() > yaml_size_limit) {
        return Diagnostic{{file.path, 0, 0}, "the file is larger than 1 MiB", "a rulebook is written by people", {}};
    }
    if (text.starts_with("\xEF\xBB\xBF")) {
        return file.diagnostic(0, "the file starts with a byte order mark", "save it as UTF-8 without one");
    }
    const auto control = [](char c) {
        return (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\r' && c != '\t') || c == '\x7F';
    };
    const auto first_control = static_cast<std::size_t>(std::find_if(text.begin(), text.end(), control) - text.begin());
    const std::size_t valid = valid_utf8_prefix(text);
    if (first_control < text.size() && first_control <= valid) {
        return file.diagnostic(first_control, fmt::format("control character 0x{:02x}: this is not a text file",
                                                          static_cast<unsigned char>(text[first_control])));
    }
    if (valid < text.size()) return file.diagnostic(valid, "not valid UTF-8", "save the file as UTF-8");
    bool indent = true;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const char c = text[at];
        if (c == '\r' && (at + 1 == text.size() || text[at + 1] != '\n')) {
            return file.diagnostic(at, "a carriage return without a line feed", "end lines with a line feed");
        }
        if (c == '\t' && indent) return file.diagnostic(at, "a tab in the indentation", "indent with spaces");
        indent = c == '\n' || (indent && c == ' ');
    }
    return std::nullopt;
}

std::size_t end_of_quoted(std::string_view text, std::size_t offset) {
    const char quote = text[offset];
    for (std::size_t at = offset + 1; at < text.size(); ++at) {
        if (quote == '"' && text[at] == '\\') {
            ++at;
        } else if (text[at] == quote) {
            if (quote == '"' || at + 1 >= text.size() || text[at + 1] != quote) return at + 1;
            ++at;
        }
    }
    return std::string_view::npos;
}

bool looks_octal(std::string_view scalar) {
    if (scalar.starts_with('-') || scalar.starts_with('+')) scalar.remove_prefix(1);
    if (scalar.starts_with("0o") || scalar.starts_with("0O"))
        scalar.remove_prefix(2);
    else if (scalar.size() > 1 && scalar[0] == '0')
        scalar.remove_prefix(1);
    else
        return false;
    return !scalar.empty() && scalar.find_first_not_of("0123456789_") == std::string_view::npos;
}

// Characters other than blanks stand in the same order in the scalar's text and in the file, so the two are walked
// together; where lines were folded, a blank is placed behind the character before it.
std::size_t YamlFile::offset_in(const YamlNode& scalar, std::size_t offset) const {
    using Style = YamlNode::Style;
    const bool escapes = scalar.style == Style::double_quoted;
    std::size_t source = scalar.offset;
    if (scalar.style == Style::literal || scalar.style == Style::folded) source = after_block_header(text, source);
    if (escapes || scalar.style == Style::single_quoted) ++source;

    const std::string_view value = scalar.text;
    for (std::size_t at = 0; source < text.size();) {
        if (at >= value.size()) return source;
        if (escapes && text[source] == '\\' && source + 1 < text.size()) {
            if (text[source + 1] == '\n' || text[source + 1] == '\r') {  // an escaped line break is nothing
                ++source;
                while (source < text.size() && blank(text[source])) ++source;
                continue;
            }
            const Escape escape = read_escape(std::string_view(text).substr(source));
            if (offset < at + escape.text) return source;
            at += escape.text;
            source += escape.source;
            continue;
        }
        if (blank(value[at])) {
            if (at >= offset) return source;
            // Equal blanks go side by side; folded ones are skipped together.
            if (text[source] == value[at] && value[at] == ' ') {
                ++at, ++source;
                continue;
            }
            while (at < value.size() && blank(value[at])) {
                if (at >= offset) return source;
                ++at;
            }
            while (source < text.size() && blank(text[source])) ++source;
            continue;
        }
        if (blank(text[source])) {  // indentation, or blanks at a folded line's end
            ++source;
            continue;
        }
        if (at >= offset) return source;
        source += scalar.style == Style::single_quoted && text[source] == '\'' ? 2U : 1U;
        ++at;
    }
    return std::min(source, text.size());
}

}  // namespace gotuned

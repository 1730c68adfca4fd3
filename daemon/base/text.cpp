#include "base/text.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <cstdint>

namespace gotuned {
namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";

/// One code point from the front of `text`; size 0 when the bytes are not UTF-8 (overlong, surrogate, truncated).
struct CodePoint {
    std::uint32_t value = 0;
    std::size_t size = 0;
};
CodePoint decode_one(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
    const std::uint8_t lead = byte(0);
    if (lead < 0x80) return {lead, 1};
    std::size_t size = 0;
    std::uint32_t value = 0;
    std::uint32_t least = 0;
    if ((lead & 0xE0U) == 0xC0) {
        size = 2, value = lead & 0x1FU, least = 0x80;
    } else if ((lead & 0xF0U) == 0xE0) {
        size = 3, value = lead & 0x0FU, least = 0x800;
    } else if ((lead & 0xF8U) == 0xF0) {
        size = 4, value = lead & 0x07U, least = 0x10000;
    } else {
        return {};
    }
    if (text.size() < size) return {};
    for (std::size_t i = 1; i < size; ++i) {
        if ((byte(i) & 0xC0U) != 0x80) return {};
        value = (value << 6U) | (byte(i) & 0x3FU);
    }
    if (value < least || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return {};
    return {value, size};
}

bool control(std::uint32_t value) {
    return value < 0x20 || (value >= 0x7F && value < 0xA0) || value == 0x2028 || value == 0x2029;
}

}  // namespace

std::string clean_text(std::string_view text, std::size_t limit) {
    std::string out;
    while (!text.empty()) {
        const CodePoint point = decode_one(text);
        std::string_view piece = replacement;
        if (point.size > 0) piece = control(point.value) ? std::string_view("?") : text.substr(0, point.size);
        if (out.size() + piece.size() > limit) break;
        out += piece;
        text.remove_prefix(std::max<std::size_t>(point.size, 1));
    }
    return out;
}

std::size_t valid_utf8_prefix(std::string_view text) {
    std::size_t at = 0;
    while (at < text.size()) {
        const std::size_t size = decode_one(text.substr(at)).size;
        if (size == 0) break;
        at += size;
    }
    return at;
}

std::string nearest(std::string_view word, const std::vector<std::string_view>& candidates) {
    std::string best;
    std::size_t best_distance = std::max<std::size_t>(word.size() / 3, 1) + 1;
    for (const std::string_view candidate : candidates) {
        std::vector<std::size_t> row(candidate.size() + 1);
        for (std::size_t j = 0; j <= candidate.size(); ++j) row[j] = j;
        for (std::size_t i = 1; i <= word.size(); ++i) {
            std::size_t diagonal = row[0];
            row[0] = i;
            for (std::size_t j = 1; j <= candidate.size(); ++j) {
                const std::size_t change = diagonal + (word[i - 1] == candidate[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = std::min({change, row[j] + 1, row[j - 1] + 1});
            }
        }
        if (row.back() < best_distance) {
            best_distance = row.back();
            best = candidate;
        }
    }
    return best;
}

bool glob_match(const std::string& pattern, const std::string& text) {
    return ::fnmatch(pattern.c_str(), text.c_str(), 0) == 0;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    for (;;) {
        const std::size_t at = text.find(separator);
        parts.push_back(text.substr(0, at));
        if (at == std::string_view::npos) return parts;
        text.remove_prefix(at + 1);
    }
}

std::string json_quote(std::string_view text) {
    std::string out = "\"";
    while (!text.empty()) {
        const CodePoint point = decode_one(text);
        if (point.size == 0) {
            out += replacement;
        } else if (point.value == '"' || point.value == '\\') {
            out += '\\';
            out += text[0];
        } else if (control(point.value)) {
            out += fmt::format("\\u{:04x}", point.value);
        } else {
            out += text.substr(0, point.size);
        }
        text.remove_prefix(std::max<std::size_t>(point.size, 1));
    }
    return out + "\"";
}

}  // namespace gotuned

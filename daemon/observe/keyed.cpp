#include "observe/keyed.h"

#include <string>

#include "base/files.h"

namespace gotuned {
namespace {

Absent missing(std::string_view key) {
    return {Absence::not_supported, "this kernel does not show " + std::string(key)};
}
Absent wrong(std::string_view key, std::string_view value) {
    return {Absence::malformed, std::string(key) + " is \"" + std::string(value.substr(0, 40)) + "\""};
}

}  // namespace

std::optional<std::string_view> find_line(std::string_view text, std::string_view key) {
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        const std::string_view line = text.substr(0, end);
        if (line.size() > key.size() && line.starts_with(key)) {
            const char next = line[key.size()];
            if (next == ' ' || next == '\t' || next == ':') return trim(line.substr(key.size() + 1));
        }
        if (end == std::string_view::npos) break;
        text.remove_prefix(end + 1);
    }
    return std::nullopt;
}

Reading<std::uint64_t> keyed_number(std::string_view text, std::string_view key) {
    const auto value = find_line(text, key);
    if (!value) return missing(key);
    std::uint64_t number = 0;
    if (!parse_u64(*value, number)) return wrong(key, *value);
    return number;
}

Reading<std::uint64_t> keyed_kilobytes(std::string_view text, std::string_view key) {
    const auto value = find_line(text, key);
    if (!value) return missing(key);
    std::uint64_t number = 0;
    if (!value->ends_with(" kB") || !parse_u64(trim(value->substr(0, value->size() - 3)), number) ||
        number > UINT64_MAX / 1024)
        return wrong(key, *value);
    return number * 1024;
}

}  // namespace gotuned

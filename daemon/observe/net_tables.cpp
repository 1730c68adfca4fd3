#include "observe/net_tables.h"

#include <algorithm>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/text.h"
#include "observe/keyed.h"

namespace gotuned {
namespace {

Absent missing(std::string_view table, std::string_view name) {
    return {Absence::not_supported, "this kernel does not count " + std::string(table) + " " + std::string(name)};
}
Reading<std::uint64_t> number_of(std::string_view field, std::string_view name) {
    std::uint64_t number = 0;
    if (parse_u64(field, number)) return number;
    return Absent{Absence::malformed, std::string(name) + " is \"" + std::string(field.substr(0, 40)) + "\""};
}

}  // namespace

Reading<std::uint64_t> net_counter(std::string_view text, std::string_view table, std::string_view name) {
    const auto names = find_line(text, table);
    if (!names) return missing(table, name);
    const auto behind = static_cast<std::size_t>(names->data() + names->size() - text.data());
    const auto values = find_line(text.substr(behind), table);
    if (!values) return Absent{Absence::malformed, std::string(table) + " has no line of numbers"};
    const auto columns = split(*names, ' ');
    const auto numbers = split(*values, ' ');
    const auto column = std::find(columns.begin(), columns.end(), name);
    if (column == columns.end()) return missing(table, name);
    const auto index = static_cast<std::size_t>(column - columns.begin());
    if (index >= numbers.size()) return Absent{Absence::malformed, std::string(table) + " has too few numbers"};
    return number_of(numbers[index], name);
}

Reading<std::uint64_t> socket_number(std::string_view text, std::string_view protocol, std::string_view name) {
    const auto line = find_line(text, protocol);
    if (!line) return missing(protocol, name);
    const auto fields = split(*line, ' ');
    for (std::size_t i = 0; i + 1 < fields.size(); i += 2)
        if (fields[i] == name) return number_of(fields[i + 1], name);
    return missing(protocol, name);
}

}  // namespace gotuned

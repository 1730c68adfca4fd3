#include "observe/psi.h"

#include "base/files.h"
#include "base/text.h"
#include "observe/keyed.h"

namespace gotuned {
namespace {

bool percent(std::string_view field, std::string_view name, double& out) {
    double value = 0;
    if (!field.starts_with(name) || !parse_double(field.substr(name.size()), value) || value < 0 || value > 100)
        return false;
    out = value / 100;
    return true;
}

Reading<PressureLine> line_of(std::string_view text, std::string_view kind) {
    const auto line = find_line(text, kind);
    if (!line) {
        if (kind == "full" && find_line(text, "some"))
            return Absent{Absence::not_supported, "this kernel shows no full line"};
        return Absent{Absence::malformed, "the pressure file has no line " + std::string(kind)};
    }
    const auto fields = split(*line, ' ');
    PressureLine out;
    constexpr std::string_view total = "total=";
    if (fields.size() < 4 || !percent(fields[0], "avg10=", out.avg10) || !percent(fields[1], "avg60=", out.avg60) ||
        !percent(fields[2], "avg300=", out.avg300) || !fields[3].starts_with(total) ||
        !parse_u64(fields[3].substr(total.size()), out.total_us))
        return Absent{Absence::malformed,
                      "pressure " + std::string(kind) + " is \"" + std::string(line->substr(0, 80)) + "\""};
    return out;
}

}  // namespace

Pressure parse_pressure(std::string_view text) { return {line_of(text, "some"), line_of(text, "full")}; }

Pressure pressure_of(const Reading<std::string>& file) {
    if (file) return parse_pressure(std::string_view(*file));
    const Absent& why = file.absent();
    return {why, why};
}

}  // namespace gotuned

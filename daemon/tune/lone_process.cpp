#include "tune/lone_process.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/text.h"
#include "tune/cgroup_directory.h"
#include "tune/systemd_units.h"

namespace gotuned {
namespace {

constexpr std::string_view unit_mark = "\ncgroup ";

/// In the unified hierarchy; empty when it is in none.
std::string cgroup_of(const Roots& roots, pid_t pid) {
    const auto content = read_file(fmt::format("{}/{}/cgroup", roots.proc, pid));
    if (!content) return {};
    for (const std::string_view line : split(*content, '\n'))
        if (line.starts_with("0::")) return std::string(line.substr(3));
    return {};
}

KnobAt cpuset_at(const Roots& roots, std::uint64_t inode, std::string place) {
    return {roots, std::string(cgroup_cpuset_knob().traits().name), CgroupId{inode}, std::move(place)};
}

}  // namespace

std::optional<UnitCpuset> unit_of_lone_process(const KnobAt& at) {
    const auto* const process = std::get_if<ProcessId>(&at.target);
    if (process == nullptr || at.roots.cgroup2.empty()) return std::nullopt;
    const std::string place = cgroup_of(at.roots, process->pid);
    if (unit_of_cgroup(at.roots, place).empty()) return std::nullopt;
    struct stat status{};
    if (::stat((at.roots.cgroup2 + place).c_str(), &status) != 0) return std::nullopt;
    UnitCpuset unit{cpuset_at(at.roots, status.st_ino, place), {}};
    const auto directory = open_cgroup(at.roots, CgroupId{status.st_ino}, place);
    if (!directory || !cgroup_cpuset_knob().ability(at.roots, unit.at.knob).writable) return std::nullopt;
    const auto processes = read_file_at(directory->get(), "cgroup.procs");
    if (!processes || trim(*processes) != std::to_string(process->pid)) return std::nullopt;
    const auto cgroups = read_file_at(directory->get(), "cgroup.stat");
    if (!cgroups || !cgroups->starts_with("nr_descendants 0\n")) return std::nullopt;
    auto state = cgroup_cpuset_knob().read(unit.at);
    if (!state || state->value != Value(CpuSet())) return std::nullopt;
    unit.state = std::move(*state);
    return unit;
}

std::string with_unit(const std::string& masks, const std::optional<UnitCpuset>& unit) {
    if (!unit) return masks;
    return fmt::format("{}{}{} {}\n{}\n{}", masks, unit_mark, std::get<CgroupId>(unit->at.target).inode, unit->at.place,
                       encode(unit->state.value), unit->state.detail);
}

std::string masks_in(std::string_view detail) { return std::string(detail.substr(0, detail.find(unit_mark))); }

std::optional<UnitCpuset> unit_in(const KnobAt& at, std::string_view detail) {
    const auto mark = detail.find(unit_mark);
    if (mark == std::string_view::npos) return std::nullopt;
    detail.remove_prefix(mark + unit_mark.size());
    const auto line = detail.substr(0, detail.find('\n'));
    std::uint64_t inode = 0;
    const auto space = line.find(' ');
    if (space == std::string_view::npos || !parse_u64(line.substr(0, space), inode)) return std::nullopt;
    UnitCpuset unit{cpuset_at(at.roots, inode, std::string(line.substr(space + 1))), {}};
    detail.remove_prefix(std::min(line.size() + 1, detail.size()));
    const auto value = detail.substr(0, detail.find('\n'));
    if (!decode(value, unit.state.value)) return std::nullopt;
    detail.remove_prefix(std::min(value.size() + 1, detail.size()));
    unit.state.detail = std::string(detail);
    return unit;
}

}  // namespace gotuned

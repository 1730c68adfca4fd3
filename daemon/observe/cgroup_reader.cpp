#include "observe/cgroup_reader.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <vector>

#include "base/text.h"
#include "observe/keyed.h"
#include "observe/psi.h"

namespace gotuned {
namespace {

using enum Signal;

Reading<SignalValue> number_of(const Reading<std::uint64_t>& number, Unit unit) {
    return number.map([unit](std::uint64_t value) { return SignalValue(Quantity{static_cast<double>(value), unit}); });
}
Reading<SignalValue> share_of(const Reading<PressureLine>& line) {
    return line.map([](const PressureLine& pressure) { return SignalValue(ratio(pressure.avg10)); });
}
/// A key of a file, or why the file is absent.
Reading<std::uint64_t> key_of(const Reading<std::string>& file, std::string_view key) {
    if (!file) return file.absent();
    return keyed_number(*file, key);
}

constexpr std::array rates{cg_memory_stall_rate, cg_memory_events_high, cg_memory_events_max, cg_memory_events_oom_kill,
                           cg_memory_refault,    cg_memory_swapin,      cg_cpu_throttled};
constexpr std::array pressures{cg_memory_psi_some, cg_memory_psi_full, cg_cpu_psi_some, cg_io_psi_full};

/// What is not known yet, since it takes two readings, is not at rest.
bool is_at_most(const SignalTable& table, Signal id, double most) {
    const auto value = table.get(id).value;
    if (!value) return value.absent().reason != Absence::not_observed && value.absent().reason != Absence::restarted;
    return std::get<Quantity>(*value).value <= most;
}

}  // namespace

bool at_rest(const SignalTable& table) {
    constexpr double felt = 0.01;
    return std::ranges::all_of(rates, [&table](Signal id) { return is_at_most(table, id, 0); }) &&
           std::ranges::all_of(pressures, [&table](Signal id) { return is_at_most(table, id, felt); });
}

Reading<SignalValue> parse_cgroup_limit(std::string_view text, Unit unit) {
    text = trim(text);
    std::uint64_t number = 0;
    if (text == "max") return SignalValue(Quantity{unlimited_value, unit});
    if (parse_u64(text, number)) return SignalValue(Quantity{static_cast<double>(number), unit});
    return Absent{Absence::malformed, "\"" + std::string(text.substr(0, 40)) + "\" is no limit"};
}

Reading<SignalValue> parse_cpu_max(std::string_view text) {
    const auto fields = split(trim(text), ' ');
    std::uint64_t quota = 0;
    std::uint64_t period = 0;
    if (fields.size() != 2 || !parse_u64(fields[1], period) || period == 0 ||
        (fields[0] != "max" && !parse_u64(fields[0], quota)))
        return Absent{Absence::malformed, "cpu.max is \"" + std::string(text.substr(0, 40)) + "\""};
    if (fields[0] == "max") return SignalValue(count(unlimited_value));
    return SignalValue(count(static_cast<double>(quota) / static_cast<double>(period)));
}

ControllerPlaces::ControllerPlaces(const Roots& roots) {
    if (auto table = read_file(roots.proc + "/cgroups")) table_ = std::move(*table);
}

bool ControllerPlaces::on_v1(std::string_view controller) const {
    const auto line =
        find_line(table_, controller);  // "memory	4	12	1": name, hierarchy, cgroups, enabled
    std::uint64_t hierarchy = 0;
    return line && parse_u64(line->substr(0, line->find('\t')), hierarchy) && hierarchy != 0;
}

/// The files of one reading, with the reason for each that is not there.
struct CgroupReader::Source {
    const HeldDirectory& directory;
    const ControllerPlaces& places;
    const std::vector<std::string_view> enabled;  ///< the controllers
    const bool root;
    mutable std::optional<bool> gone{};  ///< asked once: what is not there is not there for the same reason

    [[nodiscard]] Reading<std::string> file(std::string_view controller, const std::string& name) const {
        if (std::find(enabled.begin(), enabled.end(), controller) == enabled.end()) {
            if (!gone) gone = directory.gone();
            if (*gone) return Absence::vanished;
            if (places.on_v1(controller))
                return Absent{Absence::not_supported, std::string(controller) + " controller is on cgroup v1"};
            return Absent{Absence::not_supported,
                          std::string(controller) + " controller is not enabled for this cgroup"};
        }
        return plain(name);
    }
    /// Files that need no controller: cpu.stat, *.pressure.
    [[nodiscard]] Reading<std::string> plain(const std::string& name) const {
        auto content = directory.read(name);
        if (!content && content.absent().reason == Absence::not_supported && root)
            return Absent{Absence::not_supported, "the root cgroup has no " + name};
        return content;
    }
    [[nodiscard]] SignalReading limit(std::string_view controller, const std::string& name, Unit unit) const {
        const auto content = file(controller, name);
        if (!content) return {content.absent(), {}};
        return {parse_cgroup_limit(*content, unit), {}};
    }
};

Reading<HeldDirectory> CgroupReader::open(const Roots& roots) const {
    if (roots.cgroup2.empty()) return Absent{Absence::not_supported, "this host has no cgroup v2"};
    auto directory = HeldDirectory::open(roots.cgroup2 + path_, "cgroup.controllers");
    if (directory && directory->inode() != id_.inode)
        return Absent{Absence::vanished, "another cgroup has this name now"};
    return directory;
}

Reading<std::uint64_t> CgroupReader::usage(const Roots& roots) const {
    if (roots.cgroup2.empty()) return Absence::not_supported;
    const auto stat = read_file(roots.cgroup2 + path_ + "/cpu.stat");
    if (stat) return keyed_number(*stat, "usage_usec");
    if (stat.error().code == ENOENT) return Absence::vanished;  // each cgroup has one
    return absent_of(stat.error());
}

std::size_t CgroupReader::processes(const Reading<HeldDirectory>& directory) {
    // kernfs counts the links of a directory as other file systems do: two, and one for each below it.
    if (!directory || directory->links() != 2) return 0;
    const auto pids = directory->read("cgroup.procs");
    return pids ? static_cast<std::size_t>(std::ranges::count(*pids, '\n')) : 0;
}

SignalTable CgroupReader::read(const Reading<HeldDirectory>& directory, const ControllerPlaces& places, MonoTime now) {
    SignalTable table;
    const auto controllers = directory ? directory->read("cgroup.controllers") : directory.absent();
    if (!controllers) {
        for (const SignalInfo& row : signals())
            if (row.scope == Scope::cgroup) table.set(row.id, controllers.absent());
        return table;
    }
    const Source source{*directory, places, split(trim(*controllers), ' '), path_ == "/" || path_.empty()};
    read_memory(table, source, now);
    read_cpu(table, source, now);
    read_pressure(table, source);
    table.set(cg_pids_current, source.limit("pids", "pids.current", unit::count));
    table.set(cg_pids_max, source.limit("pids", "pids.max", unit::count));
    return table;
}

void CgroupReader::read_memory(SignalTable& table, const Source& source, MonoTime now) {
    const auto current = source.limit("memory", "memory.current", unit::bytes);
    table.set(cg_memory_current, current);
    table.set(cg_memory_high, source.limit("memory", "memory.high", unit::bytes));
    table.set(cg_memory_max, source.limit("memory", "memory.max", unit::bytes));
    table.set(cg_memory_low, source.limit("memory", "memory.low", unit::bytes));
    table.set(cg_memory_min, source.limit("memory", "memory.min", unit::bytes));
    table.set(cg_memory_swap_current, source.limit("memory", "memory.swap.current", unit::bytes));

    const auto stat = source.file("memory", "memory.stat");
    const auto inactive = number_of(key_of(stat, "inactive_file"), unit::bytes);
    if (!current.value || !inactive) {
        table.set(cg_memory_working_set, current.value ? inactive.absent() : current.value.absent());
    } else {
        // The two files are read one after the other, so the difference may come out below zero.
        const double used = std::get<Quantity>(*current.value).value;
        table.set(cg_memory_working_set, bytes(std::max(0.0, used - std::get<Quantity>(*inactive).value)));
    }
    table.set(cg_memory_anon, {number_of(key_of(stat, "anon"), unit::bytes), {}});
    table.set(cg_memory_file, {number_of(key_of(stat, "file"), unit::bytes), {}});
    table.set(cg_memory_inactive_file, {inactive, {}});
    table.set(cg_memory_shmem, {number_of(key_of(stat, "shmem"), unit::bytes), {}});
    table.set(cg_memory_sock, {number_of(key_of(stat, "sock"), unit::bytes), {}});
    table.set(cg_memory_kernel, {number_of(key_of(stat, "kernel"), unit::bytes), {}});

    const Pressure pressure = pressure_of(source.plain("memory.pressure"));
    table.set(cg_memory_psi_some, {share_of(pressure.some), {}});
    table.set(cg_memory_psi_full, {share_of(pressure.full), {}});
    table.set(cg_memory_stall_rate,
              stall_.signal(pressure.some.map([](const PressureLine& line) { return line.total_us; }), now, unit::ratio,
                            1e-6));

    const auto events = source.file("memory", "memory.events");
    table.set(cg_memory_events_high, high_.signal(key_of(events, "high"), now, unit::per_second));
    table.set(cg_memory_events_max, max_.signal(key_of(events, "max"), now, unit::per_second));
    table.set(cg_memory_events_oom_kill, oom_kill_.signal(key_of(events, "oom_kill"), now, unit::per_second));

    table.set(cg_memory_swapin, swapin_.signal(key_of(stat, "pswpin"), now, unit::per_second));
    const auto anon = refault_anon_.signal(key_of(stat, "workingset_refault_anon"), now, unit::per_second);
    const auto file = refault_file_.per_second(key_of(stat, "workingset_refault_file"), now);
    if (!anon.value.present() || !file)
        table.set(cg_memory_refault, anon.value.present() ? SignalReading{file.absent(), {}} : anon);
    else
        table.set(cg_memory_refault,
                  SignalReading{SignalValue(rate(std::get<Quantity>(*anon.value).value + *file)), anon.exposure});
}

void CgroupReader::read_cpu(SignalTable& table, const Source& source, MonoTime now) {
    const auto quota = source.file("cpu", "cpu.max");
    table.set(cg_cpu_quota, quota ? SignalReading{parse_cpu_max(*quota), {}} : SignalReading{quota.absent(), {}});
    const auto stat = source.file("cpu", "cpu.stat");
    const auto periods = periods_.grow(key_of(stat, "nr_periods"), now);
    const auto throttled = throttled_.grow(key_of(stat, "nr_throttled"), now);
    if (!periods || !throttled) {
        table.set(cg_cpu_throttled, periods ? throttled.absent() : periods.absent());
    } else if (periods->amount == 0) {
        table.set(cg_cpu_throttled, ratio(0));
    } else {
        table.set(cg_cpu_throttled,
                  ratio(static_cast<double>(throttled->amount) / static_cast<double>(periods->amount)));
    }
}

void CgroupReader::read_pressure(SignalTable& table, const Source& source) {
    table.set(cg_cpu_psi_some, {share_of(pressure_of(source.plain("cpu.pressure")).some), {}});
    table.set(cg_io_psi_full, {share_of(pressure_of(source.plain("io.pressure")).full), {}});
}

bool CgroupReader::refresh(SignalTable& table, const Roots& roots, const ControllerPlaces& places, MonoTime now) {
    const auto directory = open(roots);
    const auto controllers = directory ? directory->read("cgroup.controllers") : directory.absent();
    if (!controllers) return false;
    const Source source{*directory, places, split(trim(*controllers), ' '), path_ == "/" || path_.empty()};
    read_memory(table, source, now);
    read_pressure(table, source);
    return true;
}

bool CgroupReader::stalled_since(const Roots& roots) const {
    const auto directory = open(roots);
    if (!directory) return false;
    const Pressure pressure = pressure_of(directory->read("memory.pressure"));
    return pressure.some && stall_.last() && pressure.some->total_us > *stall_.last();
}

}  // namespace gotuned

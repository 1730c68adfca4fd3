#include "observe/host_reader.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/text.h"
#include "observe/held_directory.h"
#include "observe/keyed.h"
#include "observe/psi.h"
#include "observe/sysctl.h"

namespace gotuned {
namespace {

using enum Signal;

Reading<std::uint64_t> key_of(const Reading<std::string>& file, std::string_view key) {
    if (!file) return file.absent();
    return keyed_number(*file, key);
}
Reading<std::uint64_t> kilobytes_of(const Reading<std::string>& file, std::string_view key) {
    if (!file) return file.absent();
    return keyed_kilobytes(*file, key);
}
SignalReading share_of(const Reading<PressureLine>& line) {
    return {line.map([](const PressureLine& pressure) { return SignalValue(ratio(pressure.avg10)); }), {}};
}
SignalReading quantity_of(const Reading<double>& value, Unit unit) {
    return {value.map([unit](double number) { return SignalValue(Quantity{number, unit}); }), {}};
}

Reading<double> used_swap(const Reading<std::string>& meminfo) {
    const auto total = kilobytes_of(meminfo, "SwapTotal");
    const auto free = kilobytes_of(meminfo, "SwapFree");
    if (!total || !free) return total ? free.absent() : total.absent();
    if (*free > *total) return Absent{Absence::malformed, "SwapFree is more than SwapTotal"};
    return static_cast<double>(*total - *free);
}

}  // namespace

Reading<CpuTimes> parse_cpu_times(std::string_view stat) {
    constexpr std::size_t fields_wanted = 8, steal_field = 7;  // user nice system idle iowait irq softirq steal
    const auto line = find_line(stat, "cpu");
    CpuTimes out;
    std::size_t index = 0;
    if (line) {
        for (const std::string_view field : split(*line, ' ')) {
            if (field.empty()) continue;
            std::uint64_t ticks = 0;
            if (!parse_u64(field, ticks)) break;
            if (index == steal_field) out.steal = ticks;
            out.all += ticks;
            if (++index == fields_wanted) return out;
        }
    }
    return Absent{Absence::malformed, "/proc/stat has no cpu line as in proc(5)"};
}

std::map<std::string, std::string> own_environment(const char* const* environment) {
    std::map<std::string, std::string> out;
    for (; environment != nullptr && *environment != nullptr; ++environment) {
        const std::string_view entry(*environment);
        const std::size_t equals = entry.find('=');
        if (equals != std::string_view::npos && entry.starts_with("GOTUNED_"))
            out.emplace(entry.substr(0, equals), entry.substr(equals + 1));
    }
    return out;
}

HostReader::HostReader(Roots roots) : roots_(std::move(roots)), environment_(own_environment(::environ)) {
    if (const auto id = file("sys/kernel/random/boot_id")) boot_id_ = trim(*id);
}

Reading<std::string> HostReader::file(const std::string& name) const {
    auto content = read_file(roots_.proc + "/" + name, 8U << 20U);  // /proc/stat has a line of all interrupts
    if (!content) return absent_of(content.error());
    return std::move(*content);
}

Reading<CpuSet> HostReader::online() const {
    const auto text = read_file(roots_.sys + "/devices/system/cpu/online");
    if (!text) return absent_of(text.error());
    CpuSet set;
    if (!CpuSet::parse(*text, set) || set.empty()) return Absent{Absence::malformed, "online CPUs are no CPU list"};
    return set;
}

HostState HostReader::read(MonoTime now) {
    HostState out;
    out.boot_id = boot_id_;
    out.environment = environment_;
    const auto meminfo = file("meminfo");
    const auto pressure = pressure_of(file("pressure/memory"));
    out.signals.set(host_memory_available,
                    quantity_of(kilobytes_of(meminfo, "MemAvailable").map([](std::uint64_t value) {
                        return static_cast<double>(value);
                    }),
                                unit::bytes));
    out.signals.set(host_memory_psi_some, share_of(pressure.some));
    out.signals.set(host_memory_psi_full, share_of(pressure.full));
    out.signals.set(host_swap_used, quantity_of(used_swap(meminfo), unit::bytes));

    const auto vmstat = file("vmstat");
    static const auto page = static_cast<double>(::sysconf(_SC_PAGESIZE));
    out.signals.set(host_swap_in, swap_in_.signal(key_of(vmstat, "pswpin"), now, unit::bytes_per_second, page));
    out.signals.set(host_swap_out, swap_out_.signal(key_of(vmstat, "pswpout"), now, unit::bytes_per_second, page));
    out.signals.set(host_cpu_psi_some, share_of(pressure_of(file("pressure/cpu")).some));

    const auto stat = file("stat");
    const Reading<CpuTimes> times = stat ? parse_cpu_times(*stat) : stat.absent();
    const auto steal = steal_.grow(times.map([](const CpuTimes& t) { return t.steal; }), now);
    const auto all = cpu_.grow(times.map([](const CpuTimes& t) { return t.all; }), now);
    if (!steal || !all) {
        out.signals.set(host_cpu_steal, steal ? all.absent() : steal.absent());
    } else if (all->amount == 0) {
        out.signals.set(host_cpu_steal, Absent{Absence::no_data, "less than a clock tick passed"});
    } else {
        out.signals.set(host_cpu_steal, ratio(static_cast<double>(steal->amount) / static_cast<double>(all->amount)));
    }
    out.signals.set(host_cpu_context_switch, switches_.signal(key_of(stat, "ctxt"), now, unit::per_second));
    const auto release = file("sys/kernel/osrelease");
    out.signals.set(host_kernel,
                    {release.map([](const std::string& text) { return SignalValue(std::string(trim(text))); }), {}});
    for (const std::string& name : wanted_) out.sysctls.emplace(name, read_sysctl(roots_, name));
    return out;
}

}  // namespace gotuned

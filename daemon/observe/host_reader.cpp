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
SignalReading share_of(const Reading<PressureLine>& line, double PressureLine::* average = &PressureLine::avg10) {
    return {line.map([average](const PressureLine& pressure) { return SignalValue(ratio(pressure.*average)); }), {}};
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
    // user nice system idle iowait irq softirq steal
    constexpr std::size_t fields_wanted = 8, irq_field = 5, softirq_field = 6, steal_field = 7;
    const auto line = find_line(stat, "cpu");
    CpuTimes out;
    std::size_t index = 0;
    if (line) {
        for (const std::string_view field : split(*line, ' ')) {
            if (field.empty()) continue;
            std::uint64_t ticks = 0;
            if (!parse_u64(field, ticks)) break;
            if (index == irq_field) out.irq = ticks;
            if (index == softirq_field) out.softirq = ticks;
            if (index == steal_field) out.steal = ticks;
            out.all += ticks;
            if (++index == fields_wanted) return out;
        }
    }
    return Absent{Absence::malformed, "/proc/stat has no cpu line as in proc(5)"};
}

Reading<std::string> chosen_word(std::string_view text) {
    const std::size_t open = text.find('[');
    const std::size_t close = text.find(']', open == std::string_view::npos ? 0 : open);
    if (open == std::string_view::npos || close == std::string_view::npos || close == open + 1)
        return Absent{Absence::malformed, "no word is chosen in \"" + std::string(text.substr(0, 40)) + "\""};
    return std::string(text.substr(open + 1, close - open - 1));
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

void HostReader::refresh(HostState& out, MonoTime now) {
    const auto meminfo = file("meminfo");
    const auto pressure = pressure_of(file("pressure/memory"));
    out.signals.set(host_memory_available,
                    quantity_of(kilobytes_of(meminfo, "MemAvailable").map([](std::uint64_t value) {
                        return static_cast<double>(value);
                    }),
                                unit::bytes));
    out.signals.set(host_memory_psi_some, share_of(pressure.some));
    out.signals.set(host_memory_psi_some_60s, share_of(pressure.some, &PressureLine::avg60));
    out.signals.set(host_memory_psi_some_300s, share_of(pressure.some, &PressureLine::avg300));
    out.signals.set(host_memory_psi_full, share_of(pressure.full));
    out.signals.set(host_memory_psi_full_60s, share_of(pressure.full, &PressureLine::avg60));
    out.signals.set(host_memory_psi_full_300s, share_of(pressure.full, &PressureLine::avg300));
    out.signals.set(host_memory_stall, stall_.signal(pressure.some.map([](const auto& line) { return line.total_us; }),
                                                     now, unit::ratio, 1e-6));
    out.signals.set(host_swap_used, quantity_of(used_swap(meminfo), unit::bytes));

    const auto vmstat = file("vmstat");
    static const auto page = static_cast<double>(::sysconf(_SC_PAGESIZE));
    out.signals.set(host_swap_in, swap_in_.signal(key_of(vmstat, "pswpin"), now, unit::bytes_per_second, page));
    out.signals.set(host_swap_out, swap_out_.signal(key_of(vmstat, "pswpout"), now, unit::bytes_per_second, page));
    out.signals.set(host_cpu_psi_some, share_of(pressure_of(file("pressure/cpu")).some));
}

HostState HostReader::read(MonoTime now) {
    HostState out;
    out.boot_id = boot_id_;
    out.environment = environment_;
    refresh(out, now);

    read_cpu(out, now);
    blocks_.read(out, roots_, now);
    network_.read(out.signals, roots_, now);
    clock_.read(out.signals, roots_, now);
    const auto thp = read_file(roots_.sys + "/kernel/mm/transparent_hugepage/enabled");
    out.signals.set(host_thp, {(thp ? chosen_word(*thp) : absent_of(thp.error())).map([](const std::string& word) {
                                   return SignalValue(word);
                               }),
                               {}});
    const auto release = file("sys/kernel/osrelease");
    out.signals.set(host_kernel,
                    {release.map([](const std::string& text) { return SignalValue(std::string(trim(text))); }), {}});
    for (const std::string& name : wanted_) out.sysctls.emplace(name, read_sysctl(roots_, name));
    return out;
}

void HostReader::read_cpu(HostState& out, MonoTime now) {
    const auto stat = file("stat");
    const Reading<CpuTimes> times = stat ? parse_cpu_times(*stat) : stat.absent();
    const auto all = cpu_.grow(times.map([](const CpuTimes& t) { return t.all; }), now);
    const auto set = [&](Signal id, Counter& counter, std::uint64_t CpuTimes::* part) {
        const auto grown = counter.grow(times.map([part](const CpuTimes& t) { return t.*part; }), now);
        if (!grown || !all) {
            out.signals.set(id, grown ? all.absent() : grown.absent());
        } else if (all->amount == 0) {
            out.signals.set(id, Absent{Absence::no_data, "less than a clock tick passed"});
        } else {
            out.signals.set(id, ratio(static_cast<double>(grown->amount) / static_cast<double>(all->amount)));
        }
    };
    set(host_cpu_steal, steal_, &CpuTimes::steal);
    set(host_cpu_irq, irq_, &CpuTimes::irq);
    set(host_cpu_softirq, softirq_, &CpuTimes::softirq);
    out.signals.set(host_cpu_context_switch, switches_.signal(key_of(stat, "ctxt"), now, unit::per_second));
}

}  // namespace gotuned

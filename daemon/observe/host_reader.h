// Reads the host: memory, swap, CPU, pressure, kernel, and the sysctls that somebody named.
#pragma once

#include <map>
#include <set>
#include <string>

#include "base/files.h"
#include "observe/block_devices.h"
#include "observe/counter.h"
#include "observe/host_clock.h"
#include "observe/host_network.h"
#include "observe/snapshot.h"

namespace gotuned {

class HostReader {
public:
    explicit HostReader(Roots roots);
    void want_sysctls(std::set<std::string> names) { wanted_ = std::move(names); }
    HostState read(MonoTime now);
    /// Memory and pressure alone (answers_pressure()) in a state that read() has filled.
    void refresh(HostState& state, MonoTime now);
    /// CPUs that are online (SYS/devices/system/cpu/online).
    [[nodiscard]] Reading<CpuSet> online() const;
    [[nodiscard]] ClockWatch& clock() { return clock_.watch(); }

private:
    [[nodiscard]] Reading<std::string> file(const std::string& name) const;

    Roots roots_;
    std::string boot_id_;
    std::map<std::string, std::string> environment_;
    std::set<std::string> wanted_;
    void read_cpu(HostState& out, MonoTime now);

    Counter stall_, swap_in_, swap_out_, switches_, steal_, irq_, softirq_, cpu_;
    BlockDevices blocks_{};
    HostNetwork network_{};
    HostClock clock_{};
};

/// The names and values in `environment` (as environ(7)) that begin with GOTUNED_.
std::map<std::string, std::string> own_environment(const char* const* environment);

/// The first line of /proc/stat, in clock ticks; guest time is within user time already.
struct CpuTimes {
    std::uint64_t all = 0;
    std::uint64_t irq = 0;
    std::uint64_t softirq = 0;
    std::uint64_t steal = 0;
};
Reading<CpuTimes> parse_cpu_times(std::string_view stat);

/// "always [madvise] never" → "madvise". Absent: malformed.
Reading<std::string> chosen_word(std::string_view text);

}  // namespace gotuned

#include "observe/cpu_quota.h"

#include <algorithm>

#include "base/text.h"
#include "base/value.h"

namespace gotuned {
namespace {

constexpr Duration reread = std::chrono::seconds(15);

}  // namespace

double CpuQuotas::parse(std::string_view cpu_max) {
    const auto fields = split(trim(cpu_max), ' ');
    std::uint64_t quota = 0;
    std::uint64_t period = 0;
    if (fields.size() != 2 || !parse_u64(fields[0], quota) || !parse_u64(fields[1], period) || period == 0)
        return unlimited_value;
    return static_cast<double>(quota) / static_cast<double>(period);
}

double CpuQuotas::of(const std::string& path, MonoTime now) {
    // The root cgroup has no cpu.max.
    if (cgroup2_.empty() || path.size() <= 1) return unlimited_value;
    const auto known = known_.find(path);
    if (known != known_.end() && now - known->second.at < reread) return known->second.cpus;
    if (now - swept_ >= reread) {
        std::erase_if(known_, [now](const auto& entry) { return now - entry.second.at >= reread; });
        swept_ = now;
    }
    const std::size_t slash = path.rfind('/');
    double least = slash == std::string::npos ? unlimited_value : of(path.substr(0, slash), now);
    if (const auto text = read_file(cgroup2_ + path + "/cpu.max")) least = std::min(least, parse(*text));
    known_.insert_or_assign(path, Known{least, now});
    return least;
}

}  // namespace gotuned

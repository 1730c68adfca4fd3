// How many CPUs a cgroup's processes can have by quota: the least of its own cpu.max and those above it. Used for
// cpu.gomaxprocs_excess.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/files.h"
#include "base/time.h"

namespace gotuned {

class CpuQuotas {
public:
    explicit CpuQuotas(std::string cgroup2) : cgroup2_(std::move(cgroup2)) {}

    /// CPUs, infinite where nothing limits. Read anew every 15 s, and for whom asks first; what is above it likewise,
    /// so that a change there is seen after twice that at most.
    double of(const std::string& path, MonoTime now);
    /// Some cpu.max was written to: every one is read anew.
    void forget() { known_.clear(); }

    /// "150000 100000" is 1.5; "max 100000", and what cannot be understood, is infinite.
    static double parse(std::string_view cpu_max);

private:
    struct Known {
        double cpus = 0;
        MonoTime at{};
    };
    std::string cgroup2_;
    std::map<std::string, Known, std::less<>> known_{};  ///< those above the asked ones, too
    MonoTime swept_{};
};

}  // namespace gotuned

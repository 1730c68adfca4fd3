// Time: one monotonic point type for everything that waits or measures, wall time for people only,
// and a Clock that tests replace.
#pragma once

#include <chrono>
#include <cmath>
#include <cstdint>

namespace gotuned {

using Duration = std::chrono::nanoseconds;

/// A point on CLOCK_MONOTONIC, in nanoseconds since boot (suspend not counted). It is the clock of
/// bpf_ktime_get_ns(), so probe stamps and user space compare directly, and it goes on over a restart of
/// the daemon within one boot.
struct MonoClock {
    using duration = Duration;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<MonoClock>;
    static constexpr bool is_steady = true;
    static time_point now();
};
using MonoTime = MonoClock::time_point;
/// Wall time, for records that people read; never compared to decide anything.
using WallTime = std::chrono::system_clock::time_point;

/// The clock a room is handed. Production uses SystemClock, tests a clock they move by hand.
class Clock {
public:
    virtual ~Clock() = default;
    [[nodiscard]] virtual MonoTime mono() const = 0;
    [[nodiscard]] virtual WallTime wall() const = 0;
};
class SystemClock final : public Clock {
public:
    [[nodiscard]] MonoTime mono() const override { return MonoClock::now(); }
    [[nodiscard]] WallTime wall() const override { return std::chrono::system_clock::now(); }
};
/// For tests: stands still until advance().
class ManualClock final : public Clock {
public:
    [[nodiscard]] MonoTime mono() const override { return mono_; }
    [[nodiscard]] WallTime wall() const override { return wall_; }
    void advance(Duration by) {
        mono_ += by;
        wall_ += std::chrono::duration_cast<WallTime::duration>(by);
    }

private:
    MonoTime mono_{std::chrono::hours(1)};
    WallTime wall_{std::chrono::seconds(1'700'000'000)};
};

inline double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }
/// To the nearest nanosecond: what seconds() gave is the same duration again, as far as a double goes (some 100 days).
inline Duration from_seconds(double value) { return Duration(std::llround(value * 1e9)); }

}  // namespace gotuned

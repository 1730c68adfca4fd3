// Rates from counters that only grow: the difference of two readings over the time between them. The first reading
// gives no rate, and neither does one that is smaller than the last (the counted thing was made anew).
#pragma once

#include <cstdint>
#include <optional>

#include "base/reading.h"
#include "base/time.h"
#include "observe/snapshot.h"

namespace gotuned {

class Counter {
public:
    /// What was added since the last reading. Absent: not_observed (first reading), restarted, or why `value` is.
    /// An absent value leaves the last reading in place: the next rate covers the longer time.
    struct Growth {
        std::uint64_t amount = 0;
        double seconds = 0;  ///< above 0
        [[nodiscard]] double per_second() const { return static_cast<double>(amount) / seconds; }
    };
    Reading<Growth> grow(const Reading<std::uint64_t>& value, MonoTime now);
    /// Of grow(): a second.
    Reading<double> per_second(const Reading<std::uint64_t>& value, MonoTime now);
    /// Of grow(), as a signal: times `factor` a second, with the time it stands for, which is longer than a tick when a
    /// reading before was missed.
    SignalReading signal(const Reading<std::uint64_t>& value, MonoTime now, Unit unit, double factor = 1);

    /// The last reading; nothing: there was none.
    [[nodiscard]] std::optional<std::uint64_t> last() const {
        return last_ ? std::optional<std::uint64_t>(last_->value) : std::nullopt;
    }

private:
    struct Last {
        std::uint64_t value;
        MonoTime at;
    };
    std::optional<Last> last_;
};

}  // namespace gotuned

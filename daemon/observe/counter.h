// Rates from counters that only grow: the difference of two readings over the time between them. The first reading
// gives no rate, and neither does one that is smaller than the last (the counted thing was made anew).
#pragma once

#include <cstdint>
#include <optional>

#include "base/reading.h"
#include "base/time.h"

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

private:
    struct Last {
        std::uint64_t value;
        MonoTime at;
    };
    std::optional<Last> last_;
};

}  // namespace gotuned

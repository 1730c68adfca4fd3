#include "observe/counter.h"

namespace gotuned {

Reading<Counter::Growth> Counter::grow(const Reading<std::uint64_t>& value, MonoTime now) {
    if (!value) return value.absent();
    if (!last_) {
        last_ = Last{*value, now};
        return Absence::not_observed;
    }
    if (now <= last_->at) return Absence::not_observed;  // two readings at one time tell nothing
    const Last before = *last_;
    last_ = Last{*value, now};
    if (*value < before.value) return Absence::restarted;
    return Growth{*value - before.value, seconds(now - before.at)};
}

Reading<double> Counter::per_second(const Reading<std::uint64_t>& value, MonoTime now) {
    return grow(value, now).map([](const Growth& growth) { return growth.per_second(); });
}

SignalReading Counter::signal(const Reading<std::uint64_t>& value, MonoTime now, Unit unit, double factor) {
    const auto growth = grow(value, now);
    if (!growth) return {growth.absent(), {}};
    const Duration window = from_seconds(growth->seconds);
    return {SignalValue(Quantity{growth->per_second() * factor, unit}), {window, window}};
}

}  // namespace gotuned

// When in a tick the windows are open: at a random offset, so that work that repeats with the
// tick is neither always seen nor always missed.
#pragma once

#include <algorithm>
#include <random>

#include "base/time.h"

namespace gotuned {

class WindowSchedule {
public:
    explicit WindowSchedule(std::uint64_t seed) : random_(seed) {}
    struct Window {
        MonoTime open{}, close{};
    };
    /// A window of `wanted` within [tick, tick + length): it closes before the next Snapshot is made. A tick shorter
    /// than a window is half window.
    Window next(MonoTime tick, Duration length, Duration wanted) {
        const Duration open_for = std::min(wanted, length / 2);
        return within(tick, length - length / 20, open_for);  // a margin, so that a late close is still in time
    }

    /// One window after the other, both of `wanted` as next() has it; both at once in a tick that has no room for two.
    struct Pair {
        Window first{}, second{};
        [[nodiscard]] Window whole() const { return {first.open, second.close}; }
    };
    Pair next_two(MonoTime tick, Duration length, Duration wanted) {
        if (4 * wanted > length) {
            const Window both = next(tick, length, wanted);
            return {both, both};
        }
        const Window whole = next(tick, length, 2 * wanted);
        const MonoTime middle = whole.open + wanted;
        return {{whole.open, middle}, {middle, whole.close}};
    }
    /// A time of `wanted` that does not meet `taken`, of the same [tick, tick + length): within what is longer of the
    /// time before it and of that after it, and shorter than wanted when it does not fit there.
    Window beside(const Window& taken, MonoTime tick, Duration length, Duration wanted) {
        const MonoTime last = tick + length - length / 20;
        const bool after = last - taken.close >= taken.open - tick;
        const MonoTime from = after ? taken.close : tick;
        const Duration room = (after ? last : taken.open) - from;
        return within(from, room, std::clamp(wanted, Duration::zero(), room));
    }

private:
    /// Somewhere in the `room` from `from` on.
    Window within(MonoTime from, Duration room, Duration open_for) {
        std::uniform_int_distribution<Duration::rep> offset(0, std::max<Duration::rep>((room - open_for).count(), 0));
        const MonoTime open = from + Duration(offset(random_));
        return {open, open + open_for};
    }
    std::mt19937_64 random_;
};

}  // namespace gotuned

// When in a tick the system-call windows are open: at a random offset, so that work that repeats with the
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
        const Duration room = length - open_for - length / 20;  // a margin, so that a late close is still in time
        std::uniform_int_distribution<Duration::rep> offset(0, std::max<Duration::rep>(room.count(), 0));
        const MonoTime open = tick + Duration(offset(random_));
        return {open, open + open_for};
    }

private:
    std::mt19937_64 random_;
};

}  // namespace gotuned

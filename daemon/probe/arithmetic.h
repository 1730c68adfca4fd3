// The pure part of reading slots: differences of counters that wrap, and how long the windows were open. No kernel.
#pragma once

#include "probe/probes.h"

namespace gotuned {

/// What a histogram gained. `max` is the maximum of the interval, not a difference. Buckets wrap at 2^32 and sums at
/// 2^64; a sum of squares that its own buckets rule out (it wrapped more than once) is replaced by the one that the
/// buckets' middles give.
Distribution difference(const gt_hist& now, const gt_hist& before, std::uint64_t max_ns);

/// What a slot gained; the durations are left zero. Maxima are taken from `now` as they are.
SlotDelta difference(const gt_slot& now, const gt_slot& before);

/// How long something was open, up to any moment: a slot's exposure is the difference of two totals, so a slot that
/// was watched in the middle of a window gets only its part of it.
class OpenTime {
public:
    void open(MonoTime now);
    void close(MonoTime now);
    [[nodiscard]] bool is_open() const { return open_; }
    /// Moments before the last opening count nothing of it.
    [[nodiscard]] Duration total(MonoTime now) const;

private:
    Duration closed_{};
    MonoTime since_{};
    bool open_ = false;
};

}  // namespace gotuned

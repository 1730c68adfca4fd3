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

/// Adds the counters of `from`, modulo their widths, and its maxima. Atomically: `into` may be a slot that programs
/// count in.
void accumulate(gt_slot& into, const gt_slot& from);

/// Calls `visit(a's, b's)` for each histogram of a slot.
template <typename A, typename B, typename Visit>
void for_each_histogram(A& a, B& b, Visit visit) {
    visit(a.epoll_wake, b.epoll_wake);
    visit(a.netpoll_sleep, b.netpoll_sleep);
    visit(a.timer_late, b.timer_late);
    visit(a.runq, b.runq);
    visit(a.netpoll_wait, b.netpoll_wait);
    visit(a.connect_time, b.connect_time);
    visit(a.lifetime, b.lifetime);
    visit(a.reclaim, b.reclaim);
    for (std::size_t i = 0; i < GT_CLASSES; ++i) {
        visit(a.blocked[i], b.blocked[i]);
        visit(a.window[i], b.window[i]);
    }
}

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

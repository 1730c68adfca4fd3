#include "probe/arithmetic.h"

#include <algorithm>
#include <cmath>

namespace gotuned {
namespace {

constexpr double second_per_nanosecond = 1e-9;
/// Sums of squares are of (ns >> GT_SQUARE_SHIFT)².
constexpr double squared_unit =
    (second_per_nanosecond * (1U << GT_SQUARE_SHIFT)) * (second_per_nanosecond * (1U << GT_SQUARE_SHIFT));

static_assert(Distribution::bucket_count == GT_BUCKETS);

struct Squares {
    double least = 0, middle = 0, most = 0;
};

/// What the sum of squares can be, given the counts.
Squares squares_of(const Distribution& counted) {
    Squares squares;
    for (std::size_t i = 0; i < Distribution::bucket_count; ++i) {
        const double count = counted.buckets[i];
        if (count <= 0) continue;
        const double low = Distribution::lower_bound(i);
        const double high = std::min(Distribution::upper_bound(i), std::max(counted.max, low));
        const double least = std::max(0.0, low - 16e-9);  // each value was cut to a multiple of 16 ns
        const double middle = (low + high) / 2;
        squares.least += count * least * least;
        squares.middle += count * middle * middle;
        squares.most += count * high * high;
    }
    return squares;
}

std::uint64_t gained(std::uint64_t now, std::uint64_t before) { return now - before; }

/// Any of the three kinds of histogram, whose first bucket is the distribution's `first`.
template <typename Histogram>
Distribution gained_of(const Histogram& now, const Histogram& before, std::size_t first, std::uint64_t max_ns) {
    Distribution result;
    double count = 0;
    for (std::size_t i = 0; i < std::size(now.buckets); ++i) {
        const double events = static_cast<double>(static_cast<std::uint32_t>(now.buckets[i] - before.buckets[i]));
        result.buckets[first + i] = events;
        count += events;
    }
    if (count <= 0) return {};
    result.sum = static_cast<double>(gained(now.sum_ns, before.sum_ns)) * second_per_nanosecond;
    result.sum_of_squares = static_cast<double>(gained(now.sum_sq, before.sum_sq)) * squared_unit;
    result.max = static_cast<double>(max_ns) * second_per_nanosecond;
    const Squares possible = squares_of(result);
    if (result.sum_of_squares < possible.least * (1 - 1e-9) || result.sum_of_squares > possible.most * (1 + 1e-9))
        result.sum_of_squares = possible.middle;
    return result;
}

/// The histogram's sums, corrected. In an open window a program may have written the one and not yet the other: where
/// that would make less than nothing of them, there is none.
SlotDelta::Jitter jitter_of(const gt_short_hist& now, const gt_short_hist& before, const gt_jitter& corrected,
                            const gt_jitter& corrected_before) {
    std::uint64_t count = gained(corrected.count, corrected_before.count);
    for (std::size_t i = 0; i < std::size(now.buckets); ++i)
        count += static_cast<std::uint32_t>(now.buckets[i] - before.buckets[i]);
    const auto sum = static_cast<std::int64_t>(gained(now.sum_ns, before.sum_ns) +
                                               gained(corrected.sum_ns, corrected_before.sum_ns));
    const auto squares = static_cast<std::int64_t>(gained(now.sum_sq, before.sum_sq) +
                                                   gained(corrected.sum_sq, corrected_before.sum_sq));
    if (static_cast<std::int64_t>(count) <= 0 || sum < 0 || squares < 0) return {};
    return {static_cast<double>(count), static_cast<double>(sum) * second_per_nanosecond,
            static_cast<double>(squares) * squared_unit};
}

}  // namespace

Distribution difference(const gt_hist& now, const gt_hist& before, std::uint64_t max_ns) {
    return gained_of(now, before, 0, max_ns);
}

SlotDelta difference(const gt_slot& now, const gt_slot& before) {
    SlotDelta delta;
    const auto hist = [](const gt_hist& a, const gt_hist& b) { return difference(a, b, a.max_ns); };
    delta.switches = gained(now.switches, before.switches);
    delta.migrations = gained(now.migrations, before.migrations);
    delta.epoll_wake = hist(now.epoll_wake, before.epoll_wake);
    delta.netpoll_sleep = hist(now.netpoll_sleep, before.netpoll_sleep);
    delta.timer_late = hist(now.timer_late, before.timer_late);
    delta.runq = hist(now.runq, before.runq);
    delta.runq.add(delta.epoll_wake);
    delta.netpoll_wait = hist(now.netpoll_wait, before.netpoll_wait);
    delta.tcp.connect_time = hist(now.connect_time, before.connect_time);
    delta.tcp.lifetime = hist(now.lifetime, before.lifetime);
    delta.tcp.connects_failed = gained(now.tcp.connects_failed, before.tcp.connects_failed);
    delta.tcp.resets = gained(now.tcp.resets, before.tcp.resets);
    delta.tcp.established = gained(now.tcp.established, before.tcp.established);
    delta.tcp.ended = gained(now.tcp.ended, before.tcp.ended);
    delta.tcp.ended_here = gained(now.tcp.ended_here, before.tcp.ended_here);
    delta.tcp.time_waits = gained(now.tcp.time_waits, before.tcp.time_waits);
    delta.reclaim = hist(now.reclaim, before.reclaim);
    delta.swapins = gained(now.swapins, before.swapins);
    for (std::size_t i = 0; i < GT_CLASSES; ++i) {
        delta.blocked[i] = gained_of(now.blocked[i], before.blocked[i], GT_BLOCKED_FIRST, now.blocked[i].max_ns);
        delta.window[i] = gained_of(now.window[i], before.window[i], 0, now.window[i].max_ns);
        delta.jitter[i] = jitter_of(now.window[i], before.window[i], now.jitter[i], before.jitter[i]);
    }
    for (std::size_t i = 0; i < GT_ERRNOS; ++i) delta.failed[i] = gained(now.failed[i], before.failed[i]);
    for (std::size_t i = 0; i < 2; ++i) {
        delta.polls.polls[i] = gained(now.polls.polls[i], before.polls.polls[i]);
        delta.polls.empty[i] = gained(now.polls.empty[i], before.polls.empty[i]);
        delta.polls.events[i] = gained(now.polls.events[i], before.polls.events[i]);
    }
    return delta;
}

void accumulate(gt_slot& into, const gt_slot& from) {
    // A member that is new in gt_slot is added up here and differs in difference(), or nobody sees it.
    static_assert(sizeof(gt_slot) == 3632);
    const auto add = [](auto& counter, const auto& amount) {
        if (amount != 0) __atomic_fetch_add(&counter, amount, __ATOMIC_RELAXED);
    };
    const auto add_all = [&add](auto& counters, const auto& amounts) {
        for (std::size_t i = 0; i < std::size(counters); ++i) add(counters[i], amounts[i]);
    };
    add(into.switches, from.switches);
    add(into.migrations, from.migrations);
    // No program counts TCP into copies: gt_slot.tcp stays as it is.
    add(into.swapins, from.swapins);
    add_all(into.failed, from.failed);
    add_all(into.polls.polls, from.polls.polls);
    add_all(into.polls.empty, from.polls.empty);
    add_all(into.polls.events, from.polls.events);
    for_each_histogram(into, from, [&](auto& histogram, const auto& more) {
        add_all(histogram.buckets, more.buckets);
        add(histogram.sum_ns, more.sum_ns);
        add(histogram.sum_sq, more.sum_sq);
        // A program may set a larger one meanwhile, and lose it: as two programs do that race.
        if (more.max_ns > histogram.max_ns) __atomic_store_n(&histogram.max_ns, more.max_ns, __ATOMIC_RELAXED);
    });
    for (std::size_t i = 0; i < GT_CLASSES; ++i) {
        add(into.jitter[i].count, from.jitter[i].count);
        add(into.jitter[i].sum_ns, from.jitter[i].sum_ns);
        add(into.jitter[i].sum_sq, from.jitter[i].sum_sq);
    }
}

void OpenTime::open(MonoTime now) {
    if (open_) return;
    open_ = true;
    since_ = now;
}

void OpenTime::close(MonoTime now) {
    closed_ = total(now);
    open_ = false;
}

Duration OpenTime::total(MonoTime now) const { return open_ && now > since_ ? closed_ + (now - since_) : closed_; }

}  // namespace gotuned

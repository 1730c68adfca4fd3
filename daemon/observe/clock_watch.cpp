#include "observe/clock_watch.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <utility>

namespace gotuned {
namespace {

Duration of(clockid_t clock) {
    timespec time{};
    ::clock_gettime(clock, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

/// A clock that is set each moment would fill the memory; so many are told one by one.
constexpr std::size_t most_told = 16;

}  // namespace

Duration ClockWatch::wall_offset() {
    // The wall clock is read between two looks at the other: of a few tries the one that was interrupted least.
    Duration best{};
    Duration least = Duration::max();
    for (int i = 0; i < 5; ++i) {
        const Duration before = of(CLOCK_BOOTTIME);
        const Duration wall = of(CLOCK_REALTIME);
        const Duration after = of(CLOCK_BOOTTIME);
        if (after - before >= least) continue;
        least = after - before;
        best = wall - (before + (after - before) / 2);
    }
    return best;
}

ClockWatch::ClockWatch(Offset offset)
    : offset_(std::move(offset)), timer_(::timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK)) {
    arm();  // before the first look: no step falls between
    last_ = offset_();
}

void ClockWatch::arm() {
    if (!timer_.valid()) return;
    itimerspec never{};
    never.it_value.tv_sec = of(CLOCK_REALTIME).count() / 1'000'000'000 + 10LL * 365 * 24 * 3600;
    if (::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, nullptr) != 0)
        timer_.reset();
}

void ClockWatch::look() {
    std::uint64_t expired = 0;
    // ECANCELED says that the clock was set, and makes the descriptor unreadable; the timer itself stays armed.
    if (timer_.valid() && ::read(timer_.get(), &expired, sizeof expired) == static_cast<ssize_t>(sizeof expired)) arm();
    const Duration now = offset_();
    const Duration moved = now - std::exchange(last_, now);
    if (std::chrono::abs(moved) < least_step) return;
    ++steps_;
    if (news_.size() < most_told) news_.push_back(moved);
}

std::vector<Duration> ClockWatch::take() { return std::exchange(news_, {}); }

}  // namespace gotuned

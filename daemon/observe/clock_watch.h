// Steps of the wall clock, each told at once and with its size: a timer on CLOCK_REALTIME that the kernel cancels when
// the clock is set (timerfd_create(2), TFD_TIMER_CANCEL_ON_SET) costs nothing until then. The size is what the wall
// clock has moved against CLOCK_BOOTTIME: slewing moves both alike, and a suspend is no step. Who set it the kernel
// tells nobody afterwards; a probe on the system calls would put every call of the host on the slow path.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/fd.h"
#include "base/time.h"

namespace gotuned {

class ClockWatch {
public:
    /// Wall clock less CLOCK_BOOTTIME.
    using Offset = std::function<Duration()>;

    /// `offset`: the kernel's; a test has its own.
    explicit ClockWatch(Offset offset = wall_offset);

    /// For the loop: readable when the clock was set; then call look(). -1: steps are seen at each tick only.
    [[nodiscard]] int fd() const { return timer_.get(); }
    /// Compares, and arms the timer again. A clock that was set to what it showed is no step; what is below
    /// least_step is the error of comparing.
    void look();
    /// Steps since the start.
    [[nodiscard]] std::uint64_t steps() const { return steps_; }
    /// Those since the last call, forward above zero.
    std::vector<Duration> take();

    static constexpr Duration least_step = std::chrono::microseconds(100);
    static Duration wall_offset();

private:
    void arm();
    Offset offset_;
    Fd timer_{};
    Duration last_{};
    std::uint64_t steps_ = 0;
    std::vector<Duration> news_{};
};

}  // namespace gotuned

// The state of the host's clock as the kernel has it: adjtimex(2) without a change, and the clock source.
#pragma once

#include <sys/timex.h>

#include "base/files.h"
#include "observe/clock_watch.h"
#include "observe/counter.h"
#include "observe/snapshot.h"

namespace gotuned {

class HostClock {
public:
    /// adjtimex(2) with no modes: the state, or −1 with errno. A test has its own.
    using Adjtimex = std::function<int(timex&)>;
    explicit HostClock(ClockWatch::Offset offset = ClockWatch::wall_offset, Adjtimex adjtimex = ask_kernel)
        : watch_(std::move(offset)), adjtimex_(std::move(adjtimex)) {}

    /// Sets host.clock.….
    void read(SignalTable& table, const Roots& roots, MonoTime now);
    [[nodiscard]] ClockWatch& watch() { return watch_; }

private:
    static int ask_kernel(timex& state);
    ClockWatch watch_;
    Adjtimex adjtimex_;
    Counter steps_{};
};

}  // namespace gotuned

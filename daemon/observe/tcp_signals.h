// TCP of a process as signals: what happened in the tick, what the last sweep over the sockets found, and the two that
// reach back beyond a tick.
#pragma once

#include <vector>

#include "observe/snapshot.h"
#include "probe/probes.h"

namespace gotuned {

class TcpSignals {
public:
    /// Sets all signals of TCP. Absent: not_observed (nothing elapsed, no sweep yet), `not_attached`, no_data (a ratio
    /// of nothing). Between two sweeps the ratio of retransmissions and what is open stay as the last sweep left them.
    void set(SignalTable& table, const SlotDelta& delta, MonoTime now, const Absent& not_attached);
    static void set_absent(SignalTable& table, const Absent& why);

    /// Whether set() would give the same as last time, for a delta in which nothing happened.
    [[nodiscard]] bool same_as_last(const SlotDelta& delta, MonoTime now) const;

private:
    struct Entered {
        MonoTime at{};
        std::uint64_t connections = 0;
    };
    /// How long TIME_WAIT lasts: TCP_TIMEWAIT_LEN, include/net/tcp.h.
    static constexpr Duration time_wait = std::chrono::seconds(60);

    std::vector<Entered> time_waits_{};  ///< one entry a tick that had any
    Reading<SignalValue> retransmit_ratio_{};
    std::optional<SlotDelta::Tcp::Open> open_{};
    bool swept_ = false;
    bool sent_nothing_ = false;  ///< by the sweep that the last signals tell of
};

/// Nothing of TCP was counted.
bool is_empty(const SlotDelta::Tcp& tcp);

}  // namespace gotuned

// What a slot counted, as signals: system-call windows scaled to the whole time, each with its exposure.
#pragma once

#include "observe/snapshot.h"
#include "probe/probes.h"

namespace gotuned {

/// As a signal; an empty one that was looked at is a value.
SignalReading reading_of(const Distribution& seen, const Exposure& exposure);

/// Why a process shows nothing of probes that are not attached.
struct SlotAbsences {
    Absent windows{Absence::not_attached, {}};  ///< of the system-call windows, when none was open
    Absent network{Absence::not_attached, {}};  ///< of sk_data_ready and sock_recv_length
    Absent tcp{Absence::not_attached, {}};      ///< of the TCP programs
    Absent swap{Absence::not_attached, {}};     ///< of the probe of swap-ins
};

/// Sets all signals that come from a slot, TCP's excepted (tcp_signals.h). Absent: not_observed (nothing elapsed, no
/// window was open), not_attached (scheduler probes, probes of direct reclaim), low_exposure (looked at for less than
/// least_exposure), no_data (a ratio of nothing). A distribution that was looked at and holds nothing is present with
/// count 0.
void set_slot_signals(SignalTable& table, const SlotDelta& delta, const SlotAbsences& absences);
/// Calls that the scheduler saw block in a time in which set_slot_signals() gives no duration of calls.
SignalEvents blocked_beside(const SlotDelta& delta);
/// All of them absent for one reason.
void set_slot_absent(SignalTable& table, const Absent& why);

/// Nothing at all was counted (time may have passed).
bool is_empty(const SlotDelta& delta);

}  // namespace gotuned

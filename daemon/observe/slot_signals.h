// What a slot counted, as signals: system-call windows scaled to the whole time, each with its exposure.
#pragma once

#include "observe/snapshot.h"
#include "probe/probes.h"

namespace gotuned {

/// Sets all signals that come from a slot. Absent: not_observed (nothing elapsed, no window was open),
/// not_attached (scheduler probes), low_exposure (looked at for less than least_exposure), no_data (a ratio of
/// nothing). A distribution that was looked at and holds nothing is present with count 0. `windows`: why nothing was
/// seen through a window, when none was open.
void set_slot_signals(SignalTable& table, const SlotDelta& delta, const Absent& windows);
/// Calls that the scheduler saw block in a time in which set_slot_signals() gives no duration of calls.
SignalEvents blocked_beside(const SlotDelta& delta);
/// All of them absent for one reason.
void set_slot_absent(SignalTable& table, const Absent& why);

/// Nothing at all was counted (time may have passed).
bool is_empty(const SlotDelta& delta);

}  // namespace gotuned

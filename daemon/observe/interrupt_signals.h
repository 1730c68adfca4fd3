// What the windows saw of interrupts, as signals of the host: one distribution for each vector, handler and driver.
#pragma once

#include <array>
#include <string_view>

#include "observe/snapshot.h"
#include "probe/probes.h"

namespace gotuned {

/// Names of the softirqs as rules have them, in the kernel's order.
inline constexpr std::array<std::string_view, GT_SOFTIRQS> softirq_names{
    "hi", "timer", "net_tx", "net_rx", "block", "irq_poll", "tasklet", "sched", "hrtimer", "rcu"};

/// Sets host.softirq, host.irq and host.napi, scaled to the whole time. Absent as a whole: `why` where no window was
/// open, low_exposure, not_attached.
void set_interrupt_signals(HostState& host, const InterruptDelta& delta, const Absent& why);

}  // namespace gotuned

// A process that is all there is in the cgroup of its systemd unit: to pin it is to set AllowedCPUs= of the unit. That
// counts for whatever it starts, and no thread can leave it. For cpu.affinity, which keeps what it found of the unit
// beside the masks of the threads.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "tune/knob.h"

namespace gotuned {

/// cgroup.cpuset.cpus of the unit: where, and what it held.
struct UnitCpuset {
    KnobAt at{};
    KnobState state{};
};

/// The unit of a process (cpu.affinity's KnobAt) that is alone in its unit's own cgroup, which has no AllowedCPUs= yet
/// and no cgroups below it. Nothing otherwise: then it is its threads that are pinned.
std::optional<UnitCpuset> unit_of_lone_process(const KnobAt& at);

/// The text of KnobState::detail: the masks of the threads, and behind them the unit when there is one.
std::string with_unit(const std::string& masks, const std::optional<UnitCpuset>& unit);
std::string masks_in(std::string_view detail);
std::optional<UnitCpuset> unit_in(const KnobAt& at, std::string_view detail);

}  // namespace gotuned

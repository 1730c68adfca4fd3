// What has become of the PSI triggers: filled by main, shown by status and metrics.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "observe/psi_trigger.h"

namespace gotuned {

struct PressureReport {
    bool wanted = false;                ///< some rule reads nothing but memory and pressure; else there are no triggers
    bool host = false;                  ///< the host has one
    std::size_t cgroups = 0;            ///< cgroups that have one of their own
    std::size_t by_host = 0;            ///< cgroups beyond the bound: looked at when the host's fires
    PsiTrigger::Threshold threshold{};  ///< as the kernel granted it
    std::map<std::string, std::string> refused{};  ///< cgroup path, or "host" → why it has none
    std::uint64_t events = 0;                      ///< triggers that fired
    std::uint64_t empty = 0;                       ///< of them, those that the kernel sent though no time was lost
    std::uint64_t wakes = 0;                       ///< evaluations between two ticks
};

}  // namespace gotuned

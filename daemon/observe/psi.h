// Pressure stall information: the files memory.pressure, cpu.pressure, io.pressure and /proc/pressure/*
// (Documentation/accounting/psi.rst). The kernel moves the averages every 2 s: reading faster gains nothing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/reading.h"

namespace gotuned {

/// One line: shares of the time (0…1), and the time itself since boot or since the cgroup was made.
struct PressureLine {
    double avg10 = 0;
    double avg60 = 0;
    double avg300 = 0;
    std::uint64_t total_us = 0;
    friend bool operator==(const PressureLine&, const PressureLine&) = default;
};

/// Absent: malformed; `full` of the CPU is not_supported before 5.13.
struct Pressure {
    Reading<PressureLine> some{};
    Reading<PressureLine> full{};
};
Pressure parse_pressure(std::string_view text);
/// An absent file's reason is both lines' reason.
Pressure pressure_of(const Reading<std::string>& file);

}  // namespace gotuned

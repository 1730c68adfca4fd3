// How a signal of the catalogue is exported: name, type, labels, and how the values of a service's processes become
// one. Derived from the signal's name, unit and kind by the rules of docs/metrics.md; there is no second table.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "observe/signal_table.h"

namespace gotuned {

enum class MetricKind : std::uint8_t { gauge, counter, histogram, info };

/// How gauges of several processes (or cgroups) of one service become one value.
enum class Together : std::uint8_t {
    sum,       ///< bytes, counts
    smallest,  ///< limits
    largest,   ///< what all processes of a user or a network namespace share: each of them says the same whole
    mean,      ///< ratios: parts over wholes of equal length
    weighted,  ///< ratios and means: weighted by what they are a share or mean of (MetricName::weight)
    jitter,    ///< standard deviation: the root of the mean square, weighted by calls
};

struct MetricName {
    std::string family{};  ///< "gotuned_syscall_seconds"; for info the label's name ("go_version")
    std::string help{};
    MetricKind kind{};
    Together together{};
    Signal weight{};                                            ///< when weighted: the signal that counts the whole
    std::vector<std::pair<std::string, std::string>> labels{};  ///< {"class", "read"}
};
MetricName metric_name(const SignalInfo& signal);

/// By Signal, made once.
const std::vector<MetricName>& metric_names();

/// What a value is exported as: of a set of CPUs how many they are. NaN: it is no number.
double exported_number(const SignalValue& value);

}  // namespace gotuned

// Geometric means of ratios with 95% intervals, from the logarithms of paired measurements.
#pragma once

#include <vector>

namespace gotuned::bench {

/// What is kept of the bare value: 1 is nothing lost.
struct Kept {
    double kept = 0;  ///< geometric mean of the ratios
    double low = 0;   ///< 95% interval of it (Student's t on the logarithms)
    double high = 0;
    std::size_t samples = 0;
    [[nodiscard]] double half_width() const { return (high - low) / 2; }
};

/// Of at least two logarithms of ratios; fewer give an interval of everything, [0, infinity).
Kept kept_of(const std::vector<double>& log_ratios);

double mean(const std::vector<double>& values);

}  // namespace gotuned::bench

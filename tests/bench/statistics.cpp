#include "statistics.h"

#include <array>
#include <cmath>
#include <limits>
#include <numeric>

namespace gotuned::bench {
namespace {

/// The 97.5% quantile of Student's t, for 1 to 30 degrees of freedom; beyond, an expansion around the normal one.
double t_quantile(std::size_t freedom) {
    constexpr std::array table{12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
                               2.201,  2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
                               2.080,  2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042};
    if (freedom <= table.size()) return table[freedom - 1];
    constexpr double z = 1.959964;
    const auto n = static_cast<double>(freedom);
    return z + (z * z * z + z) / (4 * n);
}

}  // namespace

double mean(const std::vector<double>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

Kept kept_of(const std::vector<double>& log_ratios) {
    const std::size_t n = log_ratios.size();
    if (n < 2) return {n == 1 ? std::exp(log_ratios.front()) : 0, 0, std::numeric_limits<double>::infinity(), n};
    const double center = mean(log_ratios);
    double squares = 0;
    for (const double value : log_ratios) squares += (value - center) * (value - center);
    const double error = std::sqrt(squares / static_cast<double>(n - 1) / static_cast<double>(n));
    const double reach = t_quantile(n - 1) * error;
    return {std::exp(center), std::exp(center - reach), std::exp(center + reach), n};
}

}  // namespace gotuned::bench

#include "base/distribution.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

namespace gotuned {

double Distribution::count() const { return std::accumulate(buckets.begin(), buckets.end(), 0.0); }

double Distribution::upper_bound(std::size_t bucket) {
    if (bucket + 1 >= bucket_count) return std::numeric_limits<double>::infinity();
    return std::ldexp(1e-9, static_cast<int>(bucket) + 10);
}

double Distribution::lower_bound(std::size_t bucket) { return bucket == 0 ? 0 : upper_bound(bucket - 1); }

Reading<double> Distribution::quantile(double q) const {
    const double total = count();
    if (!(total > 0)) return Absence::no_data;
    const double wanted = std::clamp(q, 0.0, 1.0) * total;
    double below = 0;
    for (std::size_t i = 0; i < bucket_count; ++i) {
        if (buckets[i] <= 0) continue;
        if (below + buckets[i] >= wanted) {
            const double low = lower_bound(i);
            double high = std::min(upper_bound(i), max > 0 ? max : upper_bound(i));
            if (!std::isfinite(high)) high = low * 2;
            if (high < low) return high;
            return low + (high - low) * ((wanted - below) / buckets[i]);
        }
        below += buckets[i];
    }
    return max > 0 ? max : lower_bound(bucket_count - 1);
}

Reading<double> Distribution::mean() const {
    const double total = count();
    if (!(total > 0)) return Absence::no_data;
    return sum / total;
}

Reading<double> Distribution::stddev() const {
    const double total = count();
    if (!(total > 0)) return Absence::no_data;
    const double average = sum / total;
    return std::sqrt(std::max(0.0, sum_of_squares / total - average * average));
}

void Distribution::add(const Distribution& other) {
    for (std::size_t i = 0; i < bucket_count; ++i) buckets[i] += other.buckets[i];
    sum += other.sum;
    sum_of_squares += other.sum_of_squares;
    max = std::max(max, other.max);
}

void Distribution::scale(double factor) {
    for (double& bucket : buckets) bucket *= factor;
    sum *= factor;
    sum_of_squares *= factor;
}

void Distribution::record(Duration value) {
    const auto nanoseconds = static_cast<std::uint64_t>(std::max<std::int64_t>(value.count(), 0));
    const auto width = static_cast<int>(std::bit_width(nanoseconds));  // v in [2^(width-1), 2^width)
    buckets[static_cast<std::size_t>(std::clamp(width - 10, 0, static_cast<int>(bucket_count) - 1))] += 1;
    const double amount = seconds(value);
    sum += amount;
    sum_of_squares += amount * amount;
    max = std::max(max, amount);
}

}  // namespace gotuned

// A latency distribution over one window: log2 buckets as the probes count them (bpf/gotuned.h), as doubles,
// because counts of sampled events are scaled by exposure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/reading.h"
#include "base/time.h"

namespace gotuned {

/// 26 buckets: the first holds everything below 1,024 ns, bucket i the range [2^(9+i), 2^(10+i)) ns,
/// the last everything from 2^34 ns (17.2 s).
struct Distribution {
    static constexpr std::size_t bucket_count = 26;
    std::array<double, bucket_count> buckets{};
    double sum = 0;             ///< seconds
    double sum_of_squares = 0;  ///< seconds²
    double max = 0;             ///< seconds; the largest seen (never scaled)

    [[nodiscard]] double count() const;
    /// Upper bound of a bucket in seconds; infinity for the last.
    static double upper_bound(std::size_t bucket);
    static double lower_bound(std::size_t bucket);
    /// Interpolated within the log2 bucket, never above max. Absent (no_data) when empty.
    [[nodiscard]] Reading<double> quantile(double q) const;
    [[nodiscard]] Reading<double> mean() const;
    [[nodiscard]] Reading<double> stddev() const;
    void add(const Distribution& other);
    void scale(double factor);  ///< counts and sums, not max
    /// One event (tests, user-space sources).
    void record(Duration value);
    friend bool operator==(const Distribution&, const Distribution&) = default;
};

}  // namespace gotuned

// Builds prometheus-cpp's model: families by name in the order of their first sample, labels made safe, lines counted.
#pragma once

#include <prometheus/metric_family.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/distribution.h"

namespace gotuned {

using Labels = std::vector<prometheus::ClientMetric::Label>;

class Families {
public:
    /// A sample; the family is made with the first one's help and type. A NaN is not a sample and is left out.
    void gauge(const std::string& family, const std::string& help, Labels labels, double value);
    void counter(const std::string& family, const std::string& help, Labels labels, double value);
    /// Cumulative since start. An empty one is left out. `full`: powers of 2, else of 4.
    void histogram(const std::string& family, const std::string& help, Labels labels, const Distribution& total,
                   bool full);
    /// Any buckets; counts are not cumulative, the last is above all bounds.
    void histogram(const std::string& family, const std::string& help, Labels labels, const std::vector<double>& bounds,
                   const std::vector<std::uint64_t>& counts, double sum);
    /// Samples with the same labels, which would fail a scrape, become one: counters are summed, of gauges the largest.
    void merge_duplicates();
    [[nodiscard]] std::vector<prometheus::MetricFamily> take() { return std::move(families_); }

private:
    std::vector<prometheus::MetricFamily> families_;
    std::map<std::string, std::size_t, std::less<>> index_;
    prometheus::ClientMetric& add(const std::string& family, const std::string& help, prometheus::MetricType type,
                                  Labels labels);
};

/// The text format knows two escapes in HELP, and prometheus-cpp 1.0's serializer makes neither.
std::string escape_help(std::string_view help);
/// Valid UTF-8 without control characters, at most 128 bytes: one bad byte fails a whole scrape.
std::string label_value(std::string_view text);
/// `labels`, and `more` behind them.
Labels with(Labels labels, const std::vector<std::pair<std::string, std::string>>& more);
/// Lines of one exported histogram: its buckets, +Inf, _sum and _count.
std::size_t histogram_lines(bool full);

}  // namespace gotuned

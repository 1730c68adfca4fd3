#include "export/families.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"

namespace gotuned {
namespace {

/// The finite bounds of the probes' buckets: bucket i ends at 2^(10+i) ns.
constexpr std::size_t finite_buckets = Distribution::bucket_count - 1;

/// Correctly rounded, so that it prints as 1.024e-06 and never as 1.0240000000000001e-06.
double bound(std::size_t bucket) { return static_cast<double>(1ULL << (10U + bucket)) / 1e9; }

std::uint64_t whole(double count) { return static_cast<std::uint64_t>(std::max(0.0, std::floor(count))); }

}  // namespace

std::string escape_help(std::string_view help) {
    std::string out;
    for (const char c : help) {
        if (c == '\\')
            out += "\\\\";
        else if (c == '\n')
            out += "\\n";
        else
            out += c;
    }
    return out;
}

Labels with(Labels labels, const std::vector<std::pair<std::string, std::string>>& more) {
    for (const auto& [key, value] : more) labels.push_back({key, value});
    return labels;
}

std::string label_value(std::string_view text) {
    constexpr std::size_t longest = 128;
    return clean_text(text, longest);
}

std::size_t histogram_lines(bool full) { return (full ? finite_buckets : finite_buckets / 2 + 1) + 3; }

prometheus::ClientMetric& Families::add(const std::string& family, const std::string& help, prometheus::MetricType type,
                                        Labels labels) {
    const auto [found, made] = index_.try_emplace(family, families_.size());
    if (made) families_.push_back({family, escape_help(help), type, {}});
    prometheus::ClientMetric& metric = families_[found->second].metric.emplace_back();
    metric.label = std::move(labels);
    for (auto& label : metric.label) label.value = label_value(label.value);
    return metric;
}

void Families::gauge(const std::string& family, const std::string& help, Labels labels, double value) {
    if (std::isnan(value)) return;
    add(family, help, prometheus::MetricType::Gauge, std::move(labels)).gauge.value = value;
}

void Families::counter(const std::string& family, const std::string& help, Labels labels, double value) {
    if (std::isnan(value)) return;
    add(family, help, prometheus::MetricType::Counter, std::move(labels)).counter.value = value;
}

void Families::histogram(const std::string& family, const std::string& help, Labels labels, const Distribution& total,
                         bool full) {
    // Counts are fractions (scaled by exposure): cumulated first, then rounded down, so that neither a later bucket
    // nor a later scrape can be less than an earlier one.
    const std::uint64_t count = whole(total.count());
    if (count == 0) return;
    auto& histogram = add(family, help, prometheus::MetricType::Histogram, std::move(labels)).histogram;
    double below = 0;
    for (std::size_t i = 0; i < finite_buckets; ++i) {
        below += total.buckets[i];
        if (full || i % 2 == 0) histogram.bucket.push_back({whole(below), bound(i)});
    }
    histogram.sample_count = count;
    histogram.sample_sum = total.sum;
}

void Families::histogram(const std::string& family, const std::string& help, Labels labels,
                         const std::vector<double>& bounds, const std::vector<std::uint64_t>& counts, double sum) {
    std::uint64_t count = 0;
    for (const std::uint64_t one : counts) count += one;
    if (count == 0) return;
    auto& histogram = add(family, help, prometheus::MetricType::Histogram, std::move(labels)).histogram;
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < bounds.size() && i < counts.size(); ++i) {
        below += counts[i];
        histogram.bucket.push_back({below, bounds[i]});
    }
    histogram.sample_count = count;
    histogram.sample_sum = sum;
}

void Families::merge_duplicates() {
    for (prometheus::MetricFamily& family : families_) {
        std::map<Labels, std::size_t> seen;
        std::vector<prometheus::ClientMetric> kept;
        for (prometheus::ClientMetric& metric : family.metric) {
            const auto [found, first] = seen.try_emplace(metric.label, kept.size());
            if (first) {
                kept.push_back(std::move(metric));
                continue;
            }
            prometheus::ClientMetric& one = kept[found->second];
            one.counter.value += metric.counter.value;
            one.gauge.value = std::max(one.gauge.value, metric.gauge.value);
        }
        family.metric = std::move(kept);
    }
}

}  // namespace gotuned

#include "export/keyed_metrics.h"

namespace gotuned {

void KeyedMetrics::take(const HostState& host) {
    gauges_.clear();
    for (const auto& [signal, all] : host.keyed)
        for (const auto& [key, reading] : all) {
            if (!reading.value) continue;
            if (const auto* quantity = std::get_if<Quantity>(&*reading.value)) {
                gauges_[signal][label_value(key)] = quantity->value;
            } else if (const auto* events = std::get_if<DistributionPtr>(&*reading.value); events && *events) {
                histograms_[signal][label_value(key)].add(**events);
            }
        }
}

void KeyedMetrics::write(Families& families, Signal signal, bool full) const {
    const MetricName& name = metric_names()[static_cast<std::size_t>(signal)];
    const std::string label(info(signal).key);
    if (const auto found = gauges_.find(signal); found != gauges_.end())
        for (const auto& [key, value] : found->second) families.gauge(name.family, name.help, {{label, key}}, value);
    if (const auto found = histograms_.find(signal); found != histograms_.end())
        for (const auto& [key, total] : found->second)
            families.histogram(name.family, name.help, {{label, key}}, total, full);
}

std::size_t KeyedMetrics::lines(bool full) const {
    std::size_t lines = 0;
    for (const auto& [signal, all] : gauges_) lines += all.size();
    for (const auto& [signal, all] : histograms_) lines += all.size() * histogram_lines(full);
    return lines;
}

}  // namespace gotuned

#include "export/service_metrics.h"

#include <algorithm>
#include <cmath>

namespace gotuned {
namespace {

std::size_t index_of(Signal signal) { return static_cast<std::size_t>(signal); }

/// A rate is a quotient: one event in 49 s, times 49 s, is 0.9999999999999999. What was a whole number is one again.
double whole(double events) {
    const double nearest = std::round(events);
    return std::abs(events - nearest) <= nearest * 1e-12 ? nearest : events;
}

}  // namespace

void ServiceMetrics::begin_tick() {
    for (const auto& [signal, events] : shared_) counters_[index_of(signal)] += events;
    shared_.clear();
}

void ServiceMetrics::add_events(const SignalTable& signals, Duration tick, News news) {
    signals.for_each_present([&](Signal signal, const SignalReading& reading) {
        if (news == News::pressure && !answers_pressure(signal)) return;
        const std::size_t index = index_of(signal);
        const MetricName& name = metric_names()[index];
        if (name.kind == MetricKind::histogram) {
            const auto* distribution = std::get_if<DistributionPtr>(&*reading.value);
            if (distribution != nullptr && *distribution) histograms_[signal].add(**distribution);
        } else if (name.kind == MetricKind::counter) {
            const double rate = exported_number(*reading.value);
            const Duration window = reading.exposure.window > Duration::zero() ? reading.exposure.window : tick;
            counted_[index] = true;
            if (is_of_service(signal)) return;  // each process says the same: add_life() counts
            if (!std::isfinite(rate) || rate <= 0) return;
            const double events = whole(rate * seconds(window));
            if (name.together == Together::largest)
                shared_[signal] = std::max(shared_[signal], events);
            else
                counters_[index] += events;
        }
    });
}

void ServiceMetrics::add_life(const ServiceLife& life) {
    const auto add = [this](Signal signal, std::uint64_t count) {
        counted_[index_of(signal)] = true;
        counters_[index_of(signal)] += static_cast<double>(count);
    };
    add(Signal::exit_panic, life.panics);
    add(Signal::exit_oom, life.oom_kills);
    add(Signal::exit_killed, life.kills);
    add(Signal::exit_total, life.exits);
    add(Signal::restarts, life.restarts);
}

void ServiceMetrics::add_events(const SignalEvents& beside) {
    for (const auto& [signal, events] : beside)
        if (metric_names()[index_of(signal)].kind == MetricKind::histogram) histograms_[signal].add(*events);
}

void ServiceMetrics::write(Families& families, Signal signal, const Labels& labels, bool full) const {
    const std::size_t index = index_of(signal);
    const MetricName& name = metric_names()[index];
    Labels all = with(labels, name.labels);
    if (name.kind == MetricKind::histogram) {
        const auto found = histograms_.find(signal);
        if (found != histograms_.end()) families.histogram(name.family, name.help, std::move(all), found->second, full);
    } else if (name.kind == MetricKind::counter) {
        if (!counted_[index]) return;
        const auto shared = shared_.find(signal);
        families.counter(name.family, name.help, std::move(all),
                         counters_[index] + (shared == shared_.end() ? 0 : shared->second));
    }
}

std::size_t ServiceMetrics::lines(bool full) const {
    std::size_t lines = 0;
    for (const auto& [signal, histogram] : histograms_)
        if (histogram.count() >= 1) lines += histogram_lines(full);
    lines += static_cast<std::size_t>(std::count(counted_.begin(), counted_.end(), true));
    return lines;
}

}  // namespace gotuned

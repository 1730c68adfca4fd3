#include "export/service_metrics.h"

#include <algorithm>
#include <cmath>

namespace gotuned {
namespace {

std::size_t index_of(Signal signal) { return static_cast<std::size_t>(signal); }

/// A service of many versions is odd, and anybody can write a version into a binary.
constexpr std::size_t most_infos = 8;

double number(const SignalTable& signals, Signal signal) {
    const SignalReading reading = signals.get(signal);
    if (!reading.value.present()) return 0;
    if (const auto* quantity = std::get_if<Quantity>(&*reading.value)) return quantity->value;
    if (const auto* distribution = std::get_if<DistributionPtr>(&*reading.value))
        return *distribution ? (*distribution)->count() : 0;
    return 0;
}

/// Calls behind syscall.jitter: those of the classes that it is made of.
double jitter_weight(const SignalTable& signals) {
    double calls = 0;
    for (const Signal signal : {Signal::syscall_read, Signal::syscall_write, Signal::syscall_connect,
                                Signal::syscall_open, Signal::syscall_close, Signal::syscall_fsync,
                                Signal::syscall_mmap, Signal::syscall_clone, Signal::syscall_other})
        calls += number(signals, signal);
    return calls;
}

double weight(const MetricName& name, const SignalTable& signals) {
    if (name.together == Together::weighted) return number(signals, name.weight);
    if (name.together == Together::jitter) return jitter_weight(signals);
    return 1;
}

double gauge_value(const SignalValue& value) {
    if (const auto* quantity = std::get_if<Quantity>(&value)) return quantity->value;
    if (const auto* cpus = std::get_if<CpuSet>(&value)) return static_cast<double>(cpus->size());
    return std::nan("");
}

/// A rate is a quotient: one event in 49 s, times 49 s, is 0.9999999999999999. What was a whole number is one again.
double whole(double events) {
    const double nearest = std::round(events);
    return std::abs(events - nearest) <= nearest * 1e-12 ? nearest : events;
}

}  // namespace

void ServiceMetrics::begin_tick() {
    gauges_.fill({});
    texts_.clear();
    for (const auto& [signal, events] : shared_) counters_[index_of(signal)] += events;
    shared_.clear();
    processes_ = 0;
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
            const double rate = gauge_value(*reading.value);
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

void ServiceMetrics::add_gauges(const SignalTable& signals) {
    std::vector<std::pair<std::string, std::string>> texts;
    signals.for_each_present([&](Signal signal, const SignalReading& reading) {
        const std::size_t index = index_of(signal);
        const MetricName& name = metric_names()[index];
        if (name.kind == MetricKind::gauge) {
            const double value = gauge_value(*reading.value);
            if (!std::isnan(value)) add_gauge(index, value, weight(name, signals));
        } else if (name.kind == MetricKind::info) {
            if (const auto* text = std::get_if<std::string>(&*reading.value))
                texts.emplace_back(name.family, label_value(*text));
        }
    });
    if (!texts.empty() && texts_.size() < most_infos) texts_.insert(std::move(texts));
}

void ServiceMetrics::add_gauge(std::size_t index, double value, double weight) {
    Gauge& gauge = gauges_[index];
    switch (metric_names()[index].together) {
        case Together::sum:
            gauge.value += value;
            break;
        case Together::smallest:
            gauge.value = gauge.present ? std::min(gauge.value, value) : value;
            break;
        case Together::largest:
            gauge.value = gauge.present ? std::max(gauge.value, value) : value;
            break;
        case Together::mean:
        case Together::weighted:
            gauge.value += value * weight;
            break;
        case Together::jitter:
            gauge.value += value * value * weight;
            break;
    }
    gauge.weight += weight;
    gauge.present = true;
}

void ServiceMetrics::write(Families& families, Signal signal, const Labels& labels, bool full) const {
    const std::size_t index = index_of(signal);
    const MetricName& name = metric_names()[index];
    Labels all = labels;
    for (const auto& [key, value] : name.labels) all.push_back({key, value});
    if (name.kind == MetricKind::histogram) {
        const auto found = histograms_.find(signal);
        if (found != histograms_.end()) families.histogram(name.family, name.help, std::move(all), found->second, full);
    } else if (name.kind == MetricKind::counter) {
        if (!counted_[index]) return;
        const auto shared = shared_.find(signal);
        families.counter(name.family, name.help, std::move(all),
                         counters_[index] + (shared == shared_.end() ? 0 : shared->second));
    } else if (name.kind == MetricKind::gauge) {
        const Gauge& gauge = gauges_[index];
        double value = gauge.value;
        if (name.together == Together::mean || name.together == Together::weighted)
            value /= gauge.weight;  // 0/0: no sample
        if (name.together == Together::jitter) value = std::sqrt(value / gauge.weight);
        if (gauge.present) families.gauge(name.family, name.help, std::move(all), value);
    }
}

void ServiceMetrics::write_info(Families& families, const std::string& family, const std::string& help,
                                const Labels& labels) const {
    for (const auto& texts : texts_) {
        Labels all = labels;
        for (const auto& [key, value] : texts) all.push_back({key, value});
        families.gauge(family, help, std::move(all), 1);
    }
}

std::size_t ServiceMetrics::lines(bool full) const {
    std::size_t lines = 1 + texts_.size();  // processes and infos
    for (const auto& [signal, histogram] : histograms_)
        if (histogram.count() >= 1) lines += histogram_lines(full);
    lines += static_cast<std::size_t>(std::count(counted_.begin(), counted_.end(), true));
    lines += static_cast<std::size_t>(
        std::count_if(gauges_.begin(), gauges_.end(), [](const Gauge& gauge) { return gauge.present; }));
    return lines;
}

}  // namespace gotuned

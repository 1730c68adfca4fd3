#include "export/service_gauges.h"

#include <algorithm>
#include <cmath>

#include "export/families.h"

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

/// The values of several members become one.
class Gauge {
public:
    void add(Together together, double value, double weight) {
        switch (together) {
            case Together::sum:
                value_ += value;
                break;
            case Together::smallest:
                value_ = present_ ? std::min(value_, value) : value;
                break;
            case Together::largest:
                value_ = present_ ? std::max(value_, value) : value;
                break;
            case Together::mean:
            case Together::weighted:
                value_ += value * weight;
                break;
            case Together::jitter:
                value_ += value * value * weight;
                break;
        }
        weight_ += weight;
        present_ = true;
    }
    [[nodiscard]] std::optional<double> value(Together together) const {
        if (!present_) return std::nullopt;
        if (together == Together::mean || together == Together::weighted) return value_ / weight_;  // 0/0: no sample
        if (together == Together::jitter) return std::sqrt(value_ / weight_);
        return value_;
    }

private:
    double value_ = 0;
    double weight_ = 0;
    bool present_ = false;
};

}  // namespace

void ServiceGauges::add(std::size_t service, const SignalTable& signals) {
    members_.emplace_back(service, &signals);
    Service& to = services_[service];
    to.present.resize(metric_names().size());
    std::vector<std::pair<std::string, std::string>> texts;
    signals.for_each_presence([&](Signal signal, bool present, Absence /*reason*/) {
        if (!present) return;
        const MetricName& name = metric_names()[index_of(signal)];
        if (name.kind == MetricKind::gauge) to.present[index_of(signal)] = true;
        if (name.kind != MetricKind::info) return;
        const SignalReading reading = signals.get(signal);
        if (const auto* text = std::get_if<std::string>(&*reading.value))
            texts.emplace_back(name.family, label_value(*text));
    });
    if (!texts.empty() && to.texts.size() < most_infos) to.texts.insert(std::move(texts));
}

std::vector<std::optional<double>> ServiceGauges::of(Signal signal) const {
    const MetricName& name = metric_names()[index_of(signal)];
    std::vector<Gauge> gauges(services_.size());
    for (const auto& [service, signals] : members_) {
        if (!services_[service].present[index_of(signal)]) continue;
        const SignalReading reading = signals->get(signal);
        if (!reading.value) continue;
        const double value = exported_number(*reading.value);
        if (!std::isnan(value)) gauges[service].add(name.together, value, weight(name, *signals));
    }
    std::vector<std::optional<double>> out;
    out.reserve(gauges.size());
    for (const Gauge& gauge : gauges) out.push_back(gauge.value(name.together));
    return out;
}

std::size_t ServiceGauges::lines(std::size_t service) const {
    const Service& of = services_[service];
    return of.texts.size() + static_cast<std::size_t>(std::ranges::count(of.present, true));
}

}  // namespace gotuned

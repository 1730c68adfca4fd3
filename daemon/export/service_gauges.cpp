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

/// By Signal: its place among those that are gauges; nothing of the others.
struct Places {
    std::vector<std::optional<std::size_t>> of{};
    std::size_t count = 0;
};
const Places& places() {
    static const Places made = [] {
        Places places;
        for (const MetricName& name : metric_names())
            places.of.push_back(name.kind == MetricKind::gauge ? std::optional(places.count++) : std::nullopt);
        return places;
    }();
    return made;
}

}  // namespace

void ServiceGauges::Gauge::add(Together together, double more, double weighs) {
    switch (together) {
        case Together::sum:
            value += more;
            break;
        case Together::smallest:
            value = present ? std::min(value, more) : more;
            break;
        case Together::largest:
            value = present ? std::max(value, more) : more;
            break;
        case Together::mean:
        case Together::weighted:
            value += more * weighs;
            break;
        case Together::jitter:
            value += more * more * weighs;
            break;
    }
    weight += weighs;
    present = true;
}

void ServiceGauges::add(std::size_t service, const SignalTable& signals) {
    Service& to = services_[service];
    to.gauges.resize(places().count);
    std::vector<std::pair<std::string, std::string>> texts;
    signals.for_each_presence([&](Signal signal, bool present, Absence /*reason*/) {
        const MetricName& name = metric_names()[index_of(signal)];
        if (!present || (name.kind != MetricKind::gauge && name.kind != MetricKind::info)) return;
        const SignalReading reading = signals.get(signal);
        if (name.kind == MetricKind::info) {
            if (const auto* text = std::get_if<std::string>(&*reading.value))
                texts.emplace_back(name.family, label_value(*text));
            return;
        }
        const double value = exported_number(*reading.value);
        if (!std::isnan(value))
            to.gauges[*places().of[index_of(signal)]].add(name.together, value, weight(name, signals));
    });
    if (!texts.empty() && to.texts.size() < most_infos) to.texts.insert(std::move(texts));
}

std::optional<double> ServiceGauges::of(std::size_t service, Signal signal) const {
    const auto place = places().of[index_of(signal)];
    const std::vector<Gauge>& gauges = services_[service].gauges;
    if (!place || *place >= gauges.size() || !gauges[*place].present) return std::nullopt;
    const Gauge& gauge = gauges[*place];
    switch (metric_names()[index_of(signal)].together) {
        case Together::mean:
        case Together::weighted:
            return gauge.value / gauge.weight;  // 0/0: no sample
        case Together::jitter:
            return std::sqrt(gauge.value / gauge.weight);
        default:
            return gauge.value;
    }
}

std::size_t ServiceGauges::lines(std::size_t service) const {
    const Service& of = services_[service];
    return of.texts.size() + static_cast<std::size_t>(std::ranges::count(of.gauges, true, &Gauge::present));
}

}  // namespace gotuned

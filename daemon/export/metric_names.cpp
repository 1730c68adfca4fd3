#include "export/metric_names.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/text.h"

namespace gotuned {
namespace {

using Parts = std::vector<std::string_view>;

std::string join(const Parts& parts) {
    std::string out = "gotuned";
    for (const std::string_view part : parts) out.append("_").append(part);
    return out;
}

bool contains(const Parts& parts, std::string_view word) {
    return std::find(parts.begin(), parts.end(), word) != parts.end();
}

/// A limit is known by the last word of its name.
bool is_limit(std::string_view last) {
    constexpr std::array words{"limit", "hard", "high", "max", "low", "min", "quota", "allowed", "memlimit"};
    return std::find(words.begin(), words.end(), last) != words.end();
}

std::string_view suffix(Unit unit) {
    if (unit == unit::time) return "_seconds";
    if (unit == unit::bytes) return "_bytes";
    if (unit == unit::ratio) return "_ratio";
    return "";
}

/// A rate is exported as the counter it is the rate of.
std::string_view counter_suffix(Unit unit) {
    if (unit == unit::bytes_per_second) return "_bytes_total";
    if (unit == unit::ratio) return "_seconds_total";  // seconds a second
    return "_total";
}

/// What a ratio is a share of.
std::optional<Signal> weight_of(Signal signal) {
    using enum Signal;
    switch (signal) {
        case netpoll_empty_ratio:
        case netpoll_events_mean:
            return netpoll_poll_rate;
        case tcp_retransmit_ratio:
            return tcp_segments;
        case tcp_connect_success:
            return tcp_connect;
        case conn_active_close:
            return conn_close;
        case conn_stale:
            return conn_open;
        default:
            return std::nullopt;
    }
}

Together together(const SignalInfo& signal, std::string_view last) {
    if (weight_of(signal.id)) return Together::weighted;
    if (signal.id == Signal::syscall_jitter) return Together::jitter;
    // Their whole is one CPU, one thread, however many processes.
    if (signal.id == Signal::cpu_usage || signal.id == Signal::reclaim_stall) return Together::sum;
    if (signal.id == Signal::nproc_used || signal.id == Signal::udp_rcvbuf_errors ||
        signal.id == Signal::cpu_gomaxprocs_excess)
        return Together::largest;
    if (is_limit(last)) return Together::smallest;
    if (signal.unit == unit::ratio || signal.unit == unit::time) return Together::mean;
    return Together::sum;
}

MetricName pressure(const SignalInfo& signal, const Parts& parts) {
    MetricName name;
    const auto psi = std::find(parts.begin(), parts.end(), "psi");
    const std::string_view what = psi + 1 == parts.end() ? std::string_view("some_10s") : *(psi + 1);
    const std::size_t bar = what.find('_');
    name.family = join(Parts(parts.begin(), psi)) + "_pressure_ratio";
    name.labels = {{"kind", std::string(what.substr(0, bar))}};
    if (bar != std::string_view::npos) name.labels.emplace_back("window", std::string(what.substr(bar + 1)));
    name.help =
        "Share of time in which some or all (full) tasks were stalled for it, by the kernel's pressure stall "
        "information.";
    name.kind = MetricKind::gauge;
    name.together = signal.scope == Scope::host ? Together::sum : Together::mean;
    return name;
}

}  // namespace

MetricName metric_name(const SignalInfo& signal) {
    Parts parts = split(signal.name, '.');
    MetricName name;
    name.help = std::string(signal.meaning);
    if (signal.exported == Export::label) {
        if (parts.front() == "host") parts.erase(parts.begin());
        name.family = join(parts).substr(std::string_view("gotuned_").size());
        name.kind = MetricKind::info;
        return name;
    }
    if (contains(parts, "psi")) return pressure(signal, parts);

    const std::string_view last = parts.back();
    const bool counter = signal.exported == Export::counter;
    if (last == "rate") parts.pop_back();
    if (parts.front() == "syscall" && signal.exported == Export::histogram && parts.size() == 2) {
        name.labels = {{"class", std::string(parts[1])}};
        name.help = "Duration of system calls by class.";
        parts.pop_back();
    } else if (parts.front() == "errors" && parts.size() == 2) {
        name.labels = {{"errno", std::string(parts[1])}};
        name.help = "Failed system calls by errno.";
        parts.pop_back();
    } else if (signal.id == Signal::exit_total) {
        parts = {"exits"};
    } else if (parts.front() == "exit" && parts.size() == 2) {
        name.labels = {{"cause", std::string(parts[1])}};
        name.help = "Processes that ended in a way that tells of trouble, by cause; gotuned_exits_total has all.";
        parts = {"exit", "causes"};
    } else if (counter && parts.size() > 2 && parts[parts.size() - 2] == "events") {
        name.labels = {{"event", std::string(parts.back())}};
        name.help = "Events of the cgroup's memory controller (memory.events) by kind.";
        parts.pop_back();
    }
    name.family = join(parts);
    name.together = together(signal, last);
    if (const auto weight = weight_of(signal.id)) name.weight = *weight;
    if (signal.exported == Export::histogram) {
        name.kind = MetricKind::histogram;
        name.family += suffix(signal.unit);
    } else if (counter) {
        name.kind = MetricKind::counter;
        if (name.labels.empty()) name.help = "What " + std::string(signal.name) + " is the rate of: " + name.help;
        name.family += counter_suffix(signal.unit);
    } else {
        name.kind = MetricKind::gauge;
        if (last == "ratio") name.family.resize(name.family.size() - std::string_view("_ratio").size());
        name.family += suffix(signal.unit);
    }
    return name;
}

const std::vector<MetricName>& metric_names() {
    static const std::vector<MetricName> names = [] {
        std::vector<MetricName> out;
        for (const SignalInfo& signal : signals()) out.push_back(metric_name(signal));
        return out;
    }();
    return names;
}

double exported_number(const SignalValue& value) {
    if (const auto* quantity = std::get_if<Quantity>(&value)) return quantity->value;
    if (const auto* cpus = std::get_if<CpuSet>(&value)) return static_cast<double>(cpus->size());
    return std::nan("");
}

}  // namespace gotuned

#include "export/metrics.h"

#include <prometheus/text_serializer.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <sstream>
#include <utility>

#include "export/families.h"
#include "export/keyed_metrics.h"
#include "export/own_metrics.h"
#include "export/service_metrics.h"
#include "export/service_roster.h"

namespace gotuned {
namespace {

/// Lines of the text: HELP and TYPE of each family, and its samples.
std::size_t count_lines(const std::vector<prometheus::MetricFamily>& families) {
    std::size_t lines = 0;
    for (const auto& family : families) {
        lines += 2;
        for (const auto& metric : family.metric)
            lines += family.type == prometheus::MetricType::Histogram ? metric.histogram.bucket.size() + 3 : 1;
    }
    return lines;
}

std::string service_of(const ProcessState& process) {
    std::string name = label_value(process.service.empty() ? default_service(*process.process) : process.service);
    return name.empty() ? "unknown" : name;
}

/// What is new in the tables of a cgroup and of the host that were read.
ServiceMetrics::News news_of(const Snapshot& snapshot) {
    return snapshot.woken_for ? ServiceMetrics::News::pressure : ServiceMetrics::News::all;
}

/// The signals whose samples are of one family (by the class, by the errno), together, in the order of the first.
const std::vector<std::vector<Signal>>& signals_by_family() {
    static const std::vector<std::vector<Signal>> made = [] {
        std::vector<std::pair<std::string, std::vector<Signal>>> families;
        for (const SignalInfo& signal : signals()) {
            const std::string& name = metric_names()[static_cast<std::size_t>(signal.id)].family;
            auto found = std::ranges::find(families, name, &std::pair<std::string, std::vector<Signal>>::first);
            if (found == families.end()) found = families.insert(found, {name, {}});
            found->second.push_back(signal.id);
        }
        std::vector<std::vector<Signal>> out;
        for (auto& [name, of_it] : families) out.push_back(std::move(of_it));
        return out;
    }();
    return made;
}

/// The state of a target in the Snapshot before; null when it is new.
template <typename Map, typename Key>
const void* in(const Map& map, const Key& key) {
    const auto found = map.find(key);
    return found == map.end() ? nullptr : found->second.get();
}

}  // namespace

struct Metrics::State {
    explicit State(const SeriesLimits& series) : limits(series), roster(series.max_services) {}

    SeriesLimits limits;
    ServiceRoster roster;
    std::map<std::string, ServiceMetrics> services;
    ServiceMetrics host;
    KeyedMetrics keyed;
    OwnMetrics own;
    SnapshotPtr snapshot;
    std::shared_ptr<const std::string> text;

    void take(const SnapshotPtr& next);
    void take_cgroups(const Snapshot& next, const std::map<CgroupId, std::set<std::string>>& services_of);
    void keep_within_lines(MonoTime now);
    /// Gives all families to `take`, few at a time: of 30,000 samples the model takes several times what the text does.
    void write(const std::function<void(std::vector<prometheus::MetricFamily>)>& take) const;
};

void Metrics::State::take(const SnapshotPtr& next) {
    for (auto& [name, service] : services) service.begin_tick();
    std::map<CgroupId, std::set<std::string>> services_of;
    for (const auto& [id, process] : next->processes) {
        const std::string name = roster.exported(service_of(*process), next->at);
        ServiceMetrics& service = services[name];
        const bool counted = snapshot != nullptr && in(snapshot->processes, id) == process.get();
        if (!counted) {
            service.add_events(process->signals, next->window);
            service.add_events(process->beside);
        }
        if (process->exited) continue;
        service.add_gauges(process->signals);
        service.count_process();
        if (const CgroupState* cgroup = next->cgroup_of(*process)) services_of[cgroup->id].insert(name);
    }
    for (const auto& [name, life] : next->lives) services[roster.exported(label_value(name), next->at)].add_life(life);
    take_cgroups(*next, services_of);
    for (const std::string& gone : roster.expire(next->at)) services.erase(gone);
    host.begin_tick();
    host.add_events(next->host.signals, next->window, news_of(*next));
    host.add_gauges(next->host.signals);
    if (!next->woken_for) keyed.take(next->host);
}

void Metrics::State::take_cgroups(const Snapshot& next, const std::map<CgroupId, std::set<std::string>>& services_of) {
    for (const auto& [id, names] : services_of) {
        const CgroupState& cgroup = *next.cgroups.at(id);
        const auto before = snapshot == nullptr ? nullptr : static_cast<const CgroupState*>(in(snapshot->cgroups, id));
        // An idle cgroup is not read at each tick: its rates are over the time since it was read before.
        const Duration window = before == nullptr ? next.window : cgroup.read_at - before->read_at;
        for (const std::string& name : names) {
            if (before != &cgroup) services[name].add_events(cgroup.signals, window, news_of(next));
            services[name].add_gauges(cgroup.signals);
        }
    }
}

void Metrics::State::keep_within_lines(MonoTime now) {
    // A service grows as its histograms fill, so the cap is held by what is really there, not by a guess at admission.
    Families own_families;
    own.write(own_families, roster.named());
    constexpr std::size_t family_headers = 2;
    std::size_t lines = count_lines(own_families.take()) + host.lines(limits.full_buckets) +
                        keyed.lines(limits.full_buckets) + family_headers * metric_names().size();
    for (const auto& [name, service] : services) lines += service.lines(limits.full_buckets);
    while (lines > limits.max_lines) {
        const auto name = roster.drop_youngest(now);
        if (!name) return;
        const auto found = services.find(*name);
        if (found == services.end()) continue;
        lines -= std::min(lines, found->second.lines(limits.full_buckets));
        services.erase(found);
    }
}

void Metrics::State::write(const std::function<void(std::vector<prometheus::MetricFamily>)>& take) const {
    Families out;
    if (snapshot == nullptr) {
        out.gauge("gotuned_build_info", "The version of gotuned.", {{"version", GOTUNED_VERSION}}, 1);
        return take(out.take());
    }
    own.write(out, roster.named());
    for (const auto& [name, service] : services)
        out.gauge("gotuned_service_processes", "Go processes of the service.", {{"service", name}},
                  static_cast<double>(service.processes()));
    for (const auto& [name, service] : services)
        service.write_info(out, "gotuned_service_info", "Texts that were read of the service's processes.",
                           {{"service", name}});
    host.write_info(out, "gotuned_host_info", "Texts that were read of the host.", {});
    take(out.take());
    for (const std::vector<Signal>& family : signals_by_family()) {
        Families one;
        for (const Signal signal : family) {
            if (!info(signal).key.empty())
                keyed.write(one, signal, limits.full_buckets);
            else if (info(signal).scope == Scope::host)
                host.write(one, signal, {}, limits.full_buckets);
            else
                for (const auto& [name, service] : services)
                    service.write(one, signal, {{"service", name}}, limits.full_buckets);
        }
        take(one.take());
    }
}

Metrics::Metrics(const SeriesLimits& limits) : state_(std::make_unique<State>(limits)) {}
Metrics::~Metrics() = default;

void Metrics::update(const SnapshotPtr& snapshot, const MetricsInput& input) {
    if (snapshot != state_->snapshot) {
        state_->take(snapshot);
        state_->own.update(state_->snapshot.get(), *snapshot, input);
        state_->snapshot = snapshot;
        state_->keep_within_lines(snapshot->at);
    }
    state_->text.reset();
}

void Metrics::woken(const SnapshotPtr& snapshot, const Evaluation& evaluation, const PressureReport& pressure) {
    if (snapshot == state_->snapshot) return;
    state_->take(snapshot);
    state_->own.woken(state_->snapshot.get(), *snapshot, evaluation, pressure);
    state_->snapshot = snapshot;
    state_->text.reset();
}

std::vector<prometheus::MetricFamily> Metrics::Collect() const {
    std::vector<prometheus::MetricFamily> all;
    state_->write(
        [&all](std::vector<prometheus::MetricFamily> some) { std::ranges::move(some, std::back_inserter(all)); });
    return all;
}

std::shared_ptr<const std::string> Metrics::text() const {
    if (state_->text) return state_->text;
    std::ostringstream out;
    state_->write([&out](const std::vector<prometheus::MetricFamily>& some) {
        prometheus::TextSerializer().Serialize(out, some);
    });
    state_->text = std::make_shared<const std::string>(std::move(out).str());
    return state_->text;
}

}  // namespace gotuned

#include "export/metrics.h"

#include <prometheus/text_serializer.h>

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <utility>

#include "export/differences.h"
#include "export/families.h"
#include "export/keyed_metrics.h"
#include "export/own_metrics.h"
#include "export/service_gauges.h"
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
    MonoTime seen_at{};  ///< when all services that have a process were last seen to
    std::shared_ptr<const std::string> text;

    void take(const SnapshotPtr& next);
    void take_processes(const Snapshot& before, const Snapshot& next);
    void take_cgroups(const Snapshot& before, const Snapshot& next);

    /// What there is of each service now, in the order of `services`.
    struct Now {
        ServiceGauges gauges;
        std::vector<std::size_t> processes;
        ServiceGauges host;
        std::vector<prometheus::MetricFamily> own;  ///< of the daemon itself
    };
    [[nodiscard]] Now now();
    /// Takes names away until the lines stay below their cap.
    [[nodiscard]] Now within_lines();
    /// Gives all families to `take`, few at a time: of 30,000 samples the model takes several times what the text does.
    void write(const std::function<void(std::vector<prometheus::MetricFamily>)>& take);
    void write_infos(Families& out, const Now& now) const;
    void write_gauges(Families& out, Signal signal, const Now& now) const;
};

void Metrics::State::take(const SnapshotPtr& next) {
    static const Snapshot none{};
    const Snapshot& before = snapshot == nullptr ? none : *snapshot;
    for (auto& [name, service] : services) service.begin_tick();
    take_processes(before, *next);
    for (const auto& [name, life] : next->lives) services[roster.exported(label_value(name), next->at)].add_life(life);
    take_cgroups(before, *next);
    for (const std::string& gone : roster.expire(next->at)) services.erase(gone);
    host.begin_tick();
    host.add_events(next->host.signals, next->window, news_of(*next));
    if (!next->woken_for) keyed.take(next->host);
}

void Metrics::State::take_processes(const Snapshot& before, const Snapshot& next) {
    // Of thousands of processes most are as they were: their services are only kept from expiring, now and then.
    if (next.at >= seen_at + std::chrono::minutes(1)) {
        seen_at = next.at;
        for (const auto& [id, process] : next.processes) (void)roster.exported(service_of(*process), next.at);
    }
    for_differences(before.processes, next.processes,
                    [&](const ProcessId&, const ProcessState* was, const ProcessState* is) {
                        if (is == nullptr) {
                            (void)roster.exported(service_of(*was), before.at);
                            return;
                        }
                        ServiceMetrics& service = services[roster.exported(service_of(*is), next.at)];
                        service.add_events(is->signals, next.window);
                        service.add_events(is->beside);
                    });
}

void Metrics::State::take_cgroups(const Snapshot& before, const Snapshot& next) {
    struct Read {
        Duration window{};
        std::set<std::string> services{};
    };
    std::map<CgroupId, Read> read;
    for_differences(before.cgroups, next.cgroups,
                    [&](const CgroupId& id, const CgroupState* was, const CgroupState* is) {
                        // An idle cgroup is not read at each tick: its rates are over the time since it was read
                        // before.
                        if (is != nullptr) read[id].window = was == nullptr ? next.window : is->read_at - was->read_at;
                    });
    if (read.empty()) return;
    for (const auto& [id, process] : next.processes) {
        if (process->exited || process->process == nullptr) continue;
        const auto found = read.find(CgroupId{process->process->cgroup_inode});
        if (found != read.end()) found->second.services.insert(roster.name_of(service_of(*process)));
    }
    for (const auto& [id, of] : read)
        for (const std::string& name : of.services)
            services[name].add_events(next.cgroups.at(id)->signals, of.window, news_of(next));
}

Metrics::State::Now Metrics::State::now() {
    std::map<std::string, std::size_t> numbers;
    for (const auto& [name, service] : services) numbers.emplace(name, numbers.size());
    Families own_families;
    own.write(own_families, roster.named(), *snapshot);
    Now out{ServiceGauges(services.size()), std::vector<std::size_t>(services.size()), ServiceGauges(1),
            own_families.take()};
    out.host.add(0, snapshot->host.signals);
    std::set<std::pair<CgroupId, std::size_t>> cgroups;
    for (const auto& [id, process] : snapshot->processes) {
        if (process->exited) continue;
        const auto known = numbers.find(roster.name_of(service_of(*process)));
        if (known == numbers.end()) continue;
        const std::size_t service = known->second;
        out.gauges.add(service, process->signals);
        ++out.processes[service];
        const CgroupState* cgroup = snapshot->cgroup_of(*process);
        if (cgroup != nullptr && cgroups.emplace(cgroup->id, service).second) out.gauges.add(service, cgroup->signals);
    }
    return out;
}

Metrics::State::Now Metrics::State::within_lines() {
    Now out = now();
    // A service grows as its histograms fill, so the cap is held by what is really there, not by a guess at admission.
    constexpr std::size_t family_headers = 2;
    std::size_t lines = count_lines(out.own) + host.lines(limits.full_buckets) + out.host.lines(0) +
                        keyed.lines(limits.full_buckets) + family_headers * metric_names().size();
    std::map<std::string, std::size_t> lines_of;
    for (const auto& [name, service] : services) {
        const std::size_t number = lines_of.size();
        const std::size_t of_it = 1 + service.lines(limits.full_buckets) + out.gauges.lines(number);
        lines_of.emplace(name, of_it);
        lines += of_it;
    }
    bool dropped = false;
    while (lines > limits.max_lines) {
        const auto name = roster.drop_youngest(snapshot->at);
        if (!name) break;
        if (services.erase(*name) == 0) continue;
        lines -= std::min(lines, lines_of.at(*name));
        dropped = true;
    }
    if (!dropped) return out;
    services.try_emplace(other_service);  // theirs are its processes from now on
    return now();
}

void Metrics::State::write_infos(Families& out, const Now& now) const {
    std::size_t number = 0;
    for (const auto& [name, service] : services)
        out.gauge("gotuned_service_processes", "Go processes of the service.", {{"service", name}},
                  static_cast<double>(now.processes[number++]));
    const auto write = [&out](const char* family, const char* help, const Labels& labels,
                              const ServiceGauges::Texts& all) {
        for (const auto& texts : all) out.gauge(family, help, with(labels, texts), 1);
    };
    number = 0;
    for (const auto& [name, service] : services)
        write("gotuned_service_info", "Texts that were read of the service's processes.", {{"service", name}},
              now.gauges.texts(number++));
    write("gotuned_host_info", "Texts that were read of the host.", {}, now.host.texts(0));
}

void Metrics::State::write_gauges(Families& out, Signal signal, const Now& now) const {
    const MetricName& family = metric_names()[static_cast<std::size_t>(signal)];
    const auto write = [&](const std::optional<double>& value, const Labels& labels) {
        if (value) out.gauge(family.family, family.help, with(labels, family.labels), *value);
    };
    if (info(signal).scope == Scope::host) return write(now.host.of(0, signal), {});
    std::size_t number = 0;
    for (const auto& [name, service] : services) write(now.gauges.of(number++, signal), {{"service", name}});
}

void Metrics::State::write(const std::function<void(std::vector<prometheus::MetricFamily>)>& take) {
    Families out;
    if (snapshot == nullptr) {
        out.gauge("gotuned_build_info", "The version of gotuned.", {{"version", GOTUNED_VERSION}}, 1);
        return take(out.take());
    }
    Now now = within_lines();
    take(std::move(now.own));
    write_infos(out, now);
    take(out.take());
    for (const std::vector<Signal>& family : signals_by_family()) {
        Families one;
        for (const Signal signal : family) {
            if (!info(signal).key.empty())
                keyed.write(one, signal, limits.full_buckets);
            else if (metric_names()[static_cast<std::size_t>(signal)].kind == MetricKind::gauge)
                write_gauges(one, signal, now);
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
        state_->own.update(*snapshot, input);
        state_->snapshot = snapshot;
    }
    state_->text.reset();
}

void Metrics::woken(const SnapshotPtr& snapshot, const Evaluation& evaluation, const PressureReport& pressure) {
    if (snapshot == state_->snapshot) return;
    state_->take(snapshot);
    state_->own.woken(*snapshot, evaluation, pressure);
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

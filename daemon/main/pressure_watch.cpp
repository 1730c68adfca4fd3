#include "main/pressure_watch.h"

#include <fmt/format.h>
#include <sys/epoll.h>

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace gotuned {
namespace {

constexpr CgroupId host_key{};
constexpr Duration retry = std::chrono::minutes(1);

double stall_of(const CgroupState& cgroup) {
    const auto reading = cgroup.signals.get(Signal::cg_memory_stall_rate).value;
    if (!reading) return 0;
    const auto* quantity = std::get_if<Quantity>(&*reading);
    return quantity == nullptr ? 0 : quantity->value;
}

}  // namespace

std::set<CgroupId> choose_for_triggers(const Snapshot& snapshot, const std::set<CgroupId>& armed, std::size_t most) {
    std::set<CgroupId> chosen;
    std::vector<std::pair<double, CgroupId>> others;
    for (const auto& [id, cgroup] : snapshot.cgroups) {
        if (armed.contains(id) && chosen.size() < most) {
            chosen.insert(id);
        } else {
            others.emplace_back(-stall_of(*cgroup), id);
        }
    }
    std::sort(others.begin(), others.end());
    for (const auto& [stall, id] : others) {
        if (chosen.size() >= most) break;
        chosen.insert(id);
    }
    return chosen;
}

WakePacer::Stalled WakePacer::take(MonoTime now) {
    last_ = now;
    return {std::exchange(cgroups_, {}), std::exchange(host_, false)};
}

PressureWatch::PressureWatch(EventLoop& loop, const Clock& clock, Roots roots, const Observer& observer,
                             std::function<void(const std::set<CgroupId>&)> wake)
    : loop_(loop), clock_(clock), roots_(std::move(roots)), observer_(observer), wake_(std::move(wake)) {}

void PressureWatch::watch(const Snapshot& snapshot, bool host, bool cgroups) {
    report_.wanted = host || cgroups;
    const MonoTime now = clock_.mono();
    std::erase_if(refused_, [now](const auto& entry) { return now >= entry.second.again; });

    std::set<CgroupId> held;
    for (const auto& [key, armed] : armed_)
        if (key != host_key) held.insert(key);
    constexpr std::size_t for_host = 1;
    const std::set<CgroupId> chosen =
        cgroups ? choose_for_triggers(snapshot, held, PsiTrigger::most - for_host) : std::set<CgroupId>{};
    by_host_.clear();
    if (cgroups)
        for (const auto& [id, cgroup] : snapshot.cgroups)
            if (!chosen.contains(id)) by_host_.insert(id);

    // The host's own rules need it, and so do the cgroups that have none.
    const bool needs_host = host || !by_host_.empty();
    std::erase_if(armed_, [&](const auto& entry) {
        return entry.first == host_key ? !needs_host : !chosen.contains(entry.first);
    });
    if (needs_host) arm(host_key, "host", roots_.proc + "/pressure/memory");
    for (const CgroupId& id : chosen) {
        if (armed_.contains(id) || refused_.contains(id)) continue;
        const std::string& name = snapshot.cgroups.at(id)->path;
        const auto directory = observer_.directory(id);
        if (!directory) {
            refuse(id, name, to_string(directory.absent()));
            continue;
        }
        // By the held directory: a cgroup that was made anew under the same name is another one.
        arm(id, name, fmt::format("/proc/self/fd/{}/memory.pressure", directory->fd()));
    }
    if (!pacer_.waiting()) timer_.reset();
}

void PressureWatch::arm(const Key& key, const std::string& name, const std::string& file) {
    if (armed_.contains(key) || refused_.contains(key)) return;
    auto trigger = PsiTrigger::open(file, pressure_threshold);
    if (!trigger)
        return refuse(key, name, trigger.error().code == 0 ? trigger.error().what : errno_words(trigger.error().code));
    auto source =
        loop_.on_events(trigger->fd(), EPOLLPRI, [this, key](std::uint32_t events) { happened(key, events); });
    if (!source) return refuse(key, name, to_string(source.error()));
    report_.threshold = trigger->granted();
    armed_.emplace(key, Armed{std::move(*trigger), std::move(*source)});
}

void PressureWatch::refuse(const Key& key, const std::string& name, std::string why) {
    log_debug("no PSI trigger on {}: {}", name, why);
    refused_.insert_or_assign(key, Refused{name, std::move(why), clock_.mono() + retry});
}

void PressureWatch::happened(const Key& key, std::uint32_t events) {
    const auto found = armed_.find(key);
    if (found == armed_.end()) return;
    ++report_.events;
    switch (found->second.trigger.check(static_cast<short>(events))) {
        case PsiTrigger::Event::nothing:
            ++report_.empty;
            return;
        case PsiTrigger::Event::gone:
            armed_.erase(found);  // the next tick's Snapshot is without this cgroup
            return;
        case PsiTrigger::Event::pressure:
            break;
    }
    if (key == host_key) {
        pacer_.host_stalled();
    } else {
        pacer_.stalled(key);
    }
    schedule();
}

void PressureWatch::schedule() {
    if (timer_) return;
    auto timer = loop_.at(pacer_.due(clock_.mono()), [this] { fire(); });
    if (timer) timer_ = std::move(*timer);
}

void PressureWatch::fire() {
    timer_.reset();
    if (!pacer_.waiting()) return;
    const std::set<CgroupId> cgroups = take();
    ++report_.wakes;
    wake_(cgroups);
}

std::set<CgroupId> PressureWatch::take() {
    WakePacer::Stalled stalled = pacer_.take(clock_.mono());
    if (stalled.host && !by_host_.empty()) {
        std::set<CgroupId> looked_at;
        for (const CgroupId& id : by_host_) {
            if (looked_at.size() == most_looked_at) break;
            looked_at.insert(id);
        }
        stalled.cgroups.merge(observer_.stalled(looked_at));
    }
    return std::move(stalled.cgroups);
}

PressureReport PressureWatch::report() const {
    PressureReport out = report_;
    out.host = armed_.contains(host_key);
    out.cgroups = armed_.size() - (out.host ? 1 : 0);
    out.by_host = by_host_.size();
    for (const auto& [key, refused] : refused_) out.refused[refused.name] = refused.why;
    return out;
}

}  // namespace gotuned

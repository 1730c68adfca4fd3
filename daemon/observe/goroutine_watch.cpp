#include "observe/goroutine_watch.h"

#include <memory>

#include "base/log.h"
#include "observe/go_goroutines.h"

namespace gotuned {
namespace {

/// After which it is tried again: too busy a moment ago, a kernel or an executable that will not change so soon.
constexpr Duration pause = std::chrono::minutes(1);

}  // namespace

void GoroutineWatch::begin(Probes& probes, const GoProcess& process, std::string_view version, MonoTime now) {
    next_try_ = now + pause;
    const auto target = goroutine_target(process, version);
    if (!target) {
        why_not_ = target.absent();
        return;
    }
    const auto watched = probes.watch_goroutines(*target);
    watching_ = watched.has_value();
    why_not_ =
        watching_ ? Absent{Absence::not_observed, {}} : Absent{Absence::not_attached, to_string(watched.error())};
    if (!watching_) log_warning("pid {}: {}", process.id.pid, to_string(watched.error()));
}

SignalReading GoroutineWatch::observe(Probes* probes, const GoProcess& process, const std::string& service,
                                      std::string_view version, const GoroutineOptions& options, double budget,
                                      MonoTime now) {
    if (!options.services.contains(service)) {
        end(probes, process.id);
        return {Absent{Absence::not_attached, "its service is not named in probes.goroutines (gotuned.yaml)"}, {}};
    }
    if (probes == nullptr) return {Absence::not_attached, {}};
    if (!watching_) {
        if (now >= next_try_ && !version.empty()) begin(*probes, process, version, now);
        return {why_not_, {}};
    }
    const GoroutineDelta delta = probes->take_goroutines(process.id, now);
    if (delta.elapsed <= Duration::zero()) return {Absence::not_observed, {}};
    if (static_cast<double>(delta.hits) * GoroutineDelta::hit_seconds > budget * seconds(delta.elapsed)) {
        probes->unwatch_goroutines(process.id);
        watching_ = false;
        next_try_ = now + pause;
        why_not_ = {Absence::not_attached, "its goroutines change so often that looking costs more than probes.budget"};
        log_info(
            "pid {}: {:.0f} changes of goroutines a second are above its part of probes.budget; looked at again in a "
            "minute",
            process.id.pid, static_cast<double>(delta.hits) / seconds(delta.elapsed));
    }
    return {SignalValue(std::make_shared<const Distribution>(delta.wait)), {delta.elapsed, delta.elapsed}};
}

void GoroutineWatch::end(Probes* probes, const ProcessId& process) {
    if (watching_ && probes != nullptr) probes->unwatch_goroutines(process);
    watching_ = false;
}

}  // namespace gotuned

#include "observe/interrupt_signals.h"

namespace gotuned {
namespace {

using enum Signal;

SignalReading scaled(Distribution seen, const InterruptDelta& delta) {
    seen.scale(seconds(delta.elapsed) / seconds(delta.observed));
    return {SignalValue(std::make_shared<const Distribution>(seen)), {delta.elapsed, delta.observed}};
}

}  // namespace

void set_interrupt_signals(HostState& host, const InterruptDelta& delta, const Absent& why) {
    const bool enough = delta.observed >= least_exposure;
    const Absent too_little = delta.observed > Duration::zero() ? Absent{Absence::low_exposure, {}} : why;
    const auto absent = [&](Signal id, bool attached) {
        const Exposure exposure{delta.elapsed, delta.observed};
        host.signals.set(id, SignalReading{attached ? too_little : Absent{Absence::not_attached, {}}, exposure});
    };
    if (enough && delta.sees_softirqs) {
        for (std::size_t i = 0; i < GT_SOFTIRQS; ++i)
            host.keyed[host_softirq][std::string(softirq_names[i])] = scaled(delta.softirqs[i], delta);
    } else {
        absent(host_softirq, delta.sees_softirqs);
    }
    const auto named = [&](Signal id, bool attached, const std::map<std::string, Distribution>& all) {
        if (!enough || !attached) return absent(id, attached);
        for (const auto& [name, seen] : all) host.keyed[id][name] = scaled(seen, delta);
    };
    named(host_irq, delta.sees_handlers, delta.handlers);
    named(host_napi, delta.sees_drivers, delta.drivers);
}

}  // namespace gotuned

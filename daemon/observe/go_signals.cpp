#include "observe/go_signals.h"

#include <algorithm>
#include <array>

namespace gotuned {
namespace {

using enum Signal;

constexpr std::array gauges{go_gomaxprocs, go_goroutines, go_heap_live, go_heap_goal, go_memlimit, go_mem_sys};
constexpr std::array counters{go_gc_count, go_gc_pause, go_gc_cpu, go_alloc};

SignalReading gauge(const Reading<std::uint64_t>& number, Unit unit) {
    return {number.map([unit](std::uint64_t value) {
                return SignalValue(
                    Quantity{value == GoRuntimeValues::never ? unlimited_value : static_cast<double>(value), unit});
            }),
            {}};
}

/// The pauses of the last `fresh` collections. The runtime keeps those of 256: of more, these stand for all.
Distribution pauses_of(const GoRuntimeValues& values, std::uint64_t fresh) {
    Distribution out;
    const std::uint64_t known = std::min<std::uint64_t>(fresh, values.pauses_ns.size());
    for (std::uint64_t i = 0; i < known; ++i) {
        const std::uint64_t pause = values.pauses_ns[(*values.gc_count - 1 - i) % values.pauses_ns.size()];
        out.record(Duration(static_cast<Duration::rep>(std::min<std::uint64_t>(pause, INT64_MAX))));
    }
    if (known > 0 && fresh > known) out.scale(static_cast<double>(fresh) / static_cast<double>(known));
    return out;
}

}  // namespace

void GoSignals::set(SignalTable& table, const GoRuntimeValues& values, MonoTime now) {
    table.set(go_gomaxprocs, gauge(values.gomaxprocs, unit::count));
    table.set(go_goroutines, gauge(values.goroutines, unit::count));
    table.set(go_heap_live, gauge(values.heap_live, unit::bytes));
    table.set(go_heap_goal, gauge(values.heap_goal, unit::bytes));
    table.set(go_memlimit, gauge(values.memory_limit, unit::bytes));
    table.set(go_mem_sys, gauge(values.sys, unit::bytes));
    set_counters(table, values, now);
    last_ = Counted{values.gc_count, values.gc_cpu_ns, values.total_alloc, values.gomaxprocs};
}

void GoSignals::keep(SignalTable& table, const SignalTable& last, MonoTime now) {
    for (const Signal id : gauges) table.set(id, last.get(id));
    if (!last_) {
        for (const Signal id : counters) table.set(id, last.get(id));
        return;
    }
    GoRuntimeValues values;  // what does not grow needs no pauses
    values.gc_count = last_->collections;
    values.gc_cpu_ns = last_->gc_cpu_ns;
    values.total_alloc = last_->allocated;
    values.gomaxprocs = last_->gomaxprocs;
    set_counters(table, values, now);
}

void GoSignals::skip(SignalTable& table, const SignalTable& last) {
    for (const Signal id : gauges) table.set(id, last.get(id));
    for (const Signal id : counters) {
        const SignalReading before = last.get(id);
        table.set(id, last_ && before.value ? SignalReading{Absence::not_observed, {}} : before);
    }
    settled_ = settled_ || last_;
}

void GoSignals::idle(MonoTime now) {
    if (!last_) return;
    (void)collections_.grow(last_->collections, now);
    (void)gc_cpu_.grow(last_->gc_cpu_ns, now);
    (void)allocated_.grow(last_->allocated, now);
}

void GoSignals::set_counters(SignalTable& table, const GoRuntimeValues& values, MonoTime now) {
    const auto fresh = collections_.grow(values.gc_count, now);
    if (fresh) {
        const auto window = from_seconds(fresh->seconds);
        const Exposure whole{window, window};
        table.set(go_gc_count, {SignalValue(rate(fresh->per_second())), whole});
        table.set(go_gc_pause,
                  {SignalValue(std::make_shared<const Distribution>(pauses_of(values, fresh->amount))), whole});
    } else {
        table.set(go_gc_count, fresh.absent());
        table.set(go_gc_pause, fresh.absent());
    }
    const double cpus = values.gomaxprocs ? static_cast<double>(*values.gomaxprocs) : 1;
    table.set(go_gc_cpu,
              gc_cpu_.signal(values.gomaxprocs ? values.gc_cpu_ns : values.gomaxprocs, now, unit::ratio, 1e-9 / cpus));
    const SignalReading allocated = allocated_.signal(values.total_alloc, now, unit::bytes_per_second);
    table.set(go_alloc, allocated);
    const bool nothing_allocated = !allocated.value || std::get<Quantity>(*allocated.value).value == 0;
    settled_ = !values.gc_count || (fresh && fresh->amount == 0 && nothing_allocated);
}

void GoSignals::set_absent(SignalTable& table, const Absent& why) {
    for (const Signal id : gauges) table.set(id, why);
    for (const Signal id : counters) table.set(id, why);
}

Reading<SignalValue> memory_off_heap(const Reading<std::uint64_t>& anonymous, const Reading<std::uint64_t>& swapped,
                                     const Reading<std::uint64_t>& in_use) {
    if (!in_use) return in_use.absent();
    if (!anonymous) return anonymous.absent();
    if (!swapped) return swapped.absent();
    const std::uint64_t all = *anonymous + *swapped;
    return SignalValue(bytes(all > *in_use ? static_cast<double>(all - *in_use) : 0));
}

Reading<SignalValue> gomaxprocs_excess(const Reading<std::uint64_t>& gomaxprocs, const Reading<CpuSet>& allowed,
                                       double quota) {
    if (!gomaxprocs) return gomaxprocs.absent();
    if (!allowed) return allowed.absent();
    return SignalValue(count(static_cast<double>(*gomaxprocs) - std::min(static_cast<double>(allowed->size()), quota)));
}

}  // namespace gotuned

#include "observe/slot_signals.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "observe/tcp_signals.h"

namespace gotuned {
namespace {

using enum Signal;

constexpr Signal next(Signal first, std::size_t offset) {
    return static_cast<Signal>(static_cast<std::size_t>(first) + offset);
}
// Signals are named after the slots' classes and errnos, in their order.
static_assert(next(syscall_read, GT_OTHER) == syscall_other && next(syscall_read, GT_CLASSES) == syscall_jitter);
static_assert(next(errors_emfile, GT_EADDRNOTAVAIL) == errors_eaddrnotavail);

/// Classes that should not block on purpose (syscall.jitter).
constexpr std::array jitter_classes{GT_READ,  GT_WRITE, GT_CONNECT, GT_OPEN, GT_CLOSE,
                                    GT_FSYNC, GT_MMAP,  GT_CLONE,   GT_OTHER};

Reading<SignalValue> ratio_of(std::uint64_t part, std::uint64_t whole, Unit unit) {
    if (whole == 0) return Absence::no_data;
    return SignalValue(Quantity{static_cast<double>(part) / static_cast<double>(whole), unit});
}

/// √(Σ nσ² / Σ n), nσ² = Σx² − (Σx)²/n
Reading<SignalValue> pooled_deviation(const SlotDelta& delta) {
    double events = 0;
    double squares = 0;
    for (const auto index : jitter_classes) {
        const SlotDelta::Jitter& jitter = delta.jitter[index];
        if (!(jitter.count > 0)) continue;
        events += jitter.count;
        squares += std::max(0.0, jitter.sum_of_squares - jitter.sum * jitter.sum / jitter.count);
    }
    if (!(events > 0)) return Absence::no_data;
    return SignalValue(Quantity{std::sqrt(squares / events), unit::time});
}

/// The budget may allow the programs of context switches and sockets for a part of the time only: what they saw stands
/// for all of it.
double whole_by_seen(const SlotDelta& delta, Duration seen) {
    return seen >= delta.elapsed ? 1 : seconds(delta.elapsed) / seconds(seen);
}
double whole_by_seen(const SlotDelta& delta) { return whole_by_seen(delta, delta.scheduler_observed); }

/// Too little of a tick to stand for it; a process that was just found has little, and that is all.
bool scarcely_seen(const SlotDelta& delta, Duration seen) { return seen < least_exposure && seen < delta.elapsed / 2; }
bool scarcely_seen(const SlotDelta& delta) { return scarcely_seen(delta, delta.scheduler_observed); }

SignalReading scaled(const Distribution& seen, double scale, const Exposure& exposure) {
    if (scale == 1) return reading_of(seen, exposure);
    Distribution whole = seen;
    whole.scale(scale);
    return reading_of(whole, exposure);
}

void set_network_signals(SignalTable& table, const SlotDelta& delta) {
    const Duration seen = delta.network_observed;
    if (scarcely_seen(delta, seen))
        table.set(netpoll_wait, {Absent{Absence::low_exposure, {}}, {delta.elapsed, seen}});
    else
        table.set(netpoll_wait, scaled(delta.netpoll_wait, whole_by_seen(delta, seen), {delta.elapsed, seen}));
}

void set_scheduler_signals(SignalTable& table, const SlotDelta& delta) {
    const Exposure exposure{delta.elapsed, delta.scheduler_observed};
    const double scale = whole_by_seen(delta);
    const auto set = [&](Signal id, const Distribution& seen) { table.set(id, scaled(seen, scale, exposure)); };
    set(epoll_wake, delta.epoll_wake);
    set(netpoll_timer_late, delta.timer_late);
    set(netpoll_sleep, delta.netpoll_sleep);
    set(runq, delta.runq);
    table.set(cpu_migrations,
              {SignalValue(rate(static_cast<double>(delta.migrations) / seconds(delta.scheduler_observed))), exposure});
}
void set_scheduler_absent(SignalTable& table, const Absent& why, const Exposure& exposure = {}) {
    for (const Signal id : {epoll_wake, netpoll_timer_late, netpoll_sleep, runq, cpu_migrations})
        table.set(id, {why, exposure});
}

void set_reclaim_signals(SignalTable& table, const SlotDelta& delta) {
    const Exposure all{delta.elapsed, delta.elapsed};
    table.set(reclaim_direct, reading_of(delta.reclaim, all));
    table.set(reclaim_stall, {SignalValue(ratio(delta.reclaim.sum / seconds(delta.elapsed))), all});
}
void set_reclaim_absent(SignalTable& table, const Absent& why) {
    for (const Signal id : {reclaim_direct, reclaim_stall}) table.set(id, {why, {}});
}

void set_window_signals(SignalTable& table, const SlotDelta& delta) {
    const Exposure exposure{delta.elapsed, delta.observed};
    const double observed = seconds(delta.observed);
    const auto& polls = delta.polls;
    const std::uint64_t all_polls = polls.polls[0] + polls.polls[1];
    table.set(netpoll_poll_rate, {SignalValue(rate(static_cast<double>(all_polls) / observed)), exposure});
    table.set(netpoll_empty_ratio, {ratio_of(polls.empty[0] + polls.empty[1], all_polls, unit::ratio), exposure});
    table.set(netpoll_events_mean, {ratio_of(polls.events[0] + polls.events[1], all_polls, unit::count), exposure});
    // Without the scheduler's part the calls of 20 ms and more are missing: a tail that was cut off is not a value.
    const bool whole = delta.scheduler_observed > Duration::zero() && !scarcely_seen(delta);
    for (std::size_t i = 0; i < GT_CLASSES; ++i) {
        if (!whole) {
            table.set(next(syscall_read, i), {Absence::not_attached, exposure});
            continue;
        }
        Distribution calls = delta.window[i];
        calls.scale(seconds(delta.elapsed) / observed);
        Distribution blocked = delta.blocked[i];  // seen in the scheduler's time, mostly all of it
        blocked.scale(whole_by_seen(delta));
        calls.add(blocked);
        table.set(next(syscall_read, i), reading_of(calls, exposure));
    }
    table.set(syscall_jitter, {whole ? pooled_deviation(delta) : Absence::not_attached, exposure});
    for (std::size_t i = 0; i < GT_ERRNOS; ++i)
        table.set(next(errors_emfile, i),
                  {SignalValue(rate(static_cast<double>(delta.failed[i]) / observed)), exposure});
}

/// Errors that are seen always where fexit is to be had, windows or not (bpf/errnos.h).
void set_failed_calls(SignalTable& table, const SlotDelta& delta) {
    if (delta.calls_observed <= Duration::zero()) return;
    const Exposure exposure{delta.elapsed, delta.calls_observed};
    for (const std::size_t i : {GT_EMFILE, GT_ENFILE, GT_EAGAIN_CLONE, GT_EADDRNOTAVAIL})
        table.set(next(errors_emfile, i),
                  {SignalValue(rate(static_cast<double>(delta.failed[i]) / seconds(delta.calls_observed))), exposure});
}
void set_window_absent(SignalTable& table, const Absent& why, const Exposure& exposure) {
    for (const Signal id : {netpoll_poll_rate, netpoll_empty_ratio, netpoll_events_mean})
        table.set(id, {why, exposure});
    for (std::size_t i = 0; i < GT_CLASSES; ++i) table.set(next(syscall_read, i), {why, exposure});
    table.set(syscall_jitter, {why, exposure});
    for (std::size_t i = 0; i < GT_ERRNOS; ++i) table.set(next(errors_emfile, i), {why, exposure});
}

}  // namespace

SignalReading reading_of(const Distribution& seen, const Exposure& exposure) {
    static const DistributionPtr nothing = std::make_shared<const Distribution>();
    return {SignalValue(seen == *nothing ? nothing : std::make_shared<const Distribution>(seen)), exposure};
}

void set_slot_signals(SignalTable& table, const SlotDelta& delta, const SlotAbsences& absences) {
    if (delta.elapsed <= Duration::zero()) return set_slot_absent(table, Absent{Absence::not_observed, {}});
    if (delta.network_observed > Duration::zero()) {
        set_network_signals(table, delta);
    } else {
        table.set(netpoll_wait, absences.network);
    }
    if (delta.scheduler_observed <= Duration::zero()) {
        set_scheduler_absent(table, Absent{Absence::not_attached, {}});
    } else if (scarcely_seen(delta)) {
        set_scheduler_absent(table, Absent{Absence::low_exposure, {}}, {delta.elapsed, delta.scheduler_observed});
    } else {
        set_scheduler_signals(table, delta);
    }
    const Exposure exposure{delta.elapsed, delta.observed};
    if (delta.observed <= Duration::zero()) {
        set_window_absent(table, absences.windows, exposure);
    } else if (delta.observed < least_exposure) {
        set_window_absent(table, Absent{Absence::low_exposure, {}}, exposure);
    } else {
        set_window_signals(table, delta);
    }
    set_failed_calls(table, delta);
    if (delta.reclaim_observed > Duration::zero()) {
        set_reclaim_signals(table, delta);
    } else {
        set_reclaim_absent(table, Absent{Absence::not_attached, {}});
    }
    if (delta.swap_observed > Duration::zero()) {
        table.set(swapin, {SignalValue(rate(static_cast<double>(delta.swapins) / seconds(delta.swap_observed))),
                           Exposure{delta.elapsed, delta.elapsed}});
    } else {
        table.set(swapin, absences.swap);
    }
}

SignalEvents blocked_beside(const SlotDelta& delta) {
    SignalEvents events;
    if (delta.observed >= least_exposure || delta.scheduler_observed <= Duration::zero() || scarcely_seen(delta))
        return events;
    for (std::size_t i = 0; i < GT_CLASSES; ++i) {
        if (!(delta.blocked[i].count() > 0)) continue;
        auto blocked = std::make_shared<Distribution>(delta.blocked[i]);
        blocked->scale(whole_by_seen(delta));
        events.emplace_back(next(syscall_read, i), std::move(blocked));
    }
    return events;
}

void set_slot_absent(SignalTable& table, const Absent& why) {
    table.set(netpoll_wait, why);
    set_scheduler_absent(table, why);
    set_window_absent(table, why, {});
    set_reclaim_absent(table, why);
    table.set(swapin, why);
}

bool is_empty(const SlotDelta& delta) {
    static const SlotDelta nothing{};
    const auto same_jitter = [](const SlotDelta::Jitter& jitter) { return jitter.count == 0; };
    const auto& polls = delta.polls;
    return delta.switches == 0 && delta.migrations == 0 && delta.swapins == 0 &&
           delta.epoll_wake == nothing.epoll_wake && delta.netpoll_sleep == nothing.netpoll_sleep &&
           delta.timer_late == nothing.timer_late && delta.runq == nothing.runq &&
           delta.netpoll_wait == nothing.netpoll_wait && delta.reclaim == nothing.reclaim && is_empty(delta.tcp) &&
           delta.blocked == nothing.blocked && delta.window == nothing.window &&
           std::all_of(delta.jitter.begin(), delta.jitter.end(), same_jitter) && delta.failed == nothing.failed &&
           polls.polls[0] == 0 && polls.polls[1] == 0;
}

}  // namespace gotuned

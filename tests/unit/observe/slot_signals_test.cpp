#include "observe/slot_signals.h"

#include <cmath>

#include "catch.h"

using namespace gotuned;
using namespace std::chrono_literals;

namespace {

const SlotAbsences absences{{Absence::not_observed, {}}, {Absence::not_attached, "no such tracepoint"}};

SlotDelta five_seconds(Duration observed) {
    SlotDelta delta;
    delta.elapsed = 5s;
    delta.observed = observed;
    delta.scheduler_observed = 5s;
    delta.reclaim_observed = 5s;
    return delta;
}
SignalTable signals_of(const SlotDelta& delta) {
    SignalTable table;
    set_slot_signals(table, delta, absences);
    return table;
}
const Distribution& distribution(const SignalTable& table, Signal id) {
    return *std::get<DistributionPtr>(*table.get(id).value);
}
Quantity quantity(const SignalTable& table, Signal id) { return std::get<Quantity>(*table.get(id).value); }
Absence absence(const SignalTable& table, Signal id) { return table.get(id).value.absent().reason; }

}  // namespace

TEST_CASE("calls seen in a window stand for the whole time, blocked ones for themselves") {
    SlotDelta delta = five_seconds(200ms);
    for (int i = 0; i < 10; ++i) delta.window[GT_READ].record(3us);
    delta.blocked[GT_READ].record(30ms);
    const SignalTable table = signals_of(delta);
    const Distribution& reads = distribution(table, Signal::syscall_read);
    CHECK(reads.count() == Approx(10 * 25 + 1));
    CHECK(reads.sum == Approx(250 * 3e-6 + 0.03));
    CHECK(reads.max == Approx(0.03));
    CHECK(table.get(Signal::syscall_read).exposure == Exposure{5s, 200ms});
}

TEST_CASE("each class and each errno sets the signal of its own name") {
    SlotDelta delta = five_seconds(1s);
    for (std::size_t i = 0; i < GT_CLASSES; ++i)
        for (std::size_t n = 0; n <= i; ++n) delta.blocked[i].record(30ms);
    for (std::size_t i = 0; i < GT_ERRNOS; ++i) delta.failed[i] = i + 1;
    const SignalTable table = signals_of(delta);
    const Signal classes[] = {Signal::syscall_read,    Signal::syscall_write, Signal::syscall_accept,
                              Signal::syscall_connect, Signal::syscall_open,  Signal::syscall_close,
                              Signal::syscall_fsync,   Signal::syscall_mmap,  Signal::syscall_futex,
                              Signal::syscall_sleep,   Signal::syscall_wait,  Signal::syscall_clone,
                              Signal::syscall_other};
    for (std::size_t i = 0; i < GT_CLASSES; ++i) CHECK(distribution(table, classes[i]).count() == Approx(i + 1));
    const Signal errors[] = {Signal::errors_emfile,       Signal::errors_enfile,       Signal::errors_eagain,
                             Signal::errors_enomem,       Signal::errors_econnrefused, Signal::errors_etimedout,
                             Signal::errors_eaddrnotavail};
    for (std::size_t i = 0; i < GT_ERRNOS; ++i) CHECK(quantity(table, errors[i]) == rate(static_cast<double>(i + 1)));
}

TEST_CASE("failures are a rate over the time that was looked at") {
    SlotDelta delta = five_seconds(500ms);
    delta.failed[GT_EMFILE] = 50;
    CHECK(quantity(signals_of(delta), Signal::errors_emfile) == rate(100));
}

TEST_CASE("no failure seen while looking is a rate of zero") {
    CHECK(quantity(signals_of(five_seconds(200ms)), Signal::errors_emfile) == rate(0));
}

TEST_CASE("no failure seen while nobody looked is not zero") {
    const SignalTable table = signals_of(five_seconds(0s));
    CHECK(absence(table, Signal::errors_emfile) == Absence::not_observed);
    CHECK(absence(table, Signal::syscall_read) == Absence::not_observed);
    CHECK(absence(table, Signal::netpoll_poll_rate) == Absence::not_observed);
    CHECK(absence(table, Signal::syscall_jitter) == Absence::not_observed);
}

TEST_CASE("a sampled signal below its least exposure is absent and says how long was looked") {
    SlotDelta delta = five_seconds(99ms);
    delta.failed[GT_EMFILE] = 50;
    const SignalTable table = signals_of(delta);
    CHECK(absence(table, Signal::errors_emfile) == Absence::low_exposure);
    CHECK(absence(table, Signal::syscall_read) == Absence::low_exposure);
    CHECK(table.get(Signal::errors_emfile).exposure == Exposure{5s, 99ms});
    CHECK(quantity(signals_of(five_seconds(least_exposure)), Signal::errors_emfile) == rate(0));
}

TEST_CASE("calls that blocked while nobody looked at the others are told beside the absent signals") {
    for (const Duration observed : {Duration::zero(), Duration(50ms)}) {
        SlotDelta delta = five_seconds(observed);
        delta.blocked[GT_READ].record(30ms);
        delta.window[GT_READ].record(3us);
        CHECK_FALSE(signals_of(delta).get(Signal::syscall_read).value.present());
        const SignalEvents beside = blocked_beside(delta);
        REQUIRE(beside.size() == 1);
        CHECK(beside[0].first == Signal::syscall_read);
        CHECK(beside[0].second->count() == 1);
    }
    SlotDelta looked = five_seconds(200ms);
    looked.blocked[GT_READ].record(30ms);
    CHECK(blocked_beside(looked).empty());  // the signal has it
}

TEST_CASE("low exposure of the windows takes nothing from what the scheduler saw") {
    SlotDelta delta = five_seconds(0s);
    delta.epoll_wake.record(20us);
    delta.migrations = 10;
    const SignalTable table = signals_of(delta);
    CHECK(distribution(table, Signal::epoll_wake).count() == Approx(1));
    CHECK(table.get(Signal::epoll_wake).exposure == Exposure{5s, 5s});
    CHECK(quantity(table, Signal::cpu_migrations) == rate(2));
}

TEST_CASE("what the scheduler's programs saw in a part of the tick stands for all of it, and says for how long") {
    SlotDelta delta = five_seconds(200ms);
    delta.scheduler_observed = 1s;
    for (int i = 0; i < 10; ++i) delta.runq.record(20us);
    delta.blocked[GT_READ].record(30ms);
    delta.migrations = 10;
    const SignalTable table = signals_of(delta);
    CHECK(distribution(table, Signal::runq).count() == Approx(50));
    CHECK(distribution(table, Signal::syscall_read).count() == Approx(5));
    CHECK(quantity(table, Signal::cpu_migrations) == rate(10));
    CHECK(table.get(Signal::runq).exposure == Exposure{5s, 1s});
}

TEST_CASE("calls that failed for want of something are no sample where they are seen always, windows or not") {
    SlotDelta delta = five_seconds(200ms);
    delta.failed[GT_EMFILE] = 10;
    delta.failed[GT_ENOMEM] = 2;
    CHECK(quantity(signals_of(delta), Signal::errors_emfile) == rate(50));
    delta.calls_observed = 5s;
    const SignalTable seen = signals_of(delta);
    CHECK(quantity(seen, Signal::errors_emfile) == rate(2));
    CHECK(seen.get(Signal::errors_emfile).exposure == Exposure{5s, 5s});
    CHECK(quantity(seen, Signal::errors_eaddrnotavail) == rate(0));
    CHECK(quantity(seen, Signal::errors_enomem) == rate(10));
    delta.observed = 0s;
    const SignalTable without = signals_of(delta);
    CHECK(quantity(without, Signal::errors_emfile) == rate(2));
    CHECK_FALSE(without.get(Signal::errors_enomem).value.present());
}

TEST_CASE("waits at sockets that were seen in a part of the tick stand for all of it") {
    SlotDelta delta = five_seconds(200ms);
    delta.network_observed = 500ms;
    for (int i = 0; i < 10; ++i) delta.netpoll_wait.record(20us);
    const SignalTable table = signals_of(delta);
    CHECK(distribution(table, Signal::netpoll_wait).count() == Approx(100));
    CHECK(table.get(Signal::netpoll_wait).exposure == Exposure{5s, 500ms});
    delta.network_observed = 90ms;
    CHECK(absence(signals_of(delta), Signal::netpoll_wait) == Absence::low_exposure);
}

TEST_CASE("the scheduler's signals are absent when its programs were attached for a moment of the tick") {
    SlotDelta delta = five_seconds(200ms);
    delta.scheduler_observed = 99ms;
    delta.runq.record(20us);
    delta.blocked[GT_READ].record(30ms);
    CHECK(absence(signals_of(delta), Signal::runq) == Absence::low_exposure);
    CHECK_FALSE(signals_of(delta).get(Signal::syscall_read).value.present());
    // A process that was just found was there for no longer: that is all there is.
    delta.elapsed = 99ms;
    CHECK(signals_of(delta).get(Signal::runq).value.present());
}

TEST_CASE("an empty distribution that was looked at is present, and its percentiles are no data") {
    const SignalTable table = signals_of(five_seconds(200ms));
    CHECK(distribution(table, Signal::epoll_wake).count() == 0);
    CHECK(distribution(table, Signal::epoll_wake).quantile(0.99).absent().reason == Absence::no_data);
    CHECK(distribution(table, Signal::syscall_read).count() == 0);
}

TEST_CASE("without the scheduler probes its signals are not attached, and a call's duration lacks its tail") {
    SlotDelta delta = five_seconds(200ms);
    delta.scheduler_observed = 0s;
    delta.window[GT_READ].record(3us);
    delta.failed[GT_ENFILE] = 1;
    const SignalTable table = signals_of(delta);
    for (const Signal id : {Signal::epoll_wake, Signal::netpoll_sleep, Signal::netpoll_timer_late, Signal::runq,
                            Signal::cpu_migrations, Signal::syscall_read, Signal::syscall_jitter})
        CHECK(absence(table, id) == Absence::not_attached);
    CHECK(quantity(table, Signal::errors_enfile) == rate(5));
}

TEST_CASE("before any time has passed nothing is known") {
    SlotDelta delta;
    delta.epoll_wake.record(1ms);
    const SignalTable table = signals_of(delta);
    CHECK(absence(table, Signal::epoll_wake) == Absence::not_observed);
    CHECK(absence(table, Signal::errors_emfile) == Absence::not_observed);
}

TEST_CASE("without the network probes netpoll.wait says why it is absent, and with them it is there") {
    SlotDelta delta = five_seconds(200ms);
    CHECK(signals_of(delta).get(Signal::netpoll_wait).value.absent() ==
          Absent{Absence::not_attached, "no such tracepoint"});
    delta.network_observed = 5s;
    CHECK(distribution(signals_of(delta), Signal::netpoll_wait).count() == 0);
    delta.netpoll_wait.record(3ms);
    CHECK_FALSE(is_empty(delta));
    const SignalTable table = signals_of(delta);
    CHECK(distribution(table, Signal::netpoll_wait).count() == 1);
    CHECK(table.get(Signal::netpoll_wait).exposure == Exposure{5s, 5s});
}

TEST_CASE("polls are counted whatever their timeout") {
    SlotDelta delta = five_seconds(500ms);
    delta.polls.polls[0] = 70, delta.polls.polls[1] = 30;
    delta.polls.empty[0] = 20, delta.polls.empty[1] = 5;
    delta.polls.events[0] = 100, delta.polls.events[1] = 50;
    const SignalTable table = signals_of(delta);
    CHECK(quantity(table, Signal::netpoll_poll_rate) == rate(200));
    CHECK(quantity(table, Signal::netpoll_empty_ratio) == ratio(0.25));
    CHECK(quantity(table, Signal::netpoll_events_mean) == count(1.5));
}

TEST_CASE("the share of empty polls among no polls is no data") {
    const SignalTable table = signals_of(five_seconds(500ms));
    CHECK(quantity(table, Signal::netpoll_poll_rate) == rate(0));
    CHECK(absence(table, Signal::netpoll_empty_ratio) == Absence::no_data);
    CHECK(absence(table, Signal::netpoll_events_mean) == Absence::no_data);
}

TEST_CASE("jitter pools the variance within classes, not the distance between them") {
    SlotDelta delta = five_seconds(200ms);
    // reads of 1 and 3 ms: variance 1 ms²; closes of 100 ms each: none.
    delta.jitter[GT_READ] = {2, 4e-3, 1e-6 + 9e-6};
    delta.jitter[GT_CLOSE] = {2, 0.2, 0.02};
    CHECK(quantity(signals_of(delta), Signal::syscall_jitter).value == Approx(std::sqrt(2e-6 / 4)).margin(1e-9));
    CHECK(quantity(signals_of(delta), Signal::syscall_jitter).unit == unit::time);
}

TEST_CASE("classes that block on purpose take no part in jitter") {
    SlotDelta delta = five_seconds(200ms);
    for (const auto index : {GT_ACCEPT, GT_FUTEX, GT_SLEEP, GT_WAIT}) delta.jitter[index] = {2, 4e-3, 1e-5};
    CHECK(absence(signals_of(delta), Signal::syscall_jitter) == Absence::no_data);
    delta.jitter[GT_OTHER] = {2, 4e-3, 1e-5};
    CHECK(quantity(signals_of(delta), Signal::syscall_jitter).value == Approx(1e-3));
}

TEST_CASE("rounding never makes jitter of equal durations anything but small") {
    SlotDelta delta = five_seconds(200ms);
    delta.jitter[GT_READ] = {3, 0.3, 0.03 - 1e-12};
    CHECK(quantity(signals_of(delta), Signal::syscall_jitter).value == 0);
}

TEST_CASE("a slot is empty only when nothing at all was counted") {
    SlotDelta delta = five_seconds(200ms);
    CHECK(is_empty(delta));
    SlotDelta other = delta;
    other.switches = 1;
    CHECK_FALSE(is_empty(other));
    other = delta, other.failed[GT_ENOMEM] = 1;
    CHECK_FALSE(is_empty(other));
    other = delta, other.swapins = 1;
    CHECK_FALSE(is_empty(other));
    other = delta, other.window[GT_OTHER].record(1us);
    CHECK_FALSE(is_empty(other));
    other = delta, other.polls.polls[1] = 1;
    CHECK_FALSE(is_empty(other));
    other = delta, other.jitter[GT_MMAP].count = 1;
    CHECK_FALSE(is_empty(other));
}

TEST_CASE("direct reclaim is a distribution, and its share of the time is that of all threads together") {
    SlotDelta delta = five_seconds(200ms);
    for (int i = 0; i < 100; ++i) delta.reclaim.record(100ms);  // of two threads, all the time
    const SignalTable table = signals_of(delta);
    CHECK(distribution(table, Signal::reclaim_direct).count() == 100);
    CHECK(quantity(table, Signal::reclaim_stall).value == Approx(2));
    CHECK(quantity(signals_of(five_seconds(200ms)), Signal::reclaim_stall) == ratio(0));
}

TEST_CASE("swap-ins are a rate over the time in which they were seen, absent with the probe's reason without it") {
    SlotDelta delta = five_seconds(200ms);
    delta.swapins = 10;
    delta.swap_observed = 4s;
    CHECK(quantity(signals_of(delta), Signal::swapin) == rate(2.5));
    delta.swap_observed = 0s;
    SlotAbsences why;
    why.swap.detail = "lockdown";
    SignalTable table;
    set_slot_signals(table, delta, why);
    CHECK(table.get(Signal::swapin).value.absent() == Absent{Absence::not_attached, "lockdown"});
}

TEST_CASE("without its probes direct reclaim is absent, whatever else is seen") {
    SlotDelta delta = five_seconds(200ms);
    delta.reclaim_observed = 0s;
    const SignalTable table = signals_of(delta);
    CHECK(absence(table, Signal::reclaim_direct) == Absence::not_attached);
    CHECK(absence(table, Signal::reclaim_stall) == Absence::not_attached);
    CHECK(table.get(Signal::runq).value.present());
}

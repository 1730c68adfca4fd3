#include "observe/tcp_signals.h"

#include "catch.h"

using namespace gotuned;
using namespace std::chrono_literals;

namespace {

const Absent no_probe{Absence::not_attached, "no such tracepoint"};
constexpr MonoTime start{};

SlotDelta quiet() {
    SlotDelta delta;
    delta.elapsed = 5s;
    delta.tcp_observed = 5s;
    return delta;
}
Quantity quantity(const SignalTable& table, Signal id) { return std::get<Quantity>(*table.get(id).value); }
Absence absence(const SignalTable& table, Signal id) { return table.get(id).value.absent().reason; }

/// One process over several ticks of 5 s.
struct Ticks {
    TcpSignals signals{};
    MonoTime now = start;
    SignalTable tick(const SlotDelta& delta) {
        now += 5s;
        SignalTable table;
        signals.set(table, delta, now, no_probe);
        return table;
    }
};

}  // namespace

TEST_CASE("what happened in a tick becomes rates, and ratios of what ended") {
    SlotDelta delta = quiet();
    for (int i = 0; i < 3; ++i) delta.tcp.connect_time.record(2ms);
    delta.tcp.connects_failed = 1;
    delta.tcp.established = 20;
    delta.tcp.ended = 10;
    delta.tcp.ended_here = 4;
    delta.tcp.resets = 5;
    delta.tcp.lifetime.record(1s);
    const SignalTable table = Ticks().tick(delta);
    CHECK(quantity(table, Signal::tcp_connect) == rate(0.8));
    CHECK(quantity(table, Signal::tcp_connect_success) == ratio(0.75));
    CHECK(std::get<DistributionPtr>(*table.get(Signal::tcp_connect_time).value)->count() == 3);
    CHECK(quantity(table, Signal::conn_rate) == rate(4));
    CHECK(quantity(table, Signal::conn_close) == rate(2));
    CHECK(quantity(table, Signal::conn_active_close) == ratio(0.4));
    CHECK(quantity(table, Signal::tcp_reset) == rate(1));
    CHECK(std::get<DistributionPtr>(*table.get(Signal::conn_lifetime).value)->count() == 1);
}

TEST_CASE("ratios of nothing are no data, rates of nothing are zero") {
    const SignalTable table = Ticks().tick(quiet());
    CHECK(absence(table, Signal::tcp_connect_success) == Absence::no_data);
    CHECK(absence(table, Signal::conn_active_close) == Absence::no_data);
    CHECK(quantity(table, Signal::conn_rate) == rate(0));
    CHECK(quantity(table, Signal::tcp_reset) == rate(0));
}

TEST_CASE("before a sweep nothing is known of what is open and of what was sent") {
    const SignalTable table = Ticks().tick(quiet());
    for (const Signal id : {Signal::conn_open, Signal::conn_close_wait, Signal::conn_stale, Signal::tcp_segments,
                            Signal::tcp_retransmit_ratio})
        CHECK(absence(table, id) == Absence::not_observed);
}

TEST_CASE("what a sweep found stays until the next one, and what was sent counts once") {
    Ticks ticks;
    SlotDelta delta = quiet();
    delta.tcp.now = {8, 2, 1};
    delta.tcp.sent = {400, 20, 10s};
    SignalTable table = ticks.tick(delta);
    CHECK(quantity(table, Signal::conn_open) == count(8));
    CHECK(quantity(table, Signal::conn_close_wait) == count(2));
    CHECK(quantity(table, Signal::conn_stale) == ratio(0.125));
    CHECK(quantity(table, Signal::tcp_segments) == rate(40));
    CHECK(table.get(Signal::tcp_segments).exposure == Exposure{10s, 10s});
    CHECK(quantity(table, Signal::tcp_retransmit_ratio) == ratio(0.05));
    delta.tcp.sent.reset();
    table = ticks.tick(delta);
    CHECK(quantity(table, Signal::conn_open) == count(8));
    CHECK(absence(table, Signal::tcp_segments) == Absence::not_observed);
    CHECK(quantity(table, Signal::tcp_retransmit_ratio) == ratio(0.05));
    delta.tcp.sent = {0, 0, 10s};
    table = ticks.tick(delta);
    CHECK(quantity(table, Signal::tcp_segments) == rate(0));
    CHECK(absence(table, Signal::tcp_retransmit_ratio) == Absence::no_data);
}

TEST_CASE("a connection is in TIME_WAIT for 60 s") {
    Ticks ticks;
    SlotDelta delta = quiet();
    delta.tcp.time_waits = 3;
    CHECK(quantity(ticks.tick(delta), Signal::conn_time_wait) == count(3));
    CHECK(quantity(ticks.tick(delta), Signal::conn_time_wait) == count(6));
    for (int i = 0; i < 10; ++i) CHECK(quantity(ticks.tick(quiet()), Signal::conn_time_wait) == count(6));
    CHECK_FALSE(ticks.signals.same_as_last(quiet(), ticks.now + 5s));
    CHECK(quantity(ticks.tick(quiet()), Signal::conn_time_wait) == count(3));
    CHECK(quantity(ticks.tick(quiet()), Signal::conn_time_wait) == count(0));
    CHECK(ticks.signals.same_as_last(quiet(), ticks.now + 5s));
}

TEST_CASE("without its probes TCP says why") {
    SlotDelta delta = quiet();
    delta.tcp_observed = 0s;
    const SignalTable table = Ticks().tick(delta);
    for (const Signal id : {Signal::conn_open, Signal::conn_rate, Signal::tcp_reset, Signal::conn_time_wait})
        CHECK(table.get(id).value.absent() == no_probe);
}

TEST_CASE("a tick that a sweep changes is not as the last one") {
    Ticks ticks;
    SlotDelta delta = quiet();
    delta.tcp.now = {1, 0, 0};
    delta.tcp.sent = {0, 0, 5s};
    (void)ticks.tick(delta);
    CHECK(ticks.signals.same_as_last(delta, ticks.now + 5s));
    SlotDelta other = delta;
    other.tcp.now->close_wait = 1;
    CHECK_FALSE(ticks.signals.same_as_last(other, ticks.now + 5s));
    other = delta;
    other.tcp.sent.reset();  // not looked at: who did nothing has sent nothing
    CHECK(ticks.signals.same_as_last(other, ticks.now + 5s));
    delta.tcp.sent->segments = 10;
    (void)ticks.tick(delta);
    CHECK_FALSE(ticks.signals.same_as_last(other, ticks.now + 5s));
    (void)ticks.tick(other);
    CHECK(ticks.signals.same_as_last(other, ticks.now + 5s));
    CHECK_FALSE(ticks.signals.same_as_last(delta, ticks.now + 5s));
    (void)ticks.tick(delta);
    delta.tcp.sent->segments = 0;  // the ratio is gone
    CHECK_FALSE(ticks.signals.same_as_last(delta, ticks.now + 5s));
}

TEST_CASE("TCP of which nothing was counted is empty, whatever is open") {
    SlotDelta::Tcp tcp;
    tcp.now = {5, 1, 1};
    tcp.sent = {0, 0, 5s};
    CHECK(is_empty(tcp));
    tcp.sent->segments = 1;
    CHECK_FALSE(is_empty(tcp));
    tcp = {};
    tcp.resets = 1;
    CHECK_FALSE(is_empty(tcp));
}

// The functions that reach back: rate, avg, max_over, percentiles over a window.
#include "rulebook/series.h"

#include "catch.h"
#include "rules.h"

using namespace gotuned;
using namespace gotuned::test;
using namespace std::chrono_literals;

namespace {

/// One expression that looks at a World Snapshot by Snapshot.
struct Watch {
    World world{};
    ExpressionPtr expression;
    std::shared_ptr<ExpressionState> state;
    bool used = false;

    Watch(std::string_view text, Unit unit)
        : expression(test::expression(text, ExpressionRole::to, Scope::process, quantity_of(unit))),
          state(expression->make_state()) {}
    Reading<Value> look(Duration by = tick) {
        if (used) world.advance(by);
        used = true;
        const EvaluationContext context{world.snapshot, first_process, {}};
        expression->observe(context, *state);
        return expression->evaluate(context, *state);
    }
    Reading<Value> fd(double used_now, Duration by = tick) {
        world.set(Signal::fd_used, count(used_now));
        return look(by);
    }
};
double number(const Reading<Value>& value) {
    REQUIRE(value.present());
    return std::get<Quantity>(*value).value;
}

}  // namespace

TEST_CASE("rate is the difference per second between two Snapshots") {
    Watch watch("rate(fd.used)", unit::per_second);
    CHECK(watch.fd(100).absent().reason == Absence::not_observed);
    CHECK(watch.fd(150) == Value(rate(10)));
    CHECK(watch.fd(140) == Value(rate(-2)));
    CHECK(watch.fd(160, 10s) == Value(rate(2)));
    watch.world.set(Signal::fd_used, Absent{Absence::vanished, {}});
    CHECK(watch.look().absent().reason == Absence::vanished);
    CHECK(watch.fd(160).absent().reason == Absence::vanished);
    CHECK(watch.fd(165) == Value(rate(1)));
}

TEST_CASE("rate of what became unlimited is unknown") {
    Watch watch("rate(fd.used)", unit::per_second);
    watch.fd(100);
    CHECK_FALSE(watch.fd(unlimited_value).present());
    CHECK_FALSE(watch.fd(unlimited_value).present());
}

TEST_CASE("an average is unknown until its whole window was watched") {
    Watch watch("avg(fd.used, 20s)", unit::count);
    for (int i = 0; i < 4; ++i) {
        const auto value = watch.fd(100);
        REQUIRE_FALSE(value.present());
        CHECK(value.absent().reason == Absence::not_observed);
    }
    CHECK(number(watch.fd(100)) == 100);
}

TEST_CASE("an average weighs each value by the time it stood for") {
    Watch watch("avg(fd.used, 20s)", unit::count);
    watch.fd(0);
    watch.fd(0, 10s);
    watch.fd(300, 5s);
    CHECK(number(watch.fd(100, 5s)) == Approx((0 * 10 + 300 * 5 + 100 * 5) / 20.0));
    CHECK(number(watch.fd(100, 10s)) == Approx((300 * 5 + 100 * 15) / 20.0));
    CHECK(number(watch.fd(100, 20s)) == 100);
}

TEST_CASE("a maximum forgets what has left the window") {
    Watch watch("max_over(fd.used, 10s)", unit::count);
    watch.fd(900);
    watch.fd(800);
    CHECK(number(watch.fd(100)) == 800);
    CHECK(number(watch.fd(100)) == 100);
    CHECK(number(watch.fd(unlimited_value)) == unlimited_value);
}

TEST_CASE("a window of which less than half is known is unknown, with the reason") {
    Watch watch("avg(fd.used, 20s)", unit::count);
    for (int i = 0; i < 5; ++i) watch.fd(100);
    watch.world.set(Signal::fd_used, Absent{Absence::not_permitted, {}});
    CHECK(number(watch.look()) == 100);
    CHECK(number(watch.look()) == 100);
    const auto unknown = watch.look();
    REQUIRE_FALSE(unknown.present());
    CHECK(unknown.absent().reason == Absence::not_permitted);
    CHECK(unknown.absent().detail == "known for 5s of 20s");
}

TEST_CASE("a window never spans the start of its target") {
    Watch watch("avg(fd.used, 20s)", unit::count);
    const ProcessId reborn{100, 2000, 7};
    watch.fd(100);
    watch.world.advance();
    watch.world.add_process(reborn, first_cgroup);
    const auto state = watch.expression->make_state();
    const auto look = [&] {
        const EvaluationContext context{watch.world.snapshot, reborn, {}};
        watch.expression->observe(context, *state);
        return watch.expression->evaluate(context, *state);
    };
    watch.world.change([&](ProcessState& process) { process.since = watch.world.snapshot.at - 2s; }, reborn);
    for (int i = 0; i < 4; ++i) {
        const auto value = look();
        REQUIRE_FALSE(value.present());
        CHECK(value.absent().reason == Absence::restarted);
        watch.world.advance();
    }
    CHECK(look().present());
}

TEST_CASE("percentiles over a window come from the merged distributions") {
    Watch watch("p99(epoll.wake, 20s)", unit::time);
    const auto wake = [&](int n, Duration value) {
        watch.world.set(Signal::epoll_wake, seen(events(n, value)));
        return watch.look();
    };
    for (int i = 0; i < 4; ++i) wake(4, 1ms);
    // Five Snapshots, but the first covers no time and left the window: 4 × 4 events are too few.
    CHECK(wake(4, 1ms).absent().reason == Absence::no_data);
    const double quiet = number(wake(100, 1ms));
    CHECK(quiet > 0.5e-3);
    CHECK(quiet <= 1e-3);
    const double loud = number(wake(10, 100ms));
    CHECK(loud > 50e-3);
    for (int i = 0; i < 3; ++i) wake(100, 1ms);
    CHECK(number(wake(100, 1ms)) <= 1e-3);
}

TEST_CASE("exposures of a sampled signal add up over the window") {
    Watch watch("p50(syscall.read, 20s)", unit::time);
    const auto read = [&](int n, Duration observed) {
        watch.world.set(Signal::syscall_read, seen(events(n, 1ms), tick, observed));
        return watch.look();
    };
    for (int i = 0; i < 4; ++i) read(1000, 20ms);
    CHECK(read(1000, 20ms).absent().reason == Absence::low_exposure);  // 4 × 20 ms
    read(1000, 50ms);
    CHECK(read(10000, 50ms).present());
}

TEST_CASE("a series holds few points however short the tick") {
    Series series(Checked::Series{1min, false});
    MonoTime at = start;
    for (int i = 0; i < 100000; ++i) {
        series.add(Sample{at, at + 10ms}, Reading<double>(i < 50000 ? 1.0 : 3.0));
        at += 10ms;
    }
    CHECK(series.points() <= 64);
    CHECK(*series.average() == Approx(3.0));
    CHECK(*series.maximum() == 3.0);
}

TEST_CASE("what stays as it is takes one point, and leaves the window bit by bit") {
    Series series(Checked::Series{1min, false});
    MonoTime at = start;
    const auto add = [&](double value, int times) {
        for (int i = 0; i < times; ++i, at += 5s) series.add(Sample{at, at + 5s}, Reading<double>(value));
    };
    add(4, 30);
    CHECK(series.points() == 1);
    add(10, 6);
    CHECK(series.points() == 2);
    CHECK(*series.average() == Approx(7));  // half a minute of each
    add(4, 3);
    CHECK(series.points() == 3);
    CHECK(*series.average() == Approx((4 * 15 + 10 * 30 + 4 * 15) / 60.0));
    CHECK(*series.maximum() == 10);
    // A gap ends a run, and is not known.
    series.add(Sample{at, at + 20s}, Reading<double>(Absence::vanished));
    at += 20s;
    add(4, 2);
    CHECK(series.points() == 3);  // the first has left
    CHECK(*series.average() == Approx((10 * 15 + 4 * 15 + 4 * 10) / 40.0));

    Series events_of(Checked::Series{1min, false});
    const auto none = std::make_shared<const Distribution>();
    for (int i = 0; i < 30; ++i, at += 5s)
        events_of.add(Sample{at, at + 5s}, Reading<DistributionPtr>(i % 10 == 9 ? events(100, 1ms) : none), 100, 1s);
    CHECK(events_of.points() <= 4);
    CHECK(events_of.quantile(0.5, true).present());
}

TEST_CASE("the same Snapshot is taken into a series once") {
    Watch watch("rate(fd.used)", unit::per_second);
    watch.fd(100);
    watch.fd(150);
    CHECK(watch.look(0s) == Value(rate(10)));
}

TEST_CASE("a settled series need not be told that nothing has changed") {
    Series told(Checked::Series{1min, false});
    MonoTime at = start;
    const auto tell = [&](Series& series, double value, int times) {
        for (MonoTime from = at; times > 0; --times, from += 5s)
            series.add(Sample{from, from + 5s}, Reading<double>(value));
    };
    tell(told, 4, 6);
    at += 30s;
    CHECK_FALSE(told.settled());  // not watched for long enough
    tell(told, 10, 6);
    at += 30s;
    CHECK_FALSE(told.settled());  // the average still moves
    tell(told, 10, 7);
    at += 35s;
    REQUIRE(told.settled());
    Series untold = told;
    tell(told, 10, 5);
    at += 25s;
    untold.stayed(at);
    for (Series* series : {&told, &untold}) tell(*series, 4, 3);
    CHECK(*told.average() == Approx((10 * 45 + 4 * 15) / 60.0));
    CHECK(*untold.average() == Approx(*told.average()));
    CHECK(*untold.maximum() == *told.maximum());
    CHECK_FALSE(untold.settled());
}

TEST_CASE("an unknown, an empty and a steadily growing series are settled, or not, by what they would say") {
    MonoTime at = start;
    Series unknown(Checked::Series{20s, false});
    Series empty(Checked::Series{20s, false});
    Series unlooked(Checked::Series{20s, false});
    Series slope(Checked::Series{0s, false});
    const auto none = std::make_shared<const Distribution>();
    for (int i = 0; i < 6; ++i, at += 5s) {
        const Sample sample{at, at + 5s};
        unknown.add(sample, Reading<double>(Absence::not_permitted));
        empty.add(sample, Reading<DistributionPtr>(none), 0, 200ms);
        // As often as not it was looked at for long enough: what it says may change by itself.
        unlooked.add(sample, Reading<DistributionPtr>(none), 0, i < 4 ? 0ms : 30ms);
        slope.add(sample, Reading<double>(i));
    }
    CHECK(unknown.settled());
    CHECK(empty.settled());
    CHECK_FALSE(unlooked.settled());
    CHECK_FALSE(slope.settled());
    slope.add(Sample{at, at + 5s}, Reading<double>(5.0));
    REQUIRE(slope.settled());
    slope.stayed(at + 60s);
    slope.add(Sample{at + 60s, at + 65s}, Reading<double>(15.0));
    CHECK(*slope.rate() == 2);
    empty.stayed(at + 60s);
    CHECK(empty.quantile(0.5, true).absent().detail == "fewer than 20 events");
}

TEST_CASE("few events are settled once no more come, until the last has left the window they stay too few") {
    MonoTime at = start;
    Series told(Checked::Series{20s, false});
    const auto none = std::make_shared<const Distribution>();
    const auto tell = [&](Series& series, const DistributionPtr& seen, int times) {
        MonoTime from = at;
        for (; times > 0; --times, from += 5s)
            series.add(Sample{from, from + 5s}, Reading<DistributionPtr>(seen), seen->count(), 200ms);
        return from;
    };
    at = tell(told, none, 5);
    at = tell(told, events(19, 1ms), 1);
    CHECK_FALSE(told.settled());  // the next tick may bring the twentieth
    at = tell(told, none, 1);
    REQUIRE(told.settled());
    Series untold = told;
    at = tell(told, none, 1);
    untold.stayed(at);
    for (Series* series : {&told, &untold}) {
        CHECK(series->quantile(0.5, true).absent().detail == "fewer than 20 events");
        tell(*series, events(1, 1ms), 1);
        CHECK(series->quantile(0.5, true).present());  // with the nineteen, which are just within the window
        CHECK_FALSE(series->settled());
    }
    at += 5s;
    at = tell(told, none, 1);
    CHECK(told.settled());  // they have left
    Series many(Checked::Series{20s, false});
    at = tell(many, events(20, 1ms), 5);
    tell(many, none, 1);
    CHECK_FALSE(many.settled());  // its percentile moves as they leave
}

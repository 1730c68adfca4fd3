#include "base/distribution.h"

#include <cmath>

#include "catch.h"

using namespace gotuned;
using namespace std::chrono_literals;

namespace {

std::size_t bucket_of(Duration value) {
    Distribution distribution;
    distribution.record(value);
    for (std::size_t i = 0; i < Distribution::bucket_count; ++i)
        if (distribution.buckets[i] > 0) return i;
    return Distribution::bucket_count;
}

}  // namespace

TEST_CASE("a value falls into the bucket whose bounds hold it") {
    CHECK(bucket_of(0ns) == 0);
    CHECK(bucket_of(1023ns) == 0);
    CHECK(bucket_of(1024ns) == 1);
    CHECK(bucket_of(2047ns) == 1);
    CHECK(bucket_of(2048ns) == 2);
    CHECK(bucket_of(Duration((1LL << 34) - 1)) == 24);
    CHECK(bucket_of(Duration(1LL << 34)) == 25);
    CHECK(bucket_of(10h) == 25);
    CHECK(bucket_of(-1s) == 0);
    for (std::size_t i = 1; i < Distribution::bucket_count; ++i) {
        const Duration lowest(1LL << (9 + i));
        CHECK(bucket_of(lowest) == i);
        CHECK(Distribution::lower_bound(i) == Approx(seconds(lowest)));
        CHECK(Distribution::upper_bound(i - 1) == Approx(seconds(lowest)));
    }
    CHECK(Distribution::lower_bound(0) == 0);
    CHECK(std::isinf(Distribution::upper_bound(Distribution::bucket_count - 1)));
}

TEST_CASE("a distribution of nothing has no statistics, not zeros") {
    const Distribution empty;
    CHECK(empty.count() == 0);
    CHECK(empty.quantile(0.5).absent().reason == Absence::no_data);
    CHECK(empty.mean().absent().reason == Absence::no_data);
    CHECK(empty.stddev().absent().reason == Absence::no_data);
}

TEST_CASE("a quantile lies in the bucket of the value it stands for, and never above the largest seen") {
    Distribution distribution;
    for (int i = 0; i < 99; ++i) distribution.record(3us);
    distribution.record(5ms);
    const double median = distribution.quantile(0.5).value();
    CHECK(median >= Distribution::lower_bound(bucket_of(3us)));
    CHECK(median <= Distribution::upper_bound(bucket_of(3us)));
    CHECK(distribution.quantile(1).value() == Approx(5e-3));
    CHECK(distribution.quantile(2).value() == Approx(5e-3));
    CHECK(distribution.quantile(-1).value() <= median);
}

TEST_CASE("quantiles never fall as their share rises") {
    Distribution distribution;
    for (const Duration value : {500ns, 3000ns, 70000ns, 70001ns, 900000ns}) distribution.record(value);
    double last = 0;
    for (double q = 0; q <= 1; q += 0.01) {
        const double value = distribution.quantile(q).value();
        CHECK(value >= last);
        last = value;
    }
}

TEST_CASE("what is longer than the last bound has a finite quantile") {
    Distribution distribution;
    distribution.record(60s);
    CHECK(distribution.quantile(0.99).value() <= 60);
    CHECK(distribution.quantile(0.99).value() >= 17);
    distribution.max = 0;
    CHECK(std::isfinite(distribution.quantile(0.99).value()));
}

TEST_CASE("mean and deviation are of the values, not of the buckets") {
    Distribution distribution;
    distribution.record(1ms);
    distribution.record(3ms);
    CHECK(distribution.mean().value() == Approx(2e-3));
    CHECK(distribution.stddev().value() == Approx(1e-3));
}

TEST_CASE("the deviation of equal values is zero, whatever rounding does") {
    Distribution distribution;
    for (int i = 0; i < 1000; ++i) distribution.record(333333ns);
    CHECK(distribution.stddev().value() >= 0);
    CHECK(distribution.stddev().value() < 1e-9);
}

TEST_CASE("scaling multiplies counts and sums and leaves every statistic of the shape as it was") {
    Distribution distribution;
    for (const Duration value : {3us, 70us, 900us}) distribution.record(value);
    Distribution scaled = distribution;
    scaled.scale(2.5);
    CHECK(scaled.count() == Approx(7.5));
    CHECK(scaled.max == distribution.max);
    CHECK(scaled.mean().value() == Approx(distribution.mean().value()));
    CHECK(scaled.stddev().value() == Approx(distribution.stddev().value()));
    CHECK(scaled.quantile(0.9).value() == Approx(distribution.quantile(0.9).value()));
}

TEST_CASE("adding two distributions is recording the values of both") {
    Distribution left;
    Distribution right;
    Distribution both;
    for (const Duration value : {3us, 70us}) left.record(value), both.record(value);
    for (const Duration value : {900us, 1us}) right.record(value), both.record(value);
    left.add(right);
    CHECK(left.buckets == both.buckets);
    CHECK(left.sum == Approx(both.sum));
    CHECK(left.max == both.max);
}

#include "probe/arithmetic.h"

#include "catch.h"

using namespace gotuned;
using namespace std::chrono_literals;

namespace {

/// As bpf/threads.h records; `first`: the bucket that the histogram begins with.
template <typename Histogram>
void record(Histogram& hist, std::uint64_t ns, std::size_t first = 0) {
    std::size_t bucket = 0;
    while (bucket + 1 < GT_BUCKETS && ns >= (1ULL << (10 + bucket))) ++bucket;
    REQUIRE(bucket - first < std::size(hist.buckets));
    ++hist.buckets[bucket - first];
    hist.sum_ns += ns;
    hist.sum_sq += (ns >> GT_SQUARE_SHIFT) * (ns >> GT_SQUARE_SHIFT);
    hist.max_ns = std::max<std::uint64_t>(hist.max_ns, ns);
}

const MonoTime start = MonoTime(1h);

}  // namespace

TEST_CASE("a difference holds what came between two looks and nothing else") {
    gt_hist before{};
    record(before, 5'000);
    record(before, 70'000'000);
    gt_hist now = before;
    now.max_ns = 0;
    record(now, 3'000'000);
    record(now, 1'000);
    const Distribution gained = difference(now, before, now.max_ns);
    REQUIRE(gained.count() == 2);
    REQUIRE(gained.buckets[0] == 1);
    REQUIRE(gained.buckets[12] == 1);  // [2^21, 2^22) ns
    REQUIRE(gained.sum == Approx(0.003001));
    REQUIRE(gained.sum_of_squares == Approx(0.003 * 0.003).epsilon(0.001));
    REQUIRE(gained.max == Approx(0.003));
}

TEST_CASE("counters that wrapped between two looks still give the right difference") {
    gt_hist before{};
    before.buckets[5] = 0xFFFFFFFEU;
    before.sum_ns = ~0ULL - 10;
    before.sum_sq = ~0ULL - 5;
    gt_hist now = before;
    for (int i = 0; i < 4; ++i) record(now, 20'000);
    const Distribution gained = difference(now, before, 20'000);
    REQUIRE(gained.buckets[5] == 4);
    REQUIRE(gained.sum == Approx(80e-6));
    REQUIRE(gained.sum_of_squares == Approx(4 * 20e-6 * 20e-6));
    REQUIRE(*gained.stddev() == Approx(0).margin(1e-9));
}

TEST_CASE("a sum of squares that wrapped more than once is replaced by what the buckets allow") {
    gt_hist before{};
    gt_hist now{};
    constexpr std::uint64_t minutes = 200ULL * 1'000'000'000ULL;  // (200 s >> 4)² is more than 2^64
    for (int i = 0; i < 3; ++i) record(now, minutes);
    const Distribution gained = difference(now, before, minutes);
    REQUIRE(gained.sum_of_squares >= 3 * 17.0 * 17.0);
    REQUIRE(gained.sum_of_squares <= 3 * 200.0 * 200.0);
}

TEST_CASE("a histogram without new events is empty, whatever a racing reader saw of its sums") {
    gt_hist before{};
    record(before, 5'000);
    gt_hist now = before;
    now.sum_ns += 7'000;  // an event whose bucket was counted after the look
    now.max_ns = 7'000;
    REQUIRE(difference(now, before, now.max_ns) == Distribution{});
}

TEST_CASE("every counter of a slot has its difference") {
    gt_slot before{};
    before.switches = ~0ULL;
    before.failed[GT_EMFILE] = 3;
    before.swapins = 2;
    gt_slot now = before;
    now.switches += 5;
    now.migrations = 2;
    now.failed[GT_EMFILE] = 10;
    now.swapins = 9;
    now.polls.polls[0] = 4;
    now.polls.empty[1] = 6;
    now.polls.events[0] = 8;
    now.jitter[GT_READ].count = 2;
    now.jitter[GT_READ].sum_ns = 32'000;
    now.jitter[GT_READ].sum_sq = 2ULL * 1000 * 1000;  // of 16 µs >> 4
    record(now.blocked[GT_FSYNC], GT_BLOCKED_NS, GT_BLOCKED_FIRST);
    record(now.blocked[GT_FSYNC], 60ULL * 1'000'000'000ULL, GT_BLOCKED_FIRST);
    record(now.window[GT_OPEN], 3'000);
    record(now.window[GT_OPEN], GT_BLOCKED_NS - 1);
    record(now.epoll_wake, 3'000);
    record(now.netpoll_sleep, 3'000);
    record(now.timer_late, 3'000);
    record(now.runq, 3'000);
    record(now.reclaim, 3'000);
    const SlotDelta delta = difference(now, before);
    REQUIRE(delta.switches == 5);
    REQUIRE(delta.migrations == 2);
    REQUIRE(delta.failed[GT_EMFILE] == 7);
    REQUIRE(delta.swapins == 7);
    REQUIRE(delta.polls.polls[0] == 4);
    REQUIRE(delta.polls.empty[1] == 6);
    REQUIRE(delta.polls.events[0] == 8);
    REQUIRE(delta.jitter[GT_READ].count == 2);
    REQUIRE(delta.jitter[GT_READ].sum == Approx(32e-6));
    REQUIRE(delta.jitter[GT_READ].sum_of_squares == Approx(2 * 16e-6 * 16e-6));
    REQUIRE(delta.blocked[GT_FSYNC].count() == 2);
    REQUIRE(delta.blocked[GT_FSYNC].buckets[15] == 1);  // [16.8, 33.6) ms
    REQUIRE(delta.blocked[GT_FSYNC].buckets[25] == 1);  // 17.2 s and more
    REQUIRE(delta.blocked[GT_FSYNC].sum == Approx(60.02));
    REQUIRE(delta.blocked[GT_FSYNC].max == Approx(60));
    REQUIRE(delta.window[GT_OPEN].count() == 2);
    REQUIRE(delta.window[GT_OPEN].buckets[2] == 1);
    REQUIRE(delta.window[GT_OPEN].buckets[15] == 1);
    REQUIRE(delta.window[GT_OPEN].max == Approx(0.02));
    REQUIRE(delta.epoll_wake.count() == 1);
    REQUIRE(delta.netpoll_sleep.count() == 1);
    REQUIRE(delta.timer_late.count() == 1);
    REQUIRE(delta.runq.count() == 2);  // that of epoll_wake is one
    REQUIRE(delta.reclaim.count() == 1);
    REQUIRE(delta.blocked[GT_READ].count() == 0);
}

TEST_CASE("jitter is the histogram with what had left its CPU corrected") {
    const auto add = [](__u64& counter, std::int64_t amount) { counter += static_cast<__u64>(amount); };
    const auto squared = [](std::int64_t ns) { return (ns >> GT_SQUARE_SHIFT) * (ns >> GT_SQUARE_SHIFT); };
    gt_slot before{};
    record(before.window[GT_READ], 1'600);
    gt_slot now = before;
    record(now.window[GT_READ], 3'200);   // stayed on its CPU
    record(now.window[GT_READ], 64'000);  // 1.6 µs of it on the CPU
    add(now.jitter[GT_READ].sum_ns, 1'600 - 64'000);
    add(now.jitter[GT_READ].sum_sq, squared(1'600) - squared(64'000));
    SlotDelta delta = difference(now, before);
    CHECK(delta.window[GT_READ].sum == Approx(67.2e-6));
    CHECK(delta.jitter[GT_READ].count == 2);
    CHECK(delta.jitter[GT_READ].sum == Approx(4.8e-6));
    CHECK(delta.jitter[GT_READ].sum_of_squares == Approx(3.2e-6 * 3.2e-6 + 1.6e-6 * 1.6e-6));

    // Too long for the histogram, but 32 µs on the CPU.
    add(now.jitter[GT_READ].count, 1);
    add(now.jitter[GT_READ].sum_ns, 32'000);
    add(now.jitter[GT_READ].sum_sq, squared(32'000));
    delta = difference(now, before);
    CHECK(delta.jitter[GT_READ].count == 3);
    CHECK(delta.jitter[GT_READ].sum == Approx(36.8e-6));

    // Read between the correction and the histogram: nothing, rather than less than nothing.
    gt_slot torn = before;
    add(torn.jitter[GT_READ].sum_ns, 1'600 - 64'000);
    CHECK(difference(torn, before).jitter[GT_READ].count == 0);
    CHECK(difference(torn, before).jitter[GT_READ].sum == 0);
    // Of calls whose time off the CPU nobody knows there is none.
    gt_slot unknown = before;
    record(unknown.window[GT_READ], 3'200);
    add(unknown.jitter[GT_READ].count, -1);
    add(unknown.jitter[GT_READ].sum_ns, -3'200);
    add(unknown.jitter[GT_READ].sum_sq, -squared(3'200));
    CHECK(difference(unknown, before).window[GT_READ].count() == 1);
    CHECK(difference(unknown, before).jitter[GT_READ].count == 0);
}

TEST_CASE("open time adds up over openings, and an open one counts up to now") {
    OpenTime time;
    REQUIRE(time.total(start) == Duration::zero());
    time.open(start);
    REQUIRE(time.total(start + 50ms) == 50ms);
    time.close(start + 200ms);
    REQUIRE_FALSE(time.is_open());
    REQUIRE(time.total(start + 10s) == 200ms);
    time.open(start + 11s);
    REQUIRE(time.total(start + 11s + 1ms) == 201ms);
}

TEST_CASE("a process watched in the middle of a window is exposed for its part alone") {
    OpenTime time;
    time.open(start);
    const Duration at_watch = time.total(start + 150ms);
    time.close(start + 200ms);
    REQUIRE(time.total(start + 1s) - at_watch == 50ms);
}

TEST_CASE("opening twice and closing twice count once") {
    OpenTime time;
    time.open(start);
    time.open(start + 100ms);
    time.close(start + 200ms);
    time.close(start + 300ms);
    REQUIRE(time.total(start + 1s) == 200ms);
}

TEST_CASE("a moment before the opening counts nothing of it, and time never runs backwards") {
    OpenTime time;
    time.open(start);
    time.close(start + 100ms);
    time.open(start + 500ms);
    REQUIRE(time.total(start + 400ms) == 100ms);
    time.close(start + 400ms);
    REQUIRE(time.total(start + 1s) == 100ms);
}

#include "main/windows.h"

#include <set>

#include "catch.h"

using namespace gotuned;
using namespace std::chrono_literals;

TEST_CASE("a window is as long as wanted, lies within its tick, and its offset is random") {
    WindowSchedule schedule(42);
    const MonoTime tick{1h};
    std::set<MonoTime> opened;
    for (int i = 0; i < 200; ++i) {
        const auto window = schedule.next(tick, 5s, 200ms);
        CHECK(window.open >= tick);
        CHECK(window.close - window.open == 200ms);
        CHECK(window.close < tick + 5s);
        opened.insert(window.open);
    }
    CHECK(opened.size() > 100);
    CHECK(*opened.begin() < tick + 1s);
    CHECK(*opened.rbegin() > tick + 4s);
}

TEST_CASE("in a tick shorter than a window half of it is looked at") {
    WindowSchedule schedule(1);
    const MonoTime tick{1h};
    const auto window = schedule.next(tick, 100ms, 200ms);
    CHECK(window.close - window.open == 50ms);
    CHECK(window.close <= tick + 100ms);
}

TEST_CASE("two windows follow each other within the tick, and are one where there is no room for two") {
    WindowSchedule schedule(3);
    const MonoTime tick{1h};
    for (int i = 0; i < 100; ++i) {
        const auto two = schedule.next_two(tick, 5s, 200ms);
        CHECK(two.first.open >= tick);
        CHECK(two.first.close - two.first.open == 200ms);
        CHECK(two.second.open == two.first.close);
        CHECK(two.second.close - two.second.open == 200ms);
        CHECK(two.second.close < tick + 5s);
        CHECK(two.whole().open == two.first.open);
        CHECK(two.whole().close == two.second.close);
    }
    const auto together = schedule.next_two(tick, 500ms, 200ms);
    CHECK(together.first.close - together.first.open == 200ms);
    CHECK(together.second.open == together.first.open);
    CHECK(together.second.close == together.first.close);
}

TEST_CASE("what is looked at beside a window does not meet it, and is shortened where it has no room") {
    WindowSchedule schedule(7);
    const MonoTime tick{1h};
    bool before = false, after = false;
    for (int i = 0; i < 200; ++i) {
        const auto window = schedule.next(tick, 5s, 400ms);
        const Duration wanted = i % 2 == 0 ? 125ms : 2500ms;
        const auto seen = schedule.beside(window, tick, 5s, wanted);
        CHECK(seen.open >= tick);
        CHECK(seen.close <= tick + 5s);
        CHECK((seen.close <= window.open || seen.open >= window.close));
        CHECK(seen.close - seen.open <= wanted);
        CHECK(seen.close - seen.open >= std::min<Duration>(wanted, 2100ms));
        before = before || seen.close <= window.open;
        after = after || seen.open >= window.close;
    }
    CHECK(before);
    CHECK(after);
    const auto crowded = schedule.beside({tick + 20ms, tick + 80ms}, tick, 100ms, 50ms);
    CHECK(crowded.open == tick);
    CHECK(crowded.close == tick + 20ms);
}

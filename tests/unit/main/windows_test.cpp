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

#include <random>

#include "base/time.h"
#include "catch.h"

using namespace gotuned;

TEST_CASE("a duration in seconds and back is the same one, to the nanosecond", "[time]") {
    std::mt19937_64 random(1);
    std::uniform_int_distribution<std::int64_t> up_to_a_day(-86'400'000'000'000, 86'400'000'000'000);
    for (int i = 0; i < 100'000; ++i) {
        const Duration exact(up_to_a_day(random));
        REQUIRE(from_seconds(seconds(exact)) == exact);
    }
    CHECK(from_seconds(0.1) == std::chrono::milliseconds(100));
}

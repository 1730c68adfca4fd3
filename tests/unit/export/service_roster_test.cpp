#include "export/service_roster.h"

#include "catch.h"

using namespace gotuned;
using std::chrono::minutes;

namespace {
constexpr MonoTime start{std::chrono::hours(1)};
}

TEST_CASE("a newcomer beyond the cap is exported as other", "[roster]") {
    ServiceRoster roster(2);
    CHECK(roster.exported("a", start) == "a");
    CHECK(roster.exported("b", start) == "b");
    CHECK(roster.exported("c", start) == "other");
    CHECK(roster.exported("a", start) == "a");
}

TEST_CASE("a service keeps its name until 15 minutes after its last process", "[roster]") {
    ServiceRoster roster(1);
    CHECK(roster.exported("a", start) == "a");
    CHECK(roster.expire(start + minutes(14)).empty());
    CHECK(roster.exported("b", start + minutes(14)) == "other");
    CHECK(roster.expire(start + minutes(15)) == std::vector<std::string>{"a"});
    CHECK(roster.exported("b", start + minutes(15)) == "b");
}

TEST_CASE("a service that an operator calls other takes no place", "[roster]") {
    ServiceRoster roster(1);
    CHECK(roster.exported("other", start) == "other");
    CHECK(roster.named() == 0);
}

TEST_CASE("at the line cap the youngest loses its name and nobody is admitted for a while", "[roster]") {
    ServiceRoster roster(10);
    roster.exported("z-first", start);
    roster.exported("a-second", start + minutes(1));
    CHECK(roster.drop_youngest(start + minutes(2)) == std::string("a-second"));
    CHECK(roster.exported("a-second", start + minutes(3)) == "other");
    CHECK(roster.exported("z-first", start + minutes(3)) == "z-first");
    CHECK(roster.exported("a-second", start + minutes(17)) == "a-second");
}

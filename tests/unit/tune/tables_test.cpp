#include <set>

#include "catch.h"
#include "rulebook/knob_catalogue.h"
#include "tune/knob.h"

using namespace gotuned;

TEST_CASE("every knob of the rulebook's catalogue is built, and no other") {
    std::set<std::string> catalogue;
    std::set<std::string> built;
    for (const KnobInfo& info : knob_catalogue()) catalogue.insert(std::string(info.name));
    for (const Knob* knob : knobs()) built.insert(std::string(knob->traits().name));
    CHECK(catalogue == built);
}

TEST_CASE("both tables say the same of whose a knob is") {
    for (const KnobInfo& info : knob_catalogue()) {
        const Knob* const knob =
            find_knob(info.prefix ? std::string(info.name) + "vm.swappiness" : std::string(info.name));
        REQUIRE(knob != nullptr);
        CHECK(knob->traits().scope == info.scope);
        CHECK(knob->traits().prefix == info.prefix);
    }
}

TEST_CASE("a knob that is not in the table is not found") {
    CHECK(find_knob("rlimit.files") == nullptr);
    CHECK(find_knob("sysctl.") == nullptr);
    CHECK(find_knob("") == nullptr);
}

// Three-valued logic: its tables and its laws.
#include <array>

#include "catch.h"
#include "rules.h"

using namespace gotuned;
using namespace gotuned::test;

namespace {

/// A condition that is true, false or unknown in the World below.
constexpr std::array<std::string_view, 3> values{"true", "false", "runq.max > 1s"};
char letter(const Reading<Value>& value) { return !value ? '?' : std::get<bool>(*value) ? 't' : 'f'; }

char truth(const std::string& text) {
    static const World world;
    const auto made = expression(text);
    const auto state = made->make_state();
    return letter(made->evaluate({world.snapshot, first_process, {}}, *state));
}
std::string both(std::string_view a, std::string_view op, std::string_view b) {
    return "(" + std::string(a) + ") " + std::string(op) + " (" + std::string(b) + ")";
}

}  // namespace

TEST_CASE("and, or and not follow Kleene's tables") {
    std::string conjunction, disjunction, negation;
    for (const auto a : values) {
        negation += truth("not (" + std::string(a) + ")");
        for (const auto b : values) {
            conjunction += truth(both(a, "and", b));
            disjunction += truth(both(a, "or", b));
        }
    }
    CHECK(conjunction ==
          "tf?"
          "fff"
          "?f?");
    CHECK(disjunction ==
          "ttt"
          "tf?"
          "t??");
    CHECK(negation == "ft?");
}

TEST_CASE("Kleene's laws hold for all values") {
    for (const auto a : values) {
        CHECK(truth("not not (" + std::string(a) + ")") == truth(std::string(a)));
        CHECK(truth(both(a, "and", a)) == truth(std::string(a)));
        CHECK(truth(both(a, "or", a)) == truth(std::string(a)));
        for (const auto b : values) {
            CHECK(truth(both(a, "and", b)) == truth(both(b, "and", a)));
            CHECK(truth(both(a, "or", b)) == truth(both(b, "or", a)));
            CHECK(truth("not (" + both(a, "and", b) + ")") ==
                  truth("not (" + std::string(a) + ") or not (" + std::string(b) + ")"));
            CHECK(truth("not (" + both(a, "or", b) + ")") ==
                  truth("not (" + std::string(a) + ") and not (" + std::string(b) + ")"));
            CHECK(truth(both(a, "and", both(a, "or", b))) == truth(std::string(a)));
            for (const auto c : values) {
                CHECK(truth(both(a, "and", both(b, "or", c))) ==
                      truth(both(both(a, "and", b), "or", both(a, "and", c))));
                CHECK(truth(both(a, "or", both(b, "and", c))) ==
                      truth(both(both(a, "or", b), "and", both(a, "or", c))));
                CHECK(truth(both(both(a, "and", b), "and", c)) == truth(both(a, "and", both(b, "and", c))));
            }
        }
    }
}

TEST_CASE("an unknown part makes arithmetic and comparison unknown") {
    for (const char* text : {"runq.max + 1s > 0s", "runq.max * 0 > 0s", "max(runq.max, 1s) > 0s", "-runq.max < 1s",
                             "runq.max == runq.max"})
        CHECK(truth(text) == '?');
    CHECK(truth("present(runq.max)") == 'f');
    CHECK(truth("present(runq.max > 1s or true)") == 't');
}

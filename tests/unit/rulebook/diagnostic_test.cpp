#include "rulebook/diagnostic.h"

#include "catch.h"

using namespace gotuned;

TEST_CASE("a diagnostic shows its place, the line with a caret, and the hint") {
    const Diagnostic diagnostic{
        {"/etc/x.yaml", 12, 9}, "unknown signal fd.usde", "did you mean fd.used?", "  when: fd.usde > 80%"};
    CHECK(to_string(diagnostic) ==
          "/etc/x.yaml:12:9: unknown signal fd.usde\n"
          "      when: fd.usde > 80%\n"
          "            ^\n"
          "    hint: did you mean fd.used?");
}

TEST_CASE("a diagnostic about a whole file names only the file") {
    CHECK(to_string(Diagnostic{{"x.yaml", 0, 0}, "cannot be read", {}, {}}) == "x.yaml: cannot be read");
}

TEST_CASE("the caret stands below the character, not the byte") {
    CHECK(to_string(Diagnostic{{"x", 1, 3}, "m", {}, "äöü"}).ends_with("äöü\n      ^"));
}

TEST_CASE("control characters in a wrong line do not reach the terminal") {
    const std::string text = to_string(Diagnostic{{"x\x1b[2J", 1, 1}, "bad \x1b[31m", "h\n", "a\tb\x1b"});
    CHECK(text == "x?[2J:1:1: bad ?[31m\n    a?b?\n    ^\n    hint: h?");
}

TEST_CASE("an overlong line is left out") {
    CHECK(to_string(Diagnostic{{"x", 1, 500}, "m", {}, std::string(1000, 'a')}) == "x:1:500: m");
}

#include "ctl/table.h"

#include "catch.h"

using namespace gotuned;

TEST_CASE("columns are aligned, numbers to the right", "[table]") {
    TextTable table({{"NAME"}, {"PID", true}});
    table.row({"a", "1"});
    table.row({"longer", "4711"});
    CHECK(table.print(0) == "NAME     PID\na          1\nlonger  4711\n");
}

TEST_CASE("a narrow terminal cuts only the columns that give way", "[table]") {
    TextTable table({{"NAME", false, true}, {"PID", true}});
    table.row({"a-very-long-service-name", "4711"});
    CHECK(table.print(18) == "NAME           PID\na-very-long…  4711\n");
    CHECK(table.print(0).find("a-very-long-service-name") != std::string::npos);
}

TEST_CASE("no line is wider than the terminal when the columns can give way", "[table]") {
    TextTable table({{"A", false, true}, {"B", false, true}});
    table.row({std::string(100, 'x'), std::string(50, 'y')});
    const std::string text = table.print(40);
    CHECK(display_width(text.substr(0, text.find('\n'))) <= 40);
    CHECK(display_width(text.substr(text.find('\n') + 1, text.rfind('\n') - text.find('\n') - 1)) <= 40);
}

TEST_CASE("strangers' text cannot move the cursor or break a line", "[table]") {
    TextTable table({{"NAME"}, {"X"}});
    table.row({"a\x1b[2Jb\nc\xff", "1"});
    CHECK(table.print(0) == "NAME       X\na?[2Jb c\xEF\xBF\xBD  1\n");
}

TEST_CASE("what has several lines is told in one", "[table]") {
    TextTable table({{"WHY"}});
    table.row({"not loaded\na.yaml:2:10: version is 1\n    version: 2\n             ^\n"});
    CHECK(table.print(0) == "WHY\nnot loaded a.yaml:2:10: version is 1 version: 2 ^\n");
}

TEST_CASE("cutting never splits a character", "[table]") {
    CHECK(cut("äöü", 3) == "äöü");
    CHECK(cut("äöüß", 3) == "äö…");
    CHECK(cut("abc", 1) == "…");
    CHECK(display_width("äö…") == 3);
}

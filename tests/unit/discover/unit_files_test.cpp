#include "discover/unit_files.h"

#include "catch.h"
#include "fake_proc.h"

using namespace gotuned;
using test::FakeProc;

namespace {
const char* const off = "[Service]\nX-Gotuned=off\n";
const char* const plain = "[Service]\nExecStart=/bin/api\n";
}  // namespace

TEST_CASE("a key is found in any section, with blanks, and the last one counts") {
    std::string value;
    CHECK(find_unit_key("[Unit]\nX-Gotuned = off \n", "X-Gotuned", value));
    CHECK(value == "off");
    CHECK(find_unit_key("[Service]\nX-Gotuned=off\nX-Gotuned=on\n", "X-Gotuned", value));
    CHECK(value == "on");
    CHECK(find_unit_key("[Service]\nX-Gotuned=off\nX-Gotuned=\n", "X-Gotuned", value));
    CHECK(value.empty());
}

TEST_CASE("comments, other keys and continued values are no key") {
    std::string value;
    for (const char* text :
         {"#X-Gotuned=off", ";X-Gotuned=off", "X-GotunedNot=off", "X-Gotuned", "Environment=a \\\nX-Gotuned=off",
          "Environment=a \\\n# between\nX-Gotuned=off", "", "\xff\xfe"}) {
        INFO(text);
        CHECK_FALSE(find_unit_key(text, "X-Gotuned", value));
    }
}

TEST_CASE("a unit opts out in its fragment") {
    const FakeProc tree;
    UnitFiles units(tree.path("."));
    tree.write("usr/lib/systemd/system/a.service", off);
    tree.write("usr/lib/systemd/system/b.service", plain);
    CHECK(units.opted_out("a.service", false));
    CHECK_FALSE(units.opted_out("b.service", false));
    CHECK_FALSE(units.opted_out("missing.service", false));
}

TEST_CASE("the operator's fragment replaces the packaged one") {
    const FakeProc tree;
    UnitFiles units(tree.path("."));
    tree.write("usr/lib/systemd/system/a.service", off);
    tree.write("etc/systemd/system/a.service", plain);
    CHECK_FALSE(units.opted_out("a.service", false));
}

TEST_CASE("a drop-in opts out, for one unit, a template, a prefix or all services") {
    for (const char* directory : {"a-b@x.service.d", "a-b@.service.d", "a-@.service.d", "service.d"}) {
        const FakeProc tree;
        UnitFiles units(tree.path("."));
        tree.write("usr/lib/systemd/system/a-b@.service", plain);
        tree.write(std::string("etc/systemd/system/") + directory + "/gotuned.conf", off);
        INFO(directory);
        CHECK(units.opted_out("a-b@x.service", false));
    }
}

TEST_CASE("an instance opts out by its template's fragment") {
    const FakeProc tree;
    UnitFiles units(tree.path("."));
    tree.write("etc/systemd/system/pay@.service", off);
    CHECK(units.opted_out("pay@eu.service", false));
}

TEST_CASE("a later drop-in takes an opt-out back, and one of the same name hides the packaged one") {
    const FakeProc tree;
    UnitFiles units(tree.path("."));
    tree.write("usr/lib/systemd/system/a.service", plain);
    tree.write("usr/lib/systemd/system/a.service.d/10-off.conf", off);
    CHECK(units.opted_out("a.service", false));
    tree.write("etc/systemd/system/a.service.d/20-on.conf", "[Service]\nX-Gotuned=\n");
    CHECK_FALSE(units.opted_out("a.service", false));
    tree.remove("etc/systemd/system/a.service.d");
    CHECK(units.opted_out("a.service", false));
    tree.write("etc/systemd/system/a.service.d/10-off.conf", "");
    CHECK_FALSE(units.opted_out("a.service", false));
}

TEST_CASE("a file that changes or appears later is noticed") {
    const FakeProc tree;
    UnitFiles units(tree.path("."));
    CHECK_FALSE(units.opted_out("a.service", false));
    tree.write("etc/systemd/system/a.service", off);
    CHECK(units.opted_out("a.service", false));
    tree.remove("etc/systemd/system/a.service");
    CHECK_FALSE(units.opted_out("a.service", false));
}

TEST_CASE("one look at many units sees their directories once, the next look what has changed there") {
    const FakeProc tree;
    UnitFiles units(tree.path("."));
    UnitFiles::Look one;
    CHECK_FALSE(units.opted_out("a.service", false, one));
    CHECK_FALSE(units.opted_out("b.service", false, one));
    tree.write("etc/systemd/system/a.service.d/10-off.conf", off);
    CHECK_FALSE(units.opted_out("a.service", false, one));
    UnitFiles::Look next;
    CHECK(units.opted_out("a.service", false, next));
    CHECK_FALSE(units.opted_out("b.service", false, next));
    tree.write("etc/systemd/system/a.service.d/10-off.conf", plain);  // no entry came or went
    UnitFiles::Look last;
    CHECK_FALSE(units.opted_out("a.service", false, last));
}

TEST_CASE("a user's unit is looked for in the directories of user units") {
    const FakeProc tree;
    UnitFiles units(tree.path("."));
    tree.write("etc/systemd/user/a.service", off);
    CHECK(units.opted_out("a.service", true));
    CHECK_FALSE(units.opted_out("a.service", false));
}

TEST_CASE("a directory, a file too large and a name with a slash are no opt-out") {
    const FakeProc tree;
    UnitFiles units(tree.path("."));
    tree.write("etc/systemd/system/dir.service/x", "");
    tree.write("etc/systemd/system/big.service", off + std::string(2U << 20U, '#'));
    tree.write("etc/systemd/other/a.service", off);
    CHECK_FALSE(units.opted_out("dir.service", false));
    CHECK_FALSE(units.opted_out("big.service", false));
    CHECK_FALSE(units.opted_out("../other/a.service", false));
    CHECK_FALSE(units.opted_out("nodot", false));
}

#include "base/value.h"

#include "base/target.h"
#include "base/text.h"
#include "catch.h"

using namespace gotuned;

TEST_CASE("a quantity prints in the unit people use") {
    CHECK(to_string(time(std::chrono::microseconds(12500))) == "12.5ms");
    CHECK(to_string(bytes(64.0 * 1024 * 1024)) == "64MiB");
    CHECK(to_string(ratio(0.96)) == "96%");
    CHECK(to_string(ratio(0.9604)) == "96.0%");
    CHECK(to_string(count(65536)) == "65536");
    CHECK(to_string(rate(3)) == "3/s");
    CHECK(to_string(count(unlimited_value)) == "unlimited");
}

TEST_CASE("every value that is encoded is decoded the same") {
    const Value values[] = {count(65536), count(unlimited_value),    bytes(1.5),           ratio(0.1), rate(2), true,
                            false,        std::string("a:b\n\"c\""), CpuSet({0, 1, 2, 8}), CpuSet()};
    for (const Value& value : values) {
        Value back;
        REQUIRE(decode(encode(value), back));
        CHECK(back == value);
    }
    Value untouched = true;
    for (const char* wrong : {"", "q", "q:1", "q:x:0,0,0", "q:1:0,0", "q:nan:0,0,0", "b:maybe", "c:3-1", "z:1"}) {
        CHECK_FALSE(decode(wrong, untouched));
        CHECK(untouched == Value(true));
    }
}

TEST_CASE("a target id that is printed is parsed the same") {
    const TargetId targets[] = {HostId{}, CgroupId{42}, ProcessId{4711, 99, 7}};
    for (const TargetId& target : targets) {
        TargetId back;
        REQUIRE(parse_target(to_string(target), back));
        CHECK(back == target);
    }
    TargetId back;
    CHECK_FALSE(parse_target("process:99999999999:1:1", back));
    CHECK_FALSE(parse_target("cgroup:", back));
}

TEST_CASE("text of strangers becomes valid UTF-8 without control characters") {
    CHECK(clean_text("a\xff\nb\"c") == "a\xEF\xBF\xBD?b\"c");
    CHECK(clean_text("\xed\xa0\x80") == "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
    CHECK(clean_text("äöü", 4) == "äö");
    CHECK(json_quote("a\"\\\n") == "\"a\\\"\\\\\\u000a\"");
}

TEST_CASE("the nearest name is found and a far one is not offered") {
    CHECK(nearest("fd.usde", {"fd.limit", "fd.used", "runq"}) == "fd.used");
    CHECK(nearest("completely", {"fd.limit", "fd.used"}).empty());
}

#include "rulebook/match.h"

#include "catch.h"

using namespace gotuned;
using Key = MatchClause::Key;

namespace {

GoProcess process() {
    GoProcess out;
    out.exe = "/usr/bin/payment";
    out.cmdline = "/usr/bin/payment -listen :8080";
    out.unit = "payment-eu.service";
    out.cgroup = "/system.slice/payment-eu.service";
    out.user = "www";
    out.build.version = "go1.22.3";
    out.environment = {{"GOTUNED_CLASS", "batch"}, {"GOGC", ""}};
    out.labels = {{"app", "payment"}};
    return out;
}
bool match(Key key, std::vector<std::string> patterns) {
    return matches(TargetDefinition{.name = "t", .match = {MatchClause{.key = key, .patterns = std::move(patterns)}}},
                   process());
}
bool go(const std::string& comparison, const std::string& version) {
    const auto pattern = make_pattern(Key::go, comparison);
    REQUIRE(pattern.has_value());
    GoProcess with;
    with.build.version = version;
    return (*pattern)->matches(with);
}

}  // namespace

TEST_CASE("globs match the whole text and regular expressions a part of it") {
    CHECK(match(Key::unit, {"payment-*.service"}));
    CHECK_FALSE(match(Key::unit, {"payment"}));
    CHECK(match(Key::unit, {"/payment/"}));
    CHECK_FALSE(match(Key::unit, {"/^ment/"}));
    CHECK(match(Key::exe, {"*/payment"}));
    CHECK(match(Key::cmdline, {"/-listen :[0-9]+$/"}));
    CHECK(match(Key::cgroup, {"/system.slice/*"}));
}

TEST_CASE("a list under a key is or, keys are and, not excludes by any") {
    CHECK(match(Key::user, {"root", "www"}));
    TargetDefinition both{
        .match = {{.key = Key::user, .patterns = {"www"}}, {.key = Key::exe, .patterns = {"*/other"}}}};
    CHECK_FALSE(matches(both, process()));
    both.match[1].patterns = {"*/payment"};
    CHECK(matches(both, process()));
    both.not_ = {{.key = Key::user, .patterns = {"nobody"}}, {.key = Key::env, .patterns = {"GOTUNED_CLASS=batch"}}};
    CHECK_FALSE(matches(both, process()));
    both.not_.pop_back();
    CHECK(matches(both, process()));
}

TEST_CASE("what is not known of a process matches nothing") {
    CHECK_FALSE(match(Key::container, {"*"}));
    CHECK_FALSE(match(Key::pod, {"/.*/"}));
    CHECK_FALSE(match(Key::namespace_name, {"*"}));
}

TEST_CASE("env and label match by name, or by name and value") {
    CHECK(match(Key::env, {"GOGC"}));
    CHECK(match(Key::env, {"GOGC="}));
    CHECK_FALSE(match(Key::env, {"GOGC=?*"}));
    CHECK(match(Key::env, {"GOTUNED_CLASS=ba*"}));
    CHECK(match(Key::env, {"GOTUNED_CLASS=/^b.tch$/"}));
    CHECK_FALSE(match(Key::env, {"OTHER"}));
    CHECK(match(Key::label, {"app=payment"}));
    CHECK_FALSE(match(Key::label, {"app=x"}));
}

TEST_CASE("Go versions are compared as numbers, a version of two parts stands for all its patches") {
    CHECK(go(">=1.19", "go1.22.3"));
    CHECK(go(">=1.9", "go1.19"));
    CHECK_FALSE(go(">=1.19", "go1.9.7"));
    CHECK(go("<1.22.4", "go1.22.3"));
    CHECK(go("==1.22", "go1.22.3"));
    CHECK(go("=1.22.3", "go1.22.3"));
    CHECK_FALSE(go("!=1.22", "go1.22.3"));
    CHECK(go("<=1.22", "go1.22.3"));
    CHECK_FALSE(go(">1.22", "go1.22.3"));
    CHECK(go(">=1.19, <1.25", "go1.24.11"));
    CHECK_FALSE(go(">=1.19, <1.25", "go1.25.0"));
    CHECK(go(">= 1.19 < 1.25", "go1.20"));
}

TEST_CASE("a release candidate comes before its release, and odd versions are understood or match nothing") {
    CHECK_FALSE(go(">=1.22", "go1.22rc1"));
    CHECK(go(">=1.21", "go1.22rc1"));
    CHECK(go(">=1.22", "go1.22.3 X:boringcrypto"));
    CHECK(go(">=1.22", "devel go1.23-abcdef Mon"));
    for (const char* odd : {"devel +abcdef", "", "go", "go1", "gox.y", "unknown"}) CHECK_FALSE(go(">=1.0", odd));
}

TEST_CASE("a regular expression that would take for ever on a long command line does not") {
    const auto pattern = make_pattern(Key::cmdline, "/^(a+)+$/");
    REQUIRE(pattern.has_value());
    GoProcess hostile;
    hostile.cmdline = std::string(4096, 'a') + "!";
    CHECK_FALSE((*pattern)->matches(hostile));
    hostile.cmdline.pop_back();
    CHECK((*pattern)->matches(hostile));
}

TEST_CASE("a pattern that cannot be meant is refused") {
    for (const char* regex : {"/(/", "//", "/a{1000}{1000}/", "/(a)\\1/", "/[z-a]/"}) {
        INFO(regex);
        CHECK_FALSE(make_pattern(Key::exe, regex).has_value());
    }
    CHECK_FALSE(make_pattern(Key::exe, "/" + std::string(300, 'a') + "/").has_value());
    for (const char* version : {"1.19", ">=", ">=x", ">= 1.x", "", "~1.2"}) {
        INFO(version);
        CHECK_FALSE(make_pattern(Key::go, version).has_value());
    }
    CHECK_FALSE(make_pattern(Key::env, "*=x").has_value());
    CHECK_FALSE(make_pattern(Key::env, "/GO.*/").has_value());
}

TEST_CASE("every key is written as it is parsed") {
    for (const Key key : {Key::unit, Key::exe, Key::cmdline, Key::cgroup, Key::user, Key::env, Key::container, Key::pod,
                          Key::namespace_name, Key::label, Key::go}) {
        CHECK(parse_match_key(to_string(key)) == key);
    }
    CHECK_FALSE(parse_match_key("units").has_value());
}

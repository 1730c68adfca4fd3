// Which sample a text names, and what is found of it in pages that services really serve.
#include "observe/sample_selector.h"

#include "catch.h"

using namespace gotuned;

namespace {

Reading<double> found(const std::string& selector, const std::string& page, std::size_t piece = 1000) {
    auto parsed = parse_sample_selector(selector);
    INFO(selector);
    REQUIRE(parsed);
    SampleFinder finder({{selector, *parsed}});
    for (std::size_t at = 0; at < page.size(); at += piece)
        REQUIRE(finder.feed(std::string_view(page).substr(at, piece)));
    return finder.finish().at(selector);
}

constexpr const char* page = R"(# HELP http_requests_total Requests.
# TYPE http_requests_total counter
http_requests_total{code="200",path="/a b"} 1027 1395066363000
http_requests_total{code="500",path="/a b"} 3
http_requests_total{ code = "404" , path = "C:\\DIR\"x\"\n" , } 7e2
go_goroutines 12
up:ratio 0.5
queue{}  -4.5e-1
latency_seconds{quantile="0.99"} NaN
limit_bytes +Inf
exemplar_bucket{le="1"} 17 # {trace_id="abc"} 0.67
last_line 9)";

}  // namespace

TEST_CASE("a sample is found by its name and by those of its labels that were named") {
    for (const std::size_t piece : {1UL, 7UL, 1000UL}) {
        CAPTURE(piece);
        CHECK(found("go_goroutines", page, piece) == Reading<double>(12));
        CHECK(found("http_requests_total{code=\"500\"}", page, piece) == Reading<double>(3));
        CHECK(found("http_requests_total{path=\"/a b\",code=\"200\"}", page, piece) == Reading<double>(1027));
        CHECK(found("http_requests_total{path=\"C:\\\\DIR\\\"x\\\"\\n\"}", page, piece) == Reading<double>(700));
        CHECK(found("up:ratio", page, piece) == Reading<double>(0.5));
        CHECK(found("queue", page, piece) == Reading<double>(-0.45));
        CHECK(found("exemplar_bucket", page, piece) == Reading<double>(17));
        CHECK(found("last_line", page, piece) == Reading<double>(9));
        CHECK(found("go_goroutines{none=\"\"}", page, piece) == Reading<double>(12));
    }
}

TEST_CASE("what is not one finite number is absent with its reason") {
    CHECK(found("http_requests_total", page).absent() ==
          Absent{Absence::malformed, "3 samples match: name more labels"});
    CHECK(found("http_requests", page).absent().reason == Absence::no_data);
    CHECK(found("go_goroutines{code=\"1\"}", page).absent().reason == Absence::no_data);
    CHECK(found("latency_seconds", page).absent() == Absent{Absence::malformed, "its value is NaN"});
    CHECK(found("limit_bytes", page).absent() == Absent{Absence::malformed, "its value is +Inf"});
    CHECK(found("go_goroutines", "").absent().reason == Absence::no_data);
    CHECK(found("x", "x\n").absent().reason == Absence::malformed);
    CHECK(found("x", "x{a=\"b} 3\n").absent().reason == Absence::no_data);
}

TEST_CASE("a line without end is not kept") {
    SampleFinder finder({{"x", SampleSelector{"x", {}}}});
    const std::string long_line(60000, 'a');
    CHECK(finder.feed(long_line));
    CHECK_FALSE(finder.feed(long_line));
}

TEST_CASE("a selector that could not name one sample is refused at its character") {
    const auto wrong = [](const std::string& text) {
        auto parsed = parse_sample_selector(text);
        INFO(text);
        REQUIRE_FALSE(parsed);
        return parsed.error();
    };
    CHECK(wrong("").message == "the name of a metric is wanted here");
    CHECK(wrong("1x").offset == 0);
    CHECK(wrong("rate(x[1m])").offset == 4);
    CHECK(wrong("x{code=~\"5..\"}").offset == 7);
    CHECK(wrong("x{code=500}").message == "a value in quotes is wanted here");
    CHECK(wrong("x{code!=\"500\"}").hint == "only equality is known: name=\"value\"");
    CHECK(wrong("x{a=\"1\",a=\"2\"}").message == "label a stands twice");
    CHECK(wrong("x{a=\"1\"").message == "',' or '}' is wanted here");
    CHECK(wrong("x y").offset == 2);
}

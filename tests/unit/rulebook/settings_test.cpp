#include "rulebook/settings.h"

#include "catch.h"
#include "folder.h"

using namespace gotuned;
using namespace std::chrono_literals;

namespace {

Settings good(const std::string& text) {
    const Folder folder;
    auto settings = load_settings(folder.write("gotuned.yaml", text));
    if (!settings) FAIL(to_string(settings.error().front()));
    return *settings;
}
/// "LINE:COLUMN message" of the first error; empty when there is none.
std::string error(const std::string& text) {
    const Folder folder;
    const auto settings = load_settings(folder.write("gotuned.yaml", text));
    if (settings) return {};
    const Diagnostic& first = settings.error().front();
    return std::to_string(first.place.line) + ":" + std::to_string(first.place.column) + " " + first.message;
}

}  // namespace

TEST_CASE("a missing, an empty and a commented file give the defaults") {
    const auto missing = load_settings("/nonexistent/gotuned.yaml");
    REQUIRE(missing.has_value());
    CHECK(missing->tick == 5s);
    CHECK(missing->listen == std::vector<std::string>{"127.0.0.1:9713"});
    CHECK(good("").profile == "observe");
    CHECK(good("# nothing\n").adjust.per_minute == 10);
}

TEST_CASE("every setting is read") {
    const Settings settings = good(R"(version: 1
profile: latency
environment: production
tick: 500ms
listen: [127.0.0.1:1, "[::1]:2", "unix:/run/x", 0.0.0.0:3]
plain: true
web_config: null
probes: {budget: 2.5%, goroutines: off}
series: {max_services: 5, max_lines: 2000, buckets: full}
adjust: {per_minute: 3, lease: 45s, on_stop: keep, unsafe: true}
notify: {alertmanager: null}
history: {keep: 7d, max: 1GiB}
log: {level: debug}
)");
    CHECK(settings.profile == "latency");
    CHECK(settings.environment == "production");
    CHECK(settings.tick == 500ms);
    CHECK(settings.listen.size() == 4);
    CHECK(settings.plain);
    CHECK(settings.probes.budget == Approx(0.025));
    CHECK(settings.series.max_services == 5);
    CHECK(settings.series.max_lines == 2000);
    CHECK(settings.series.full_buckets);
    CHECK(settings.adjust.per_minute == 3);
    CHECK(settings.adjust.lease == 45s);
    CHECK(settings.adjust.on_stop == Settings::OnStop::keep);
    CHECK(settings.adjust.unsafe_bounds);
    CHECK(settings.history.keep == 24h * 7);
    CHECK(settings.history.max_bytes == 1073741824.0);
    CHECK(settings.log.level == LogLevel::debug);
}

TEST_CASE("a wrong setting is an error at its place") {
    CHECK(error("tikc: 5s\n") == "1:1 unknown key tikc of gotuned.yaml");
    CHECK(error("adjust: {per_minut: 5}\n") == "1:10 unknown key per_minut of adjust");
    CHECK(error("tick: 5\n") == "1:7 tick is a time, not 5");
    CHECK(error("tick: 1ms\n") == "1:7 tick is at least 100ms and at most 10m");
    CHECK(error("adjust: {lease: 1s}\n") == "1:17 lease is at least 5s and at most 24h");
    CHECK(error("plain: yes\n") == "1:8 plain is true or false, not yes");
    CHECK(error("series: {max_services: 1e3}\n") == "1:24 max_services is a whole number, not 1e3");
    CHECK(error("history: {max: 5s}\n") == "1:16 max is a size, not 5s");
    CHECK(error("probes: {budget: 200%}\n").find("budget is at least") != std::string::npos);
    CHECK(error("log: debug\n") == "1:6 log is a map, not text");
    CHECK(error("tick:\n") == "1:1 tick has no value");
    CHECK(error("- a\n") == "1:1 gotuned.yaml is a map, not a list");
    CHECK(error("tick: 5s\ntick: 6s\n") == "2:1 duplicate key tick");
}

TEST_CASE("a profile is any that has a file, and another is an error that lists them") {
    const Folder folder;
    const auto load = [&](const std::string& name) {
        return load_settings(folder.write("gotuned.yaml", "profile: " + name + "\n"), folder.path("profiles"));
    };
    CHECK(load("mine"));  // without the directory nothing is known
    folder.write("profiles/mine.yaml", "overrides: {}\n");
    CHECK(load("mine")->profile == "mine");
    CHECK(load("observe")->profile == "observe");
    const auto wrong = load("mines");
    REQUIRE_FALSE(wrong);
    CHECK(wrong.error().front().message == "there is no profile mines");
    CHECK(wrong.error().front().place.column == 10);
    CHECK(wrong.error().front().hint.find("did you mean mine?") == 0);
    CHECK(wrong.error().front().hint.find("profiles: mine, observe") != std::string::npos);
    CHECK_FALSE(load("../mine"));
}

TEST_CASE("an address that others can reach needs plain: true") {
    for (const char* address : {"0.0.0.0:9713", "10.0.0.1:9713", "\"[::]:9713\"", "\":9713\""}) {
        INFO(address);
        CHECK(error("listen: " + std::string(address) + "\n").find("1:9 others can reach") == 0);
        CHECK(error("plain: true\nlisten: " + std::string(address) + "\n").empty());
    }
    for (const char* address :
         {"127.0.0.1:9713", "127.1.2.3:1", "\"[::1]:9713\"", "localhost:9713", "unix:/run/gotuned/http"}) {
        INFO(address);
        CHECK(error("listen: " + std::string(address) + "\n").empty());
    }
}

TEST_CASE("what is no address is refused") {
    for (const char* address : {"localhost", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:x", "example.org:80",
                                "unix:relative", "\"::1:9713\"", "\"[::1:9713\""}) {
        INFO(address);
        CHECK(error("listen: " + std::string(address) + "\n").find("is not an address to listen on") !=
              std::string::npos);
    }
}

TEST_CASE("a setting that is not built yet says so when it is set") {
    CHECK(error("web_config: /etc/web.yml\n") == "1:1 web_config is not built yet in this version");
    CHECK(error("notify: {alertmanager: \"http://x\"}\n") ==
          "1:10 notify.alertmanager is not built yet in this version");
}

TEST_CASE("the services whose goroutines are looked into are none, one or a list") {
    const auto services = [](const std::string& text) { return good(text).probes.goroutines; };
    CHECK(services("").empty());
    CHECK(services("probes: {goroutines: off}\n").empty());
    CHECK(services("probes: {goroutines: api.service}\n") == std::vector<std::string>{"api.service"});
    CHECK(services("probes: {goroutines: [api.service, payments]}\n") ==
          std::vector<std::string>{"api.service", "payments"});
    CHECK(error("probes: {goroutines: {api: on}}\n").find("goroutines is text or a list of texts") !=
          std::string::npos);
}

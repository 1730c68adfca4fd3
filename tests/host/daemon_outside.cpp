// A rule that reads the metrics page of a real Go service, and asks a real Prometheus: Prometheus is both.
#include "daemon_process.h"
#include "prometheus.h"

using namespace gotuned;
using namespace gotuned::test;

namespace {

std::string rules(int port) {
    return R"x(version: 1
targets:
  monitor:
    match: { env: "GOTUNED_TEST=outside" }
    metrics: "http://127.0.0.1:)x" +
           std::to_string(port) + R"x(/metrics"
rules:
  - name: reads-the-page
    scope: process
    targets: [monitor]
    when: app("prometheus_build_info{branch=\"none such\"}") == 1 or app("prometheus_ready") == 1
    adjust: [{ knob: process.oom_score_adj, to: 7 }]
    verify: { settle: 1s, hold: 2s, expect: app("prometheus_ready") == 1 }
    mode: enforce
  - name: asks-prometheus
    scope: host
    when: prometheus("sum(prometheus_ready)") == 1 and prometheus("none_such") > 0
    adjust: [{ knob: advise, text: "never" }]
)x";
}
bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a service's own metrics and a Prometheus decide and verify, and what they do not say is unknown") {
    const TempFolder folder;
    const int port = free_port();
    const std::string address = "127.0.0.1:" + std::to_string(port);
    fs::create_directories(folder.path / "monitor");
    write_text(
        folder.path / "monitor/prometheus.yml",
        "global: { scrape_interval: 1s }\nscrape_configs:\n  - job_name: self\n    static_configs: [{ targets: ['" +
            address + "'] }]\n");
    const Child monitor(
        {prometheus_tool("prometheus"), "--config.file=" + (folder.path / "monitor/prometheus.yml").string(),
         "--storage.tsdb.path=" + (folder.path / "monitor/data").string(), "--web.listen-address=" + address},
        {"GOTUNED_TEST=outside"}, (folder.path / "monitor/log").string());
    DaemonProcess daemon(folder.path);
    write_text(folder.path / "gotuned.yaml", "version: 1\nprometheus: http://" + address + "\n");
    write_text(folder.path / "rules/50-own.yaml", rules(port));
    daemon.start();
    REQUIRE(daemon.notified("READY=1"));
    const bool kept = eventually([&] { return daemon.history_has("kept", "reads-the-page"); });
    const std::string explained = daemon.ctl("explain reads-the-page monitor").output;
    CAPTURE(explained, daemon.log());
    CHECK(kept);
    CHECK(read_text("/proc/" + std::to_string(monitor.pid()) + "/oom_score_adj") == "7\n");
    CHECK(holds(explained, "no sample of the page matches"));
    CHECK(holds(explained, "app(\"prometheus_ready\") (1) == 1"));
    // Asked at most every 15 s, and Prometheus needs a scrape of itself before it knows.
    CHECK(eventually([&] { return holds(daemon.ctl("explain asks-prometheus host").output, "(1) == 1"); },
                     std::chrono::seconds(60)));
    CHECK(holds(daemon.ctl("explain asks-prometheus host").output, "the query's result is empty"));
}

TEST_CASE("a service whose page is gone leaves its rule unknown, and the log says why") {
    const TempFolder folder;
    DaemonProcess daemon(folder.path);
    const Child server({build_folder() + "/workloads/fdlimit", "-soft", "64", "-connections", "1"},
                       {"GOTUNED_TEST=outside"}, (folder.path / "server.log").string());
    const int port = free_port();
    write_text(folder.path / "rules/50-own.yaml", rules(port));
    daemon.start();
    REQUIRE(daemon.notified("READY=1"));
    CHECK(eventually([&] { return holds(daemon.log(), "the metrics of target monitor cannot be read"); }));
    CHECK(eventually([&] { return holds(daemon.ctl("explain reads-the-page monitor").output, "Couldn't connect"); }));
    CHECK(holds(daemon.ctl("explain asks-prometheus host").output, "gotuned.yaml names no prometheus"));
    CHECK_FALSE(daemon.history_has("kept", "reads-the-page"));
}

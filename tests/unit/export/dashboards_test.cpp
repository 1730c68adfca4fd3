#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>

#include "catch.h"
#include "export/metric_names.h"
#include "paths.h"
#include "world.h"

using namespace gotuned;
using namespace gotuned::test;
namespace fs = std::filesystem;

namespace {

/// Names that this version can export: the catalogue's, and the daemon's own.
std::set<std::string> known_metrics() {
    std::set<std::string> names{"gotuned_service_info", "gotuned_host_info"};
    for (const MetricName& name : metric_names()) names.insert(name.family);
    World world;
    Metrics metrics({});
    Evaluation evaluation;
    const ProcessId target{1, 100, 7};
    RuleStanding standing;
    standing.rule = "r";
    standing.target = target;
    Decision fire;
    fire.rule = "r";
    fire.target = target;
    Decision keep = fire;
    keep.kind = DecisionKind::keep;
    keep.verified = true;
    evaluation.standings = {standing};
    evaluation.targets = {{standing.rule, 1}};
    evaluation.decisions = {fire, keep};
    evaluation.unknowns[{"r", Absence::no_data}] = 1;
    world.input.evaluation = &evaluation;
    world.input.probes = {ProbeReport{}};
    world.input.drops = {{"p", "r", 1}};
    world.input.totals = {{"r", "k", "kept", 1}};
    world.input.rulebook.version = 1;
    world.process(1, "s");
    world.tell(metrics);
    for (const auto& family : metrics.Collect()) names.insert(family.name);
    return names;
}

std::set<std::string> names_in(const std::string& text) {
    static const std::regex word("([a-z:]*)\\b(gotuned_[a-z_]+)(:[a-z0-9]+)?");
    std::set<std::string> out;
    for (std::sregex_iterator match(text.begin(), text.end(), word), end; match != end; ++match) {
        if ((*match)[1].length() > 0 || (*match)[3].length() > 0) continue;  // a recording rule's own name
        out.insert(std::regex_replace((*match)[2].str(), std::regex("_(bucket|count|sum)$"), ""));
    }
    return out;
}

std::string read_whole(const fs::path& path) {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

}  // namespace

TEST_CASE("dashboards and alerts ask only for metrics that exist", "[dashboards]") {
    const std::set<std::string> known = known_metrics();
    std::size_t asked = 0;
    for (const char* folder : {"config/grafana", "config/prometheus"})
        for (const auto& file : fs::directory_iterator(fs::path(source_folder()) / folder))
            for (const std::string& name : names_in(read_whole(file.path()))) {
                CAPTURE(file.path().filename().string(), name);
                CHECK(known.contains(name));
                ++asked;
            }
    CHECK(asked > 60);
}

TEST_CASE("each dashboard is valid, has a title of its own and asks the chosen data source", "[dashboards]") {
    std::set<std::string> titles;
    for (const auto& file : fs::directory_iterator(fs::path(source_folder()) / "config/grafana")) {
        CAPTURE(file.path().filename().string());
        const auto board = nlohmann::json::parse(read_whole(file.path()), nullptr, false);
        REQUIRE(board.is_object());
        CHECK(titles.insert(board["title"]).second);
        std::set<int> ids;
        for (const auto& panel : board["panels"]) {
            CHECK(ids.insert(panel["id"].get<int>()).second);
            if (panel["type"] != "row") CHECK(panel["datasource"]["uid"] == "${datasource}");
        }
    }
    CHECK(titles.size() >= 3);
}

TEST_CASE("the names that checks and dashboards rely on are exported", "[dashboards]") {
    const std::set<std::string> known = known_metrics();
    for (const char* name : {"gotuned_epoll_wake_seconds",
                             "gotuned_netpoll_sleep_seconds",
                             "gotuned_netpoll_timer_late_seconds",
                             "gotuned_runq_seconds",
                             "gotuned_syscall_seconds",
                             "gotuned_syscall_jitter_seconds",
                             "gotuned_cgroup_memory_pressure_ratio",
                             "gotuned_targets",
                             "gotuned_rule_state",
                             "gotuned_decisions_total",
                             "gotuned_adjustments",
                             "gotuned_adjustments_total",
                             "gotuned_detect_to_verified_seconds",
                             "gotuned_rulebook_info",
                             "gotuned_probe_attached",
                             "gotuned_probe_cpu_seconds_total",
                             "gotuned_probe_dropped_total",
                             "gotuned_signal_absent",
                             "gotuned_tick_seconds",
                             "gotuned_build_info",
                             "gotuned_syscall_observed_seconds_total",
                             "gotuned_errors_total"}) {
        CAPTURE(name);
        CHECK(known.contains(name));
    }
}

TEST_CASE("docs/metrics.md names every metric", "[dashboards]") {
    const std::string document = read_whole(fs::path(source_folder()) / "docs/metrics.md");
    for (const std::string& name : known_metrics()) {
        if (!name.starts_with("gotuned_") && !name.starts_with("process_")) continue;  // labels of info metrics
        CAPTURE(name);
        CHECK(document.find("`" + name + "`") != std::string::npos);
    }
}

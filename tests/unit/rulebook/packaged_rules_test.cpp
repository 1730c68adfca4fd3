// The rulebook and the profiles that are installed: they load, and keep the promises of the profiles.
#include <filesystem>

#include "base/files.h"
#include "catch.h"
#include "paths.h"
#include "rulebook/knob_catalogue.h"
#include "rulebook/loader.h"
#include "rulebook/settings.h"

using namespace gotuned;

namespace {

const std::string config = source_folder() + "/config";

RulebookPtr load(const std::string& profile, const std::string& operators = {}) {
    RulebookSources sources{.packaged = config + "/rulebook.d",
                            .operators = operators,
                            .profiles = config + "/profiles",
                            .profile = profile};
    auto loaded = load_rulebook(sources);
    if (!loaded) {
        for (const Diagnostic& error : loaded.error()) UNSCOPED_INFO(to_string(error));
        FAIL("the packaged rulebook does not load");
    }
    return *loaded;
}
std::vector<std::string> enforced(const Rulebook& rulebook) {
    std::vector<std::string> out;
    for (const Rule& rule : rulebook.rules) {
        if (rule.mode == Mode::enforce) out.push_back(rule.name);
    }
    return out;
}

}  // namespace

TEST_CASE("each packaged rule says why and from where, and leaves its mode to the profile") {
    const RulebookPtr book = load("observe");
    CHECK(book->rules.size() >= 10);
    for (const Rule& rule : book->rules) {
        INFO(rule.name);
        CHECK_FALSE(rule.why.empty());
        CHECK(rule.source.starts_with("https://"));
        CHECK(rule.packaged);
        CHECK(rule.mode_source == "profile observe");
        for (const Adjust& adjust : rule.adjust) {
            // What is written and can be written back proves itself.
            if (adjust.knob != "advise" && rule.scope != Scope::host) CHECK(rule.verify.present);
        }
    }
}

TEST_CASE("the profile observe enforces nothing") { CHECK(enforced(*load("observe")).empty()); }

TEST_CASE("the profiles enforce only what an experiment has shown, and balanced nothing that is shared") {
    const std::vector<std::string> shown = {"raise-nofile-before-emfile", "memory-high-throttling"};
    CHECK(enforced(*load("balanced")) == shown);
    CHECK(enforced(*load("latency")) == shown);
    const RulebookPtr balanced = load("balanced");
    for (const std::string& name : shown) {
        for (const Adjust& adjust : balanced->find(name)->adjust) CHECK_FALSE(find_knob_info(adjust.knob)->shared);
    }
}

TEST_CASE("the demo's rulebook loads beside the packaged one and is enforced") {
    const RulebookPtr book = load("observe", config + "/demo/rulebook.d");
    CHECK(enforced(*book) == std::vector<std::string>{"demo-raise-nofile", "demo-pack-hogs"});
    CHECK(book->environment == std::set<std::string>{"GOTUNED_DEMO"});
}

TEST_CASE("the packaged gotuned.yaml says the defaults") {
    auto packaged = load_settings(config + "/gotuned.yaml");
    if (!packaged) FAIL(to_string(packaged.error().front()));
    const Settings defaults;
    CHECK(packaged->profile == defaults.profile);
    CHECK(packaged->environment == defaults.environment);
    CHECK(packaged->tick == defaults.tick);
    CHECK(packaged->listen == defaults.listen);
    CHECK(packaged->probes.budget == defaults.probes.budget);
    CHECK(packaged->series.max_services == defaults.series.max_services);
    CHECK(packaged->series.max_lines == defaults.series.max_lines);
    CHECK(packaged->adjust.per_minute == defaults.adjust.per_minute);
    CHECK(packaged->adjust.lease == defaults.adjust.lease);
    CHECK(packaged->history.keep == defaults.history.keep);
    CHECK(packaged->history.max_bytes == defaults.history.max_bytes);
    CHECK(packaged->log.level == defaults.log.level);
}

#include "base/files.h"
#include "catch.h"
#include "paths.h"
#include "rulebook/loader.h"
#include "rulebook/settings.h"

using namespace gotuned;

namespace {

std::string config_file(const std::string& name) {
    auto text = read_file((source_folder() + "/config/") + name);
    REQUIRE(text.has_value());
    return *text;
}

}  // namespace

TEST_CASE("the schemas in config/ are what the loader's tables give") {
    // When a table changed: gotunectl schema rulebook > config/rulebook.schema.json, and so on.
    CHECK(config_file("rulebook.schema.json") == rulebook_schema() + "\n");
    CHECK(config_file("profile.schema.json") == profile_schema() + "\n");
    CHECK(config_file("gotuned.schema.json") == settings_schema() + "\n");
}

TEST_CASE("the schema says what is required, refuses unknown keys, and marks what is not built") {
    const std::string schema = rulebook_schema();
    CHECK(schema.find(R"("$schema": "https://json-schema.org/draft/2020-12/schema")") != std::string::npos);
    CHECK(schema.find(R"("required": ["name", "scope", "when", "adjust"])") != std::string::npos);
    CHECK(schema.find(R"("additionalProperties": false)") != std::string::npos);
    CHECK(schema.find("not built yet") != std::string::npos);
    CHECK(settings_schema().find(R"("default": "256MiB")") != std::string::npos);
}

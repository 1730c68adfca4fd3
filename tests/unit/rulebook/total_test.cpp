// The loader is total: whatever the bytes, there is a rulebook or there are errors, and never both.
#include <rapidcheck.h>

#include "base/files.h"
#include "catch.h"
#include "paths.h"
#include "rulebook/compile.h"

using namespace gotuned;

namespace {

/// Loads a text as an operator's file; what loaded must be whole.
void load(const std::string& text) {
    SourceSet set;
    set.files.push_back({"f.yaml", text, false});
    const auto loaded = compile_rulebook(set);
    if (!loaded) {
        RC_ASSERT(!loaded.error().empty());
        for (const Diagnostic& error : loaded.error()) RC_ASSERT(!to_string(error).empty());
        return;
    }
    for (const Rule& rule : (*loaded)->rules) {
        RC_ASSERT(rule.when != nullptr);
        RC_ASSERT(!rule.adjust.empty());
        RC_ASSERT(!rule.verify.present || rule.verify.expect != nullptr);
    }
}
std::string packaged(const std::string& name) {
    auto text = read_file((source_folder() + "/config/") + name);
    REQUIRE(text.has_value());
    return *text;
}

}  // namespace

TEST_CASE("any bytes load or are refused") {
    CHECK(rc::check([](const std::string& bytes) { load(bytes); }));
}

TEST_CASE("a rulebook with a few bytes changed, cut out or doubled loads or is refused") {
    const std::string whole = packaged("demo/rulebook.d/demo.yaml");
    CHECK(rc::check([&] {
        std::string text = whole;
        const int changes = *rc::gen::inRange(1, 6);
        for (int i = 0; i < changes && !text.empty(); ++i) {
            const auto at = *rc::gen::inRange<std::size_t>(0, text.size());
            const auto length = *rc::gen::inRange<std::size_t>(0, 40);
            switch (*rc::gen::inRange(0, 3)) {
                case 0:
                    text[at] = *rc::gen::elementOf(std::string(" \n:-{}[]'\"|>*&!#,%()0a<=\t"));
                    break;
                case 1:
                    text.erase(at, length);
                    break;
                default:
                    text.insert(at, text.substr(at, length));
                    break;
            }
        }
        load(text);
    }));
}

TEST_CASE("a rulebook that is cut off anywhere loads or is refused") {
    const std::string whole = packaged("demo/rulebook.d/demo.yaml");
    for (std::size_t size = 0; size < whole.size(); size += 7) {
        SourceSet set;
        set.files.push_back({"f.yaml", whole.substr(0, size), false});
        const auto loaded = compile_rulebook(set);
        CHECK((loaded.has_value() || !loaded.error().empty()));
    }
}

// Every file of tests/rulebooks/wrong is refused at the place, and with the words, that its first line expects
// ("# expect: LINE:COLUMN part of the message"; expect.txt for files that cannot carry a comment).
#include <filesystem>
#include <fstream>
#include <map>

#include "base/files.h"
#include "base/text.h"
#include "catch.h"
#include "paths.h"
#include "rulebook/compile.h"
#include "rulebook/errors.h"

using namespace gotuned;
namespace fs = std::filesystem;

namespace {

const std::string folder = source_folder() + "/tests/rulebooks/wrong";

Diagnostics errors_of(const std::string& path, std::string text) {
    SourceSet set;
    set.files.push_back({path, std::move(text), false});
    auto compiled = compile_rulebook(set);
    return compiled ? Diagnostics{} : compiled.error();
}
std::string slurp(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("each wrong rulebook is refused at the place and with the words it expects") {
    std::map<std::string, std::string> expected;
    const std::string manifest = slurp(folder + "/expect.txt");
    for (const std::string_view line : split(manifest, '\n')) {
        const std::size_t space = line.find(' ');
        if (!line.starts_with('#') && space != std::string_view::npos)
            expected.emplace(line.substr(0, space), line.substr(space + 1));
    }
    int seen = 0;
    for (const auto& entry : fs::directory_iterator(folder)) {
        const std::string name = entry.path().filename().string();
        if (!name.ends_with(".yaml")) continue;
        const std::string text = slurp(entry.path());
        constexpr std::string_view mark = "# expect: ";
        if (text.starts_with(mark)) expected[name] = text.substr(mark.size(), text.find('\n') - mark.size());
        INFO(name);
        REQUIRE(expected.contains(name));
        const Diagnostics errors = errors_of(name, text);
        REQUIRE_FALSE(errors.empty());
        const std::string& wanted = expected[name];
        const std::string place = wanted.substr(0, wanted.find(' '));
        const std::string words = wanted.find(' ') == std::string::npos ? "" : wanted.substr(wanted.find(' ') + 1);
        std::string all;
        bool found = false;
        for (const Diagnostic& error : errors) {
            all += to_string(error) + "\n";
            found = found || (std::to_string(error.place.line) + ":" + std::to_string(error.place.column) == place &&
                              error.message.find(words) != std::string::npos);
        }
        INFO(all);
        CHECK(found);
        CHECK(errors.size() == 1);  // one mistake is reported once
        ++seen;
    }
    CHECK(seen >= 40);
}

TEST_CASE(
    "a file of 10 MB, one of a hundred thousand levels and one of a hundred thousand mistakes are refused quickly and "
    "plainly") {
    CHECK(errors_of("big.yaml", "# " + std::string(10'000'000, 'x')).front().message ==
          "the file is larger than 1 MiB");
    std::string deep = "rules: ";
    for (int i = 0; i < 100'000; ++i) deep += i % 2 == 0 ? "[" : "{a: ";
    CHECK(errors_of("deep.yaml", deep).front().message == "nested deeper than 32 levels");
    std::string wrong;
    for (int i = 0; i < 100'000; ++i) wrong += "k" + std::to_string(i) + ":\n";
    const Diagnostics errors = errors_of("wrong.yaml", wrong);
    CHECK(errors.size() == Errors::limit + 1);
    CHECK(errors.back().message == "and 99950 more errors");
}

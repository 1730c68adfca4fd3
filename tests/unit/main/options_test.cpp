#include "main/options.h"

#include <filesystem>
#include <string>
#include <vector>

#include "catch.h"

using namespace gotuned;

namespace {

ParsedOptions parse(std::vector<std::string> words) {
    words.insert(words.begin(), "gotuned");
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    return parse_options(static_cast<int>(arguments.size()), arguments.data());
}

}  // namespace

TEST_CASE("a relative directory is made absolute where it is given", "[options]") {
    const ParsedOptions parsed = parse({"--run-dir", "run", "--state-dir", "./a/../state"});
    REQUIRE_FALSE(parsed.exit_status);
    const auto here = std::filesystem::current_path();
    CHECK(parsed.options.run_dir == (here / "run").string());
    CHECK(parsed.options.state_dir == (here / "state").string());
    CHECK(parse({}).options.run_dir == "/run/gotuned");
}

TEST_CASE("directories that cannot be used are wrong usage", "[options]") {
    CHECK(parse({"--run-dir="}).exit_status == 2);
    CHECK(parse({"--run-dir", "/" + std::string(93, 'x')}).exit_status == std::nullopt);
    CHECK(parse({"--run-dir", "/" + std::string(94, 'x')}).exit_status == 2);
}

TEST_CASE("what is no address to listen on is wrong usage", "[options]") {
    for (const char* wrong : {"9713", "example.org:80", "127.0.0.1:99999", "[::1:5", "unix:relative", ""}) {
        CAPTURE(wrong);
        CHECK(parse({"--listen", wrong}).exit_status == 2);
    }
    const ParsedOptions parsed = parse({"--listen", "127.0.0.1:0", "--listen", "[::1]:9713", "--listen", ":9713"});
    REQUIRE_FALSE(parsed.exit_status);
    CHECK(parsed.options.listen.size() == 3);
}

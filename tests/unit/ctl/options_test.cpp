#include "ctl/options.h"

#include "catch.h"

using namespace gotuned;

namespace {

Parsed parse(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "gotunectl");
    return parse_arguments(static_cast<int>(arguments.size()), arguments.data());
}

}  // namespace

TEST_CASE("help is printed with its exit statuses and succeeds", "[options]") {
    const Parsed help = parse({"--help"});
    CHECK_FALSE(help.invocation);
    CHECK(help.status == exit_status::ok);
    CHECK(help.text.find("Exit status:") != std::string::npos);
    CHECK(help.text.find("Examples:") != std::string::npos);
    CHECK(parse({"undo", "--help"}).status == exit_status::ok);
    CHECK(parse({"--version"}).text.find("gotunectl ") == 0);
}

TEST_CASE("wrong usage has a status of its own", "[options]") {
    CHECK(parse({}).status == exit_status::usage);
    CHECK(parse({"nonsense"}).status == exit_status::usage);
    CHECK(parse({"explain", "only-a-rule"}).status == exit_status::usage);
    CHECK(parse({"undo"}).status == exit_status::usage);
    CHECK(parse({"undo", "1", "--all"}).status == exit_status::usage);
    CHECK(parse({"undo", "zero"}).status == exit_status::usage);
    CHECK(parse({"undo", "--", "-1"}).status == exit_status::usage);
    CHECK(parse({"resume", "rule-without-target"}).status == exit_status::usage);
    CHECK(parse({"history", "-n", "0"}).status == exit_status::usage);
    CHECK(parse({"schema", "everything"}).status == exit_status::usage);
    CHECK(parse({"--run-dir", "/a", "--socket", "/b", "status"}).status == exit_status::usage);
}

TEST_CASE("what is no number of an adjustment is said in words", "[options]") {
    for (const char* wrong : {"abc", "0", "1.5", "99999999999999999999"}) {
        const Parsed parsed = parse({"undo", wrong});
        CAPTURE(parsed.text);
        CHECK(parsed.status == exit_status::usage);
        CHECK(parsed.text.find("'" + std::string(wrong) + "' is not the number of an adjustment") != std::string::npos);
        CHECK(parsed.text.size() < 300);
    }
}

TEST_CASE("wrong usage with --json is told to main, wherever the flag stands", "[options]") {
    CHECK(parse({"--json", "undo", "abc"}).json);
    CHECK(parse({"undo", "abc", "--json"}).json);
    CHECK_FALSE(parse({"undo", "abc"}).json);
    CHECK(error_json(2, "a \"b\"\nc\n") == "{\"error\":\"a \\\"b\\\"\\u000ac\",\"status\":2}\n");
}

TEST_CASE("common options may stand before and behind the command", "[options]") {
    for (const Parsed& parsed :
         {parse({"--json", "--run-dir", "/x", "status"}), parse({"status", "--json", "--run-dir", "/x"})}) {
        REQUIRE(parsed.invocation);
        CHECK(parsed.invocation->command == Command::status);
        CHECK(parsed.invocation->json);
        CHECK(parsed.invocation->socket == "/x/control.sock");
    }
}

TEST_CASE("each command takes its arguments", "[options]") {
    CHECK(parse({"signals", "payments"}).invocation->target == "payments");
    CHECK(parse({"explain", "r", "t"}).invocation->rule == "r");
    CHECK(parse({"history", "-n", "5", "--rule", "r"}).invocation->limit == 5);
    CHECK(parse({"undo", "17"}).invocation->id == 17);
    CHECK(parse({"undo", "--all", "--force", "-y"}).invocation->force);
    CHECK(parse({"resume"}).invocation->command == Command::resume);
    CHECK(parse({"resume", "r", "t"}).invocation->target == "t");
    CHECK(parse({"profile", "balanced", "--yes"}).invocation->name == "balanced");
    CHECK(parse({"check", "a.yaml", "b.yaml"}).invocation->files.size() == 2);
}

TEST_CASE("a relative rulebook is made absolute, since the daemon is elsewhere", "[options]") {
    CHECK(parse({"plan", "--rulebook", "rules"}).invocation->rulebook.front() == '/');
}

TEST_CASE("what changes something is waited for longer", "[options]") {
    CHECK(parse({"status"}).invocation->timeout < parse({"undo", "--all"}).invocation->timeout);
    CHECK(parse({"--timeout", "3", "undo", "--all"}).invocation->timeout == std::chrono::seconds(3));
}

TEST_CASE("a mistyped command gets the nearest one", "[options]") {
    const Parsed parsed = parse({"--json", "stauts"});
    CHECK(parsed.status == exit_status::usage);
    CHECK(parsed.text.find("unknown command stauts; did you mean status?") == 0);
}

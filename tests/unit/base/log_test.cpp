#include "base/log.h"

#include <fcntl.h>
#include <unistd.h>

#include <functional>
#include <regex>

#include "base/fd.h"
#include "base/files.h"
#include "catch.h"
#include "fake_tree.h"

using namespace gotuned;

namespace {

/// What `talk` wrote to standard error.
std::string standard_error_of(const std::function<void()>& talk) {
    FakeTree tree;
    const Fd saved(::dup(STDERR_FILENO));
    {
        const Fd file(::open(tree.path("log").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
        REQUIRE(::dup2(file.get(), STDERR_FILENO) == STDERR_FILENO);
    }
    talk();
    ::fflush(stderr);
    REQUIRE(::dup2(saved.get(), STDERR_FILENO) == STDERR_FILENO);
    return read_file(tree.path("log")).value();
}

}  // namespace

TEST_CASE("a log line has the time in UTC, its level and its message") {
    const std::string line = standard_error_of([] { log_warning("cannot read {}", "vm.swappiness"); });
    CHECK(
        std::regex_match(line, std::regex(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ warning: cannot read vm\.swappiness\n)")));
}

TEST_CASE("a stranger's text cannot begin a line of its own or break the log's UTF-8") {
    const std::string line =
        standard_error_of([] { log_error("found {}", "x\n2026-01-01T00:00:00Z error: forged\x1b[2J\xff"); });
    CHECK(std::count(line.begin(), line.end(), '\n') == 1);
    CHECK(line.find('\x1b') == std::string::npos);
    CHECK(line.find("\xEF\xBF\xBD") != std::string::npos);
}

TEST_CASE("the same message is printed once a minute, another one at once") {
    const std::string lines = standard_error_of([] {
        for (int i = 0; i < 100; ++i) log_info("it is broken");
        log_info("it is broken elsewhere");
    });
    CHECK(std::count(lines.begin(), lines.end(), '\n') == 2);
}

TEST_CASE("messages below the least level are not printed") {
    const std::string lines = standard_error_of([] {
        log_debug("not seen");
        set_log_level(LogLevel::error);
        log_warning("not seen either");
        log_error("seen");
        set_log_level(LogLevel::debug);
        log_debug("seen now");
        set_log_level(LogLevel::info);
    });
    CHECK(lines.find("not seen") == std::string::npos);
    CHECK(lines.find("error: seen\n") != std::string::npos);
    CHECK(lines.find("debug: seen now\n") != std::string::npos);
}

TEST_CASE("a message that is very long is cut, not dropped") {
    const std::string line = standard_error_of([] { log_info("{}", std::string(100000, 'x')); });
    CHECK(line.size() > 1000);
    CHECK(line.size() < 5000);
    CHECK(line.ends_with("\n"));
}

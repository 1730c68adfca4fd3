#include "discover/go_process.h"

#include "catch.h"

using namespace gotuned;

namespace {
GoProcess process(const char* unit, const char* container = "", const char* exe = "/usr/bin/api") {
    GoProcess out;
    out.unit = unit;
    out.container = container;
    out.exe = exe;
    out.comm = "api";
    return out;
}
const std::string id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
}  // namespace

TEST_CASE("a service is named after its unit") {
    CHECK(default_service(process("payments.service")) == "payments.service");
    CHECK(default_service(process("payment\\x2dapi.service")) == "payment-api.service");
}

TEST_CASE("the instances of a template are one service") {
    CHECK(default_service(process("payment@eu.service")) == "payment@");
    CHECK(default_service(process("payment@.service")) == "payment@");
}

TEST_CASE("a container is named by its short id, or by its name") {
    CHECK(default_service(process(("docker-" + id + ".scope").c_str(), id.c_str())) == "0123456789ab");
    CHECK(default_service(process("", id.c_str())) == "0123456789ab");
    CHECK(default_service(process("", "web1")) == "web1");
}

TEST_CASE("a process of a login, of systemd-run or of a desktop is named after its executable") {
    for (const char* unit : {"", "session-4.scope", "init.scope", "run-u12.service", "run-r0a1bc.scope",
                             "run-p12-i34.service", "app-org.example.App-4711.scope"}) {
        INFO(unit);
        CHECK(default_service(process(unit)) == "api");
    }
    CHECK(default_service(process("run-unit-tests.service")) == "run-unit-tests.service");
    CHECK(default_service(process("run-.service")) == "run-.service");
}

TEST_CASE("a service's name is never empty and always clean") {
    CHECK(default_service(process("", "", "/tmp/we\nird\"\xff")) == "we?ird\"\xEF\xBF\xBD");
    CHECK(default_service(process("", "", "")) == "api");
    CHECK(default_service(GoProcess{}) == "unknown");
}

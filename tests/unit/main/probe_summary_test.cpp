#include "main/probe_summary.h"

#include "catch.h"

using namespace gotuned;

namespace {

ProbeReport probe(const std::string& name, const std::string& reason) {
    ProbeReport report;
    report.probe = name;
    report.attached = reason.empty();
    report.reason = reason;
    return report;
}

}  // namespace

TEST_CASE("attached probes are not worth a line", "[probe_summary]") {
    CHECK(probe_summary({}).empty());
    CHECK(probe_summary({probe("sched_switch", "")}).empty());
}

TEST_CASE("probes that were refused for one reason share a line", "[probe_summary]") {
    const auto lines = probe_summary(
        {probe("sched_switch", "a"), probe("sys_exit", "b"), probe("sched_waking", "a"), probe("process_exec", "")});
    CHECK(lines ==
          std::vector<std::string>{"not attached: sched_switch, sched_waking: a", "not attached: sys_exit: b"});
}

TEST_CASE("without any probe one line says why and what that means", "[probe_summary]") {
    const auto lines = probe_summary({probe("sched_switch", "not permitted"), probe("sys_exit", "not permitted")});
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].find("no probe is attached: not permitted. Signals of scheduling") == 0);
}

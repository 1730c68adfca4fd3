#include "main/targets.h"

#include "catch.h"

using namespace gotuned;

namespace {

Snapshot two_services() {
    Snapshot snapshot;
    auto cgroup = std::make_shared<CgroupState>();
    cgroup->id = CgroupId{7};
    cgroup->path = "/system.slice/payments.service";
    snapshot.cgroups[cgroup->id] = cgroup;
    for (const int pid : {100, 101, 200}) {
        auto facts = std::make_shared<GoProcess>();
        facts->id = ProcessId{pid, 5, 6};
        facts->unit = pid < 200 ? "payments.service" : "";
        facts->cgroup = pid < 200 ? cgroup->path : "/";
        facts->cgroup_inode = pid < 200 ? 7 : 1;
        auto state = std::make_shared<ProcessState>();
        state->process = facts;
        state->service = pid < 200 ? "payments" : "batch";
        snapshot.processes[facts->id] = state;
    }
    return snapshot;
}

}  // namespace

TEST_CASE("a target is a pid, a service with its cgroup, a cgroup path, or host") {
    const Snapshot snapshot = two_services();
    CHECK(resolve_target("host", snapshot).value() == std::vector<TargetId>{HostId{}});
    CHECK(resolve_target("200", snapshot).value() == std::vector<TargetId>{ProcessId{200, 5, 6}});
    CHECK(resolve_target("payments", snapshot).value().size() == 3);
    CHECK(resolve_target("payments.service", snapshot).value().size() == 3);
    CHECK(resolve_target("/system.slice/payments.service", snapshot).value() == std::vector<TargetId>{CgroupId{7}});
}

TEST_CASE("a target that is not there is named with the nearest one") {
    const Snapshot snapshot = two_services();
    const auto wrong = resolve_target("paymnets", snapshot);
    REQUIRE_FALSE(wrong);
    CHECK(to_string(wrong.error()).find("payments") != std::string::npos);
    CHECK_FALSE(resolve_target("999", snapshot));
    CHECK_FALSE(resolve_target("", snapshot));
}

TEST_CASE("a target is described for people, also after it left") {
    const Snapshot snapshot = two_services();
    CHECK(describe_target(ProcessId{100, 5, 6}, snapshot) == "payments pid 100");
    CHECK(describe_target(ProcessId{999, 5, 6}, snapshot) == "pid 999");
    CHECK(describe_target(CgroupId{7}, snapshot) == "cgroup /system.slice/payments.service");
    CHECK(describe_target(HostId{}, snapshot) == "host");
}

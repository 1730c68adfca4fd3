// Sysctls of a process's own network namespace, on this kernel: real processes in namespaces of their own, which are
// gone with them. The host's value is looked at before and after.
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>

#include <cstdio>
#include <cstdlib>
#include <thread>

#include "../unit/tune/bench.h"
#include "../unit/tune/child.h"
#include "../unit/tune/without.h"
#include "base/capability.h"
#include "catch.h"
#include "tune/net_namespace.h"

using namespace gotuned;
using namespace gotuned::test;

namespace {

constexpr const char* backlog = "sysctl.net.core.somaxconn";
constexpr const char* backlog_file = "/proc/sys/net/core/somaxconn";

std::string here() {
    const auto text = read_file(backlog_file);
    REQUIRE(text);
    return std::string(trim(*text));
}
/// As a process of that network namespace reads it.
std::string there(pid_t pid) {
    std::string value;
    std::thread([&] {
        const Fd space(::open(("/proc/" + std::to_string(pid) + "/ns/net").c_str(), O_RDONLY | O_CLOEXEC));
        if (::setns(space.get(), CLONE_NEWNET) == 0) value = here();
    }).join();
    return value;
}

/// A process in a network namespace of its own, an engine, and the host's value that must not change.
struct NamespaceBench : Bench {
    Child child{};
    std::string of_host = here();
    NamespaceBench() : Bench(Proc::real) {
        const int code = child.leave_the_network();
        if (code != 0 || !has_capability(CAP_SYS_ADMIN)) {
            std::printf("SKIPPED: no network namespace can be made or entered here: %s\n", errno_words(code).c_str());
            std::exit(77);
        }
        start();
        see(child.id());
    }
    ~NamespaceBench() { CHECK(here() == of_host); }
    void set(const std::string& knob, const Value& to) { act(fire("rule", child.id(), {{knob, to}})); }
};

}  // namespace

TEST_CASE("a sysctl is set in the process's network namespace alone, and put back there") {
    NamespaceBench bench;
    const std::string before = there(bench.child.pid());
    bench.set(backlog, count(1234));
    CHECK(there(bench.child.pid()) == "1234");
    CHECK(here() == bench.of_host);
    bench.tick();
    CHECK(bench.only().state == AdjustmentState::applied);
    bench.undo();
    CHECK(there(bench.child.pid()) == before);
}

TEST_CASE("a process in the host's network namespace is refused: the sysctl is the host's") {
    NamespaceBench bench;
    const Child neighbour;
    bench.see(neighbour.id());
    bench.act(bench.fire("rule", neighbour.id(), {{backlog, count(1234)}}));
    CHECK(bench.refusal().find("it is in the host's network namespace") != std::string::npos);
}

TEST_CASE("a sysctl that is one for the whole host is refused") {
    NamespaceBench bench;
    bench.set("sysctl.net.core.netdev_max_backlog", count(2000));
    CHECK(bench.refusal().find("host") != std::string::npos);
    CHECK(bench.engine->live().empty());
}

TEST_CASE("without CAP_SYS_ADMIN it is refused, with what to do about it") {
    NamespaceBench bench;
    without(CAP_SYS_ADMIN, [&] {
        bench.start();
        bench.set(backlog, count(1234));
    });
    CHECK(bench.refusal().find("examples/namespaced-sysctls.conf") != std::string::npos);
    CHECK(there(bench.child.pid()) == bench.of_host);
}

TEST_CASE("when the process has ended and others are in its namespace, it is put back for them") {
    NamespaceBench bench;
    Child neighbour;
    REQUIRE(neighbour.join_the_network_of(bench.child.pid()) == 0);
    const std::string before = there(neighbour.pid());
    bench.set(backlog, count(1234));
    REQUIRE(there(neighbour.pid()) == "1234");
    bench.child.end();
    bench.tick();
    CHECK(bench.engine->live().empty());
    CHECK(bench.told.count("undone") == 1);
    CHECK(there(neighbour.pid()) == before);
}

TEST_CASE("a namespace that nobody is in any more is gone, with its sysctls") {
    NamespaceBench bench;
    bench.set(backlog, count(1234));
    bench.child.end();
    bench.engine->exited(bench.child.id().pid);
    bench.tick();
    CHECK(bench.engine->live().empty());
    CHECK(bench.told.count("gone") == 1);
}

TEST_CASE("two processes of one namespace do not both set its sysctl") {
    NamespaceBench bench;
    Child neighbour;
    REQUIRE(neighbour.join_the_network_of(bench.child.pid()) == 0);
    bench.set(backlog, count(1234));
    bench.see(neighbour.id());
    bench.act(bench.fire("rule", neighbour.id(), {{backlog, count(2345)}}));
    CHECK(bench.refusal().starts_with("held: by rule rule"));
    CHECK(there(neighbour.pid()) == "1234");
}

TEST_CASE("after a restart the namespace is found again, also by gotuned undo") {
    NamespaceBench bench;
    const std::string before = there(bench.child.pid());
    bench.set(backlog, count(1234));
    const Rulebook book = rulebook({rule("rule", {backlog})});
    bench.restart(&book);
    CHECK(bench.only().state == AdjustmentState::applied);
    CHECK(there(bench.child.pid()) == "1234");
    bench.engine.reset();
    bool running = false;
    const auto undone = undo_offline(bench.options, bench.clock, false, running);
    REQUIRE(undone);
    CHECK(undone->size() == 1);
    CHECK(there(bench.child.pid()) == before);
}

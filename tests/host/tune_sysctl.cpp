// The engine on this kernel's own sysctls. Each is put back whatever happens to the test (guardian.h).
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "../unit/tune/bench.h"
#include "catch.h"
#include "guardian.h"

using namespace gotuned;
using namespace gotuned::test;

namespace {

constexpr const char* pressure = "sysctl.vm.vfs_cache_pressure";
constexpr const char* pressure_path = "/proc/sys/vm/vfs_cache_pressure";
constexpr const char* rmem_path = "/proc/sys/net/ipv4/tcp_rmem";

/// This machine lets its sysctls be written; else the reason, and the whole executable is skipped.
bool writable() {
    static const bool can = ::access(pressure_path, W_OK) == 0 && ::access(rmem_path, W_OK) == 0;
    if (!can) {
        std::puts("SKIPPED: /proc/sys cannot be written here");
        std::exit(77);
    }
    return can;
}
double other_than(const std::string& found) { return found == "101" ? 102 : 101; }

}  // namespace

TEST_CASE("a real sysctl is written, read back, kept and undone") {
    REQUIRE(writable());
    const Guardian guardian(pressure_path);
    Bench bench(Bench::Proc::real);
    bench.start();
    const double wanted = other_than(guardian.found());
    bench.act(bench.fire("test", HostId{}, {{pressure, count(wanted)}}));
    CHECK(present(pressure_path) == to_string(count(wanted)));
    bench.keep();
    bench.tick();
    CHECK(bench.only().state == AdjustmentState::kept);
    bench.undo();
    CHECK(present(pressure_path) == guardian.found());
}

TEST_CASE("a foreign write to a real sysctl is found and left alone") {
    REQUIRE(writable());
    const Guardian guardian(pressure_path);
    Bench bench(Bench::Proc::real);
    bench.start();
    bench.act(bench.fire("test", HostId{}, {{pressure, count(other_than(guardian.found()))}}));
    REQUIRE(write_kernel_file(pressure_path, "103"));
    bench.tick();
    CHECK(bench.only().state == AdjustmentState::drifted);
    bench.undo();
    CHECK(present(pressure_path) == "103");
}

TEST_CASE("a value that the kernel refuses fails its group, and what was written before it is put back") {
    REQUIRE(writable());
    const Guardian guardian(pressure_path);
    const Guardian other(rmem_path);
    Bench bench(Bench::Proc::real);
    bench.start();
    bench.act(bench.fire(
        "test", HostId{},
        {{pressure, count(other_than(guardian.found()))}, {"sysctl.net.ipv4.tcp_rmem", std::string("many")}}));
    CHECK(bench.engine->live().empty());
    CHECK(present(pressure_path) == guardian.found());
    CHECK(present(rmem_path) == other.found());
    CHECK(bench.told.last("failed").reason.find("Invalid argument") != std::string::npos);
    CHECK(bench.told.count("undone") == 1);
}

TEST_CASE("a sysctl of three numbers is put back number by number") {
    REQUIRE(writable());
    const Guardian guardian(rmem_path);
    Bench bench(Bench::Proc::real);
    bench.start();
    unsigned long long least = 0;
    unsigned long long usual = 0;
    unsigned long long most = 0;
    REQUIRE(std::sscanf(guardian.found().c_str(), "%llu %llu %llu", &least, &usual, &most) == 3);
    const std::string wanted = std::to_string(least) + " " + std::to_string(usual) + " " + std::to_string(most + 4096);
    bench.act(bench.fire("test", HostId{}, {{"sysctl.net.ipv4.tcp_rmem", wanted}}));
    CHECK(present(rmem_path) != guardian.found());
    bench.tick();
    CHECK(bench.only().state == AdjustmentState::applied);  // the kernel's tabs are no drift
    bench.undo();
    CHECK(present(rmem_path) == guardian.found());
}

TEST_CASE("a daemon that is killed while a real sysctl is changed leaves it to the next start, or to gotuned undo") {
    REQUIRE(writable());
    const Guardian guardian(pressure_path);
    const bool offline = GENERATE(false, true);
    Bench bench(Bench::Proc::real);
    const pid_t pid = ::fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        bench.start();
        bench.act(bench.fire("test", HostId{}, {{pressure, count(other_than(guardian.found()))}}));
        ::kill(::getpid(), SIGKILL);
    }
    ::waitpid(pid, nullptr, 0);
    REQUIRE(present(pressure_path) != guardian.found());
    if (offline) {
        bool running = true;
        const auto outcomes = undo_offline(bench.options, bench.clock, false, running);
        REQUIRE(outcomes);
        CHECK(outcomes->size() == 1);
        CHECK_FALSE(running);
    } else {
        const Rulebook none = rulebook({});
        bench.restart(&none);
        CHECK(bench.engine->live().empty());
    }
    CHECK(present(pressure_path) == guardian.found());
}

#include "observe/service_lives.h"

#include <csignal>

#include "bpf/gotuned.h"
#include "catch.h"

using namespace gotuned;
using namespace std::chrono_literals;

namespace {

constexpr MonoTime start{1h};
constexpr std::uint32_t exited(std::uint32_t code) { return code << 8; }

}  // namespace

TEST_CASE("the cause of an exit is told by its status") {
    CHECK(cause_of_exit(exited(0)) == ExitCause::other);
    CHECK(cause_of_exit(exited(1)) == ExitCause::other);
    CHECK(cause_of_exit(exited(2)) == ExitCause::panic);
    CHECK(cause_of_exit(SIGKILL) == ExitCause::killed);
    CHECK(cause_of_exit(SIGKILL | GT_EXIT_OOM) == ExitCause::oom);
    CHECK(cause_of_exit(SIGTERM) == ExitCause::other);
    CHECK(cause_of_exit(SIGABRT | 0x80) == ExitCause::other);  // with a core
    CHECK(cause_of_exit(exited(137)) == ExitCause::other);     // a shell's word for what happened to another process
    // Chosen by the OOM killer, but it ended by itself before it was killed.
    CHECK(cause_of_exit(exited(2) | GT_EXIT_OOM) == ExitCause::panic);
}

TEST_CASE("exits are counted by service and cause, and taken once") {
    ServiceLives lives;
    lives.ended("a", ExitCause::panic, start);
    lives.ended("a", ExitCause::killed, start);
    lives.ended("b", ExitCause::oom, start);
    const auto taken = lives.take(start + 5s);
    CHECK(taken.at("a") == ServiceLife{2, 1, 0, 1, 0});
    CHECK(taken.at("b") == ServiceLife{1, 0, 1, 0, 0});
    CHECK(lives.take(start + 10s).empty());
}

TEST_CASE("a process that begins after another of its service ended is a restart") {
    ServiceLives lives;
    lives.began("a", start);
    CHECK(lives.take(start).empty());
    lives.ended("a", ExitCause::other, start + 1s);
    lives.began("b", start + 2s);
    lives.take(start + 5s);
    lives.began("a", start + 6s);
    lives.began("a", start + 7s);  // one more than ended
    CHECK(lives.take(start + 10s).at("a").restarts == 1);
}

TEST_CASE("a process that begins long after an end is no restart") {
    ServiceLives lives;
    lives.ended("a", ExitCause::other, start);
    lives.take(start + 5s);
    lives.began("a", start + ServiceLives::restart_within + 1s);
    CHECK(lives.take(start + ServiceLives::restart_within + 5s).empty());
}

#include "base/reading.h"

#include <set>

#include "base/fd.h"
#include "base/result.h"
#include "catch.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

using namespace gotuned;

TEST_CASE("a reading that nobody made is absent, not observed") {
    const Reading<int> reading;
    CHECK_FALSE(reading);
    CHECK(reading.absent().reason == Absence::not_observed);
}

TEST_CASE("an absent reading has no value to ask for") {
    const Reading<int> reading(Absence::vanished);
    CHECK_THROWS_AS(reading.value(), std::bad_variant_access);
    CHECK_THROWS_AS(Reading<int>(0).absent(), std::bad_variant_access);
}

TEST_CASE("zero is a value and not an absence") {
    CHECK(Reading<int>(0));
    CHECK_FALSE(Reading<int>(0) == Reading<int>(Absence::no_data));
}

TEST_CASE("what is made of an absent reading is absent for the same reason") {
    const Reading<int> absent(Absent{Absence::not_permitted, "ptrace"});
    CHECK(absent.map([](int value) { return value * 2.5; }).absent() == Absent{Absence::not_permitted, "ptrace"});
    CHECK(Reading<int>(2).map([](int value) { return value * 2.5; }).value() == 5);
}

TEST_CASE("every reason has a name of its own, with the detail behind it") {
    std::set<std::string_view> names;
    for (int i = 0; i <= static_cast<int>(Absence::restarted); ++i) {
        const auto name = to_string(static_cast<Absence>(i));
        CHECK(name != "unknown");
        CHECK(names.insert(name).second);
    }
    CHECK(to_string(Absent{Absence::no_data, {}}) == "no_data");
    CHECK(to_string(Absent{Absence::not_supported, "memory controller is on cgroup v1"}) ==
          "not_supported: memory controller is on cgroup v1");
}

TEST_CASE("an error says what, on whom, why and what to do, and leaves out what it does not know") {
    CHECK(to_string(Error{"cannot write vm.swappiness", "host", EACCES, "run as root"}) ==
          "cannot write vm.swappiness on host: Permission denied (EACCES); run as root");
    CHECK(to_string(Error{"cannot do it", {}, 0, {}}) == "cannot do it");
    CHECK(errno_words(99999) == "error 99999");
}

TEST_CASE("a descriptor is closed by its last owner, and by nobody else") {
    int number = -1;
    {
        Fd first(::open("/dev/null", O_RDONLY | O_CLOEXEC));
        number = first.get();
        Fd second(std::move(first));
        CHECK(second.get() == number);
        CHECK(::fcntl(number, F_GETFD) >= 0);
    }
    CHECK(::fcntl(number, F_GETFD) == -1);
    Fd released(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    number = released.release();
    CHECK_FALSE(released.valid());
    CHECK(::close(number) == 0);
}

TEST_CASE("a descriptor that is given to itself stays open") {
    Fd fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    Fd& same = fd;
    fd = std::move(same);
    CHECK(fd.valid());
    CHECK(::fcntl(fd.get(), F_GETFD) >= 0);
}

TEST_CASE("a process that is held is alive until it ends, and one that has gone cannot be held") {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        for (;;) ::pause();
    }
    const auto held = Pidfd::open(child);
    REQUIRE(held);
    CHECK(held->pid() == child);
    CHECK(held->alive());
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    CHECK_FALSE(held->alive());
    CHECK(Pidfd::open(child).error().code == ESRCH);
}

#include "observe/host_clock.h"

#include <cerrno>

#include "catch.h"
#include "fake_host.h"

using namespace gotuned;
using namespace std::chrono_literals;

namespace {

constexpr MonoTime start{1h};

struct Clocks {
    FakeHost host{};
    Duration offset{1'700'000'000s};
    timex state{};
    int answer = TIME_OK;
    HostClock clock{[this] { return offset; },
                    [this](timex& out) {
                        out = state;
                        if (answer < 0) errno = EPERM;
                        return answer;
                    }};
    SignalTable read(MonoTime at) {
        SignalTable table;
        clock.read(table, host.roots(), at);
        return table;
    }
};
Quantity quantity(const SignalTable& table, Signal id) { return std::get<Quantity>(*table.get(id).value); }
Absence absence(const SignalTable& table, Signal id) { return table.get(id).value.absent().reason; }

}  // namespace

TEST_CASE("a step of the wall clock is counted and told with its size and direction") {
    Clocks clocks;
    clocks.read(start);
    CHECK(quantity(clocks.read(start + 5s), Signal::host_clock_step) == rate(0));
    clocks.offset += 3s;
    clocks.clock.watch().look();
    clocks.offset -= 1500ms;
    CHECK(quantity(clocks.read(start + 10s), Signal::host_clock_step) == rate(0.4));
    CHECK(clocks.clock.watch().take() == std::vector<Duration>{3s, -1500ms});
    CHECK(clocks.clock.watch().take().empty());
}

TEST_CASE("what comparing two clocks errs by is no step, and does not add up to one") {
    Clocks clocks;
    clocks.read(start);
    for (int i = 0; i < 100; ++i) {
        clocks.offset += 10us;
        clocks.clock.watch().look();
    }
    CHECK(clocks.clock.watch().steps() == 0);
}

TEST_CASE("a clock that is set each moment is counted in full and told in part") {
    Clocks clocks;
    for (int i = 0; i < 1000; ++i) {
        clocks.offset += 1s;
        clocks.clock.watch().look();
    }
    CHECK(clocks.clock.watch().steps() == 1000);
    CHECK(clocks.clock.watch().take().size() < 100);
}

TEST_CASE("the kernel's discipline is told in seconds, whichever unit it keeps") {
    Clocks clocks;
    clocks.state.offset = -2500;
    CHECK(quantity(clocks.read(start), Signal::host_clock_offset).value == Approx(-0.0025));
    clocks.state.status = STA_NANO;
    CHECK(quantity(clocks.read(start), Signal::host_clock_offset).value == Approx(-0.0000025));
    CHECK(quantity(clocks.read(start), Signal::host_clock_synchronised) == count(1));
    clocks.state.status = STA_UNSYNC;
    CHECK(quantity(clocks.read(start), Signal::host_clock_synchronised) == count(0));
}

TEST_CASE("a clock state that the kernel refuses is not permitted, a source that is not there not supported") {
    Clocks clocks;
    clocks.answer = -1;
    const SignalTable table = clocks.read(start);
    CHECK(absence(table, Signal::host_clock_synchronised) == Absence::not_permitted);
    CHECK(absence(table, Signal::host_clock_offset) == Absence::not_permitted);
    CHECK(absence(table, Signal::host_clock_source) == Absence::not_supported);
    clocks.host.tree.write("sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n");
    CHECK(std::get<std::string>(*clocks.read(start).get(Signal::host_clock_source).value) == "tsc");
}

#include "observe/signal_table.h"

#include <map>
#include <random>

#include "catch.h"

using namespace gotuned;
using namespace std::chrono_literals;

namespace {

bool same(const SignalReading& a, const SignalReading& b) { return a.value == b.value && a.exposure == b.exposure; }

std::vector<Signal> ids_of(const SignalTable& table) {
    std::vector<Signal> ids;
    table.for_each_presence([&](Signal id, bool, Absence) { ids.push_back(id); });
    return ids;
}

DistributionPtr one_event() {
    auto seen = std::make_shared<Distribution>();
    seen->record(1ms);
    return seen;
}

/// One of each kind, and of those that may be mistaken for each other.
const std::vector<SignalReading>& readings() {
    static const std::vector<SignalReading> all{
        {},
        {Absent{Absence::vanished, {}}, {}},
        {Absent{Absence::not_supported, "memory controller is on cgroup v1"}, {}},
        {Absent{Absence::not_permitted, "memory controller is on cgroup v1"}, {5s, 0s}},
        {SignalValue(count(0)), {}},
        {SignalValue(count(unlimited_value)), {}},
        {SignalValue(Quantity{-1.5, unit::bytes_per_second}), {5s, 200ms}},
        {SignalValue(Quantity{2, Unit{-3, 2, 1}}), {5s, 5s}},
        {SignalValue(std::string()), {}},
        {SignalValue(std::string("memory controller is on cgroup v1")), {}},
        {SignalValue(CpuSet()), {}},
        {SignalValue(CpuSet({0, 3})), {}},
        {SignalValue(DistributionPtr()), {}},
        {SignalValue(one_event()), {5s, 100ms}},
    };
    return all;
}

}  // namespace

TEST_CASE("a signal that was never set is absent, not observed") {
    const SignalTable table;
    CHECK(table.empty());
    CHECK(table.get(Signal::epoll_wake).value.absent() == Absent{Absence::not_observed, {}});
    CHECK(table.get(Signal::host_kernel).value.absent() == Absent{Absence::not_observed, {}});
}

TEST_CASE("a signal table keeps its order whatever the order of setting, and the last setting wins") {
    SignalTable table;
    table.set(Signal::host_kernel, Absent{Absence::vanished, {}});
    table.set(Signal::epoll_wake, Absent{Absence::not_attached, {}});
    table.set(Signal::fd_used, count(1));
    table.set(Signal::fd_used, count(2));
    CHECK(ids_of(table) == std::vector{Signal::epoll_wake, Signal::fd_used, Signal::host_kernel});
    CHECK(std::get<Quantity>(*table.get(Signal::fd_used).value) == count(2));
    CHECK(table.get(Signal::fd_limit).value.absent().reason == Absence::not_observed);
}

TEST_CASE("every kind of reading comes out as it was set, also in place of any other") {
    for (const SignalReading& before : readings())
        for (const SignalReading& after : readings()) {
            SignalTable table;
            table.set(Signal::runq, before);
            CHECK(same(table.get(Signal::runq), before));
            table.set(Signal::fd_used, before);
            table.set(Signal::runq, after);
            CHECK(same(table.get(Signal::runq), after));
            CHECK(same(table.get(Signal::fd_used), before));
            const SignalTable copy = table;
            CHECK(same(copy.get(Signal::runq), after));
        }
}

TEST_CASE("a signal table is what a map would be, however often it is set") {
    std::mt19937 random(11);
    const auto any = [&random](std::size_t below) {
        return std::uniform_int_distribution<std::size_t>(0, below - 1)(random);
    };
    SignalTable table;
    std::map<Signal, SignalReading> model;
    for (int i = 0; i < 5000; ++i) {
        const auto id = static_cast<Signal>(any(static_cast<std::size_t>(Signal::end_of_signals)));
        const SignalReading& reading = readings()[any(readings().size())];
        table.set(id, reading);
        model[id] = reading;
    }
    std::size_t present = 0;
    table.for_each_present([&](Signal id, const SignalReading& reading) {
        ++present;
        CHECK(same(reading, model.at(id)));
    });
    auto next = model.begin();
    table.for_each_presence([&](Signal id, bool is, Absence reason) {
        REQUIRE(next != model.end());
        CHECK(id == next->first);
        CHECK(is == next->second.value.present());
        if (!is) CHECK(reason == next->second.value.absent().reason);
        present -= is ? 1U : 0U;
        ++next;
    });
    CHECK(next == model.end());
    CHECK(present == 0);
}

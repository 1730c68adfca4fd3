#include "observe/block_devices.h"

#include "catch.h"
#include "fake_host.h"

using namespace gotuned;
using namespace std::chrono_literals;

namespace {

constexpr MonoTime start{1h};

struct Disks {
    FakeHost host{};
    BlockDevices devices{};
    Disks() { host.tree.directory("sys/block/vda"); }
    HostState read(const std::string& text, MonoTime at) {
        host.tree.write("proc/diskstats", text);
        return look(at);
    }
    HostState look(MonoTime at) {
        HostState state;
        devices.read(state, host.roots(), at);
        return state;
    }
};
Quantity quantity(const HostState& host, Signal id, const std::string& device) {
    return std::get<Quantity>(*host.keyed.at(id).at(device).value);
}
Absence absence(const HostState& host, Signal id, const std::string& device) {
    return host.keyed.at(id).at(device).value.absent().reason;
}

}  // namespace

TEST_CASE("a line of diskstats is added up over reads, writes, discards and flushes") {
    const auto counts = parse_diskstats_line(" 254 0 vda 10 1 80 5 20 2 160 40 3 30 45 4 0 32 2 6 18 ");
    REQUIRE(counts);
    CHECK(counts->name == "vda");
    CHECK(counts->requests == 40);
    CHECK(counts->waited_ms == 65);
    CHECK(counts->inflight == 3);
    CHECK(counts->busy_ms == 30);
}

TEST_CASE("older kernels count neither discards nor flushes; a torn line is malformed") {
    CHECK(parse_diskstats_line("8 0 sda 10 1 80 5 20 2 160 40 3 30 45")->requests == 30);
    for (const char* wrong :
         {"", "8 0 sda", "8 0 sda 10 1 80 5 20 2 160 40 3 30", "8 0 sda 10 x 80 5 20 2 160 40 3 30 45"})
        CHECK(parse_diskstats_line(wrong).absent().reason == Absence::malformed);
}

TEST_CASE("await is the time of the tick's requests, utilisation the share of its time") {
    Disks disks;
    const HostState first = disks.read("254 0 vda 10 0 0 5 0 0 0 0 2 30 0\n", start);
    CHECK(absence(first, Signal::host_block_await, "vda") == Absence::not_observed);
    CHECK(quantity(first, Signal::host_block_inflight, "vda") == count(2));
    const HostState second = disks.read("254 0 vda 15 0 0 105 5 0 0 100 0 1280 0\n", start + 5s);
    CHECK(quantity(second, Signal::host_block_await, "vda").value == Approx(0.02));
    CHECK(quantity(second, Signal::host_block_await, "vda").unit == unit::time);
    CHECK(quantity(second, Signal::host_block_util, "vda").value == Approx(0.25));
    const HostState third = disks.look(start + 10s);
    CHECK(absence(third, Signal::host_block_await, "vda") == Absence::no_data);
    CHECK(quantity(third, Signal::host_block_util, "vda") == ratio(0));
}

TEST_CASE("partitions and devices that were never used are not told") {
    Disks disks;
    disks.host.tree.directory("sys/block/loop0");
    const HostState state = disks.read(
        "7 0 loop0 0 0 0 0 0 0 0 0 0 0 0\n254 0 vda 10 0 0 5 0 0 0 0 2 30 0\n254 1 vda1 9 0 0 5 0 0 0 0 2 30 0\n",
        start);
    CHECK(state.keyed.at(Signal::host_block_await).size() == 1);
}

TEST_CASE("a device that goes away and comes back begins anew") {
    Disks disks;
    disks.read("254 0 vda 10 0 0 5 0 0 0 0 2 30 0\n", start);
    CHECK(disks.read("\n", start + 5s).keyed.at(Signal::host_block_await).empty());
    const HostState back = disks.read("254 0 vda 10 0 0 5 0 0 0 0 2 30 0\n", start + 10s);
    CHECK(absence(back, Signal::host_block_await, "vda") == Absence::not_observed);
}

TEST_CASE("of more devices than are told the first are, and a missing file is not supported as a whole") {
    Disks disks;
    std::string text;
    for (int i = 0; i < 100; ++i) {
        disks.host.tree.directory("sys/block/sd" + std::to_string(i));
        text += "8 0 sd" + std::to_string(i) + " 10 0 0 5 0 0 0 0 2 30 0\n";
    }
    CHECK(disks.read(text, start).keyed.at(Signal::host_block_inflight).size() == BlockDevices::most);
    disks.host.tree.remove("proc/diskstats");
    const HostState without = disks.look(start + 5s);
    CHECK(without.keyed.empty());
    CHECK(without.signals.get(Signal::host_block_await).value.absent().reason == Absence::not_supported);
}

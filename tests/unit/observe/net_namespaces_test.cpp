#include "observe/net_namespaces.h"

#include "catch.h"
#include "fake_host.h"

using namespace gotuned;
using namespace std::chrono_literals;

namespace {

std::string snmp(int dropped) {
    return "Ip: Forwarding DefaultTTL\nIp: 1 64\nUdp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors "
           "SndbufErrors\n" +
           fmt::format("Udp: 10 1 {0} 9 {0} 0\n", dropped) + "UdpLite: InDatagrams RcvbufErrors\nUdpLite: 7 7\n";
}

struct Spaces {
    FakeHost host{};
    NetNamespaces spaces{host.roots()};
    MonoTime now{};
    void write(pid_t pid, int dropped) const { host.tree.write(fmt::format("proc/{}/net/snmp", pid), snmp(dropped)); }
    SignalReading ask(std::uint64_t inode, pid_t pid) { return spaces.udp_rcvbuf_errors(inode, pid, now); }
};

double per_second(const SignalReading& reading) { return std::get<Quantity>(*reading.value).value; }

}  // namespace

TEST_CASE("the column is found by its name") {
    CHECK(*parse_udp_rcvbuf_errors(snmp(42)) == 42);
    CHECK(parse_udp_rcvbuf_errors("Udp: InDatagrams\nUdp: 10\n").absent().reason == Absence::not_supported);
    CHECK(parse_udp_rcvbuf_errors("").absent().reason == Absence::not_supported);
    CHECK(parse_udp_rcvbuf_errors("Udp: RcvbufErrors\n").absent().reason == Absence::malformed);
    CHECK(parse_udp_rcvbuf_errors("Udp: RcvbufErrors\nUdp: many\n").absent().reason == Absence::malformed);
}

TEST_CASE("a namespace is read once a tick, through whoever asks first") {
    Spaces at;
    at.write(10, 100);
    at.write(11, 900);
    CHECK(at.ask(7, 10).value.absent().reason == Absence::not_observed);  // the first reading gives no rate
    at.now += 5s;
    at.write(10, 150);
    CHECK(per_second(at.ask(7, 10)) == Approx(10));
    CHECK(per_second(at.ask(7, 11)) == Approx(10));
    CHECK(at.ask(8, 11).value.absent().reason == Absence::not_observed);  // another namespace
}

TEST_CASE("drops of IPv6 count too") {
    Spaces at;
    at.write(10, 100);
    at.host.tree.write("proc/10/net/snmp6", "Udp6InDatagrams 3\nUdp6RcvbufErrors 20\n");
    (void)at.ask(7, 10);
    at.now += 5s;
    at.host.tree.write("proc/10/net/snmp6", "Udp6InDatagrams 3\nUdp6RcvbufErrors 30\n");
    CHECK(per_second(at.ask(7, 10)) == Approx(2));
}

TEST_CASE("a process that vanished leaves the next one to ask") {
    Spaces at;
    at.write(11, 100);
    CHECK_FALSE(at.ask(7, 10).value.present());
    (void)at.ask(7, 11);
    at.now += 5s;
    at.write(11, 105);
    CHECK_FALSE(at.ask(7, 10).value.present());
    CHECK(per_second(at.ask(7, 11)) == Approx(1));
}

TEST_CASE("a namespace that nobody asks for is forgotten") {
    Spaces at;
    at.write(10, 100);
    (void)at.ask(7, 10);
    at.spaces.end_tick();
    at.spaces.end_tick();
    at.now += 5s;
    CHECK(at.ask(7, 10).value.absent().reason == Absence::not_observed);
}

#include "observe/host_network.h"

#include "catch.h"
#include "fake_host.h"
#include "observe/net_tables.h"

using namespace gotuned;
using namespace std::chrono_literals;

namespace {

constexpr MonoTime start{1h};
constexpr std::string_view netstat =
    "TcpExt: SyncookiesSent ListenOverflows ListenDrops TCPReqQFullDrop\n"
    "TcpExt: 1 20 30 4\n"
    "IpExt: InNoRoutes\n"
    "IpExt: 7\n";

struct Net {
    FakeHost host{};
    HostNetwork network{};
    Net() {
        host.tree.write("proc/net/netstat", netstat);
        host.tree.write("proc/net/sockstat",
                        "sockets: used 14\nTCP: inuse 1 orphan 0 tw 59 alloc 1 mem 400\nUDP: inuse 0 mem 0\n");
        host.tree.write("proc/sys/net/ipv4/tcp_mem", "100\t200\t1600\n");
        host.tree.write("proc/sys/net/netfilter/nf_conntrack_count", "30\n");
        host.tree.write("proc/sys/net/netfilter/nf_conntrack_max", "120\n");
    }
    SignalTable read(MonoTime at = start) {
        SignalTable table;
        network.read(table, host.roots(), at);
        return table;
    }
};
Quantity quantity(const SignalTable& table, Signal id) { return std::get<Quantity>(*table.get(id).value); }
Absence absence(const SignalTable& table, Signal id) { return table.get(id).value.absent().reason; }

}  // namespace

TEST_CASE("a counter of the network is found by its name, in the line of numbers behind") {
    CHECK(net_counter(netstat, "TcpExt", "ListenOverflows").value() == 20);
    CHECK(net_counter(netstat, "TcpExt", "TCPReqQFullDrop").value() == 4);
    CHECK(net_counter(netstat, "IpExt", "InNoRoutes").value() == 7);
}

TEST_CASE("a counter of the network that is missing is not supported, a torn table is malformed") {
    const auto reason = [](std::string_view text) {
        return net_counter(text, "TcpExt", "ListenOverflows").absent().reason;
    };
    CHECK(reason("") == Absence::not_supported);
    CHECK(reason("TcpExt: Other\nTcpExt: 1\n") == Absence::not_supported);
    CHECK(reason("TcpExt: ListenOverflows\n") == Absence::malformed);
    CHECK(reason("TcpExt: Other ListenOverflows\nTcpExt: 1\n") == Absence::malformed);
    CHECK(reason("TcpExt: ListenOverflows\nTcpExt: -3\n") == Absence::malformed);
}

TEST_CASE("sockets are told by protocol and name") {
    constexpr std::string_view text = "TCP: inuse 5 orphan 0 tw 3 alloc 7 mem 1\nUDP: inuse 2 mem\n";
    CHECK(socket_number(text, "TCP", "tw").value() == 3);
    CHECK(socket_number(text, "UDP", "inuse").value() == 2);
    CHECK(socket_number(text, "UDP", "mem").absent().reason == Absence::not_supported);
    CHECK(socket_number(text, "RAW", "inuse").absent().reason == Absence::not_supported);
    CHECK(socket_number("TCP: tw x\n", "TCP", "tw").absent().reason == Absence::malformed);
}

TEST_CASE("drops are rates from the second reading on, sockets and shares are there at once") {
    Net net;
    const SignalTable first = net.read();
    CHECK(absence(first, Signal::host_tcp_listen_overflow) == Absence::not_observed);
    CHECK(quantity(first, Signal::host_tcp_timewait) == count(59));
    CHECK(quantity(first, Signal::host_tcp_memory) == ratio(0.25));
    CHECK(quantity(first, Signal::host_conntrack_used) == ratio(0.25));
    net.host.tree.write("proc/net/netstat", "TcpExt: ListenOverflows TCPReqQFullDrop\nTcpExt: 30 14\n");
    const SignalTable second = net.read(start + 5s);
    CHECK(quantity(second, Signal::host_tcp_listen_overflow) == rate(2));
    CHECK(quantity(second, Signal::host_tcp_syn_drop) == rate(2));
}

TEST_CASE("without connection tracking its share is not supported, and a limit of 0 has no share") {
    Net net;
    net.host.tree.remove("proc/sys/net/netfilter");
    CHECK(absence(net.read(), Signal::host_conntrack_used) == Absence::not_supported);
    net.host.tree.write("proc/sys/net/ipv4/tcp_mem", "0\t0\t0\n");
    CHECK(absence(net.read(), Signal::host_tcp_memory) == Absence::no_data);
    net.host.tree.write("proc/sys/net/ipv4/tcp_mem", "0\n");
    CHECK(absence(net.read(), Signal::host_tcp_memory) == Absence::malformed);
}

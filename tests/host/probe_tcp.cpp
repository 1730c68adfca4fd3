// TCP of a process against programs that know what they did, the kernel's own tables and TCP_INFO (tcp(7)).
#include <fcntl.h>
#include <linux/tcp.h>  // netinet/tcp.h lacks the newer fields of tcp_info
#include <net/if.h>
#include <sys/ioctl.h>

#include <cmath>
#include <sstream>
#include <thread>
#include <vector>

#include "loopback.h"
#include "probe_child.h"

using namespace gotuned;
using namespace std::chrono_literals;

namespace {

std::unique_ptr<Probes> load_tcp() { return load_probes_with({"inet_sock_set_state"}); }

SlotDelta::Tcp tcp_of(Probes& probes, const ProcessId& id) {
    (void)probes.sweep_sockets(MonoClock::now());
    const SlotDelta delta = probes.take(id, MonoClock::now());
    REQUIRE(delta.tcp_observed == delta.elapsed);
    return delta.tcp;
}

void check_no_drops(const Probes& probes) {
    for (const auto& drop : probes.drops())
        if (drop.probe == "net" || drop.probe == "tcp") CHECK(drop.count == 0);
}

/// Sockets of a local port in a state, as /proc/net/tcp has them (proc(5)).
int sockets_in(std::uint16_t port, int state) {
    const auto text = read_file("/proc/net/tcp", 16U << 20U);
    REQUIRE(text);
    std::istringstream lines(*text);
    std::string line;
    int found = 0;
    while (std::getline(lines, line)) {
        unsigned local = 0, is = 0;
        if (std::sscanf(line.c_str(), " %*d: %*8x:%x %*8x:%*x %x", &local, &is) == 2 && local == port &&
            static_cast<int>(is) == state)
            ++found;
    }
    return found;
}

/// A child and what it says of its sockets.
struct Talk : Steps {
    std::atomic<int> port{0};
    std::atomic<int> amount{0};
    std::atomic<std::uint64_t> ns{0};
    tcp_info info{};
};

tcp_info info_of(int socket) {
    tcp_info info{};
    socklen_t size = sizeof info;
    ::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size);
    return info;
}

/// Closes so that the peer gets a reset.
void abort_connection(int socket) {
    const linger now{1, 0};
    ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    ::close(socket);
}

/// Listens, takes `amount` connections, and closes them all when told.
void serve(Talk& talk, bool listen_first) {
    if (!listen_first) talk.stop_at(1);
    const int listener = listening();
    talk.port = port_of(listener);
    if (listen_first) talk.stop_at(1);
    std::vector<int> connections;
    talk.stop_at(2);
    while (static_cast<int>(connections.size()) < talk.amount)
        connections.push_back(::accept(listener, nullptr, nullptr));
    talk.stop_at(3);
    for (const int connection : connections) ::close(connection);
    talk.stop_at(4);
}

std::uint16_t await_port(Child<Talk>& child) {
    while (child->port == 0) ::usleep(200);
    return static_cast<std::uint16_t>(child->port.load());
}

std::vector<int> connect_all(std::uint16_t port, int amount) {
    std::vector<int> sockets;
    for (int i = 0; i < amount; ++i) sockets.push_back(connected(port));
    for (const int socket : sockets) REQUIRE(socket >= 0);
    return sockets;
}

}  // namespace

TEST_CASE("connections are counted in full also where arrivals at sockets are seen for a part of the time only") {
    Child<Talk> child([](Talk& talk) { serve(talk, false); });
    const auto probes = load_tcp();  // after the fork: the child would inherit the links and keep them attached
    child->await(1);
    REQUIRE(probes->watch(child.id()));
    child->pass(1);
    const std::uint16_t port = await_port(child);
    child->amount = 9;
    probes->pause(PartTime::sockets);
    std::vector<int> sockets = connect_all(port, 3);
    probes->resume(PartTime::sockets);
    for (const int socket : connect_all(port, 3)) sockets.push_back(socket);
    probes->pause(PartTime::sockets);
    for (const int socket : connect_all(port, 3)) sockets.push_back(socket);
    child->pass(2);
    child->await(3);
    CHECK(tcp_of(*probes, child.id()).established == 9);
    child->pass(3);
    child->await(4);
    for (const int socket : sockets) ::close(socket);
    SlotDelta::Tcp tcp = tcp_of(*probes, child.id());
    CHECK(tcp.ended == 9);
    CHECK(tcp.ended_here == 9);
    probes->resume(PartTime::sockets);
    tcp.lifetime.add(tcp_of(*probes, child.id()).lifetime);
    CHECK(tcp.lifetime.count() == 9);
    child->pass(4);
    check_no_drops(*probes);
}

TEST_CASE("connections of a server are counted as they begin, as they are and as they end") {
    const auto probes = load_tcp();
    Child<Talk> child([](Talk& talk) { serve(talk, false); });
    child->await(1);
    REQUIRE(probes->watch(child.id()));
    child->pass(1);
    const std::uint16_t port = await_port(child);
    child->amount = 7;
    const std::vector<int> sockets = connect_all(port, 7);
    child->pass(2);
    child->await(3);
    const MonoTime open = MonoClock::now();
    for (int i = 0; i < 3; ++i) ::close(sockets[static_cast<std::size_t>(i)]);
    SlotDelta::Tcp tcp = tcp_of(*probes, child.id());
    CHECK(tcp.established == 7);
    REQUIRE(tcp.now);
    CHECK(tcp.now->open == 7);
    CHECK(tcp.now->close_wait == 3);
    CHECK(sockets_in(port, 8) == 3);  // CLOSE_WAIT
    CHECK(tcp.now->stale == 0);
    CHECK(tcp.connect_time.count() == 0);  // it connected to nobody
    CHECK(tcp.ended == 3);
    CHECK(tcp.ended_here == 0);
    std::this_thread::sleep_for(30ms);
    child->pass(3);
    child->await(4);
    for (std::size_t i = 3; i < 7; ++i) ::close(sockets[i]);
    std::this_thread::sleep_for(20ms);
    tcp = tcp_of(*probes, child.id());
    CHECK(tcp.now->open == 0);
    CHECK(tcp.ended == 4);
    CHECK(tcp.ended_here == 4);
    CHECK(tcp.lifetime.count() == 7);
    CHECK(tcp.lifetime.max >= 0.03);
    CHECK(tcp.lifetime.max <= seconds(MonoClock::now() - open) + 1);
    CHECK(tcp.time_waits == 4);
    CHECK(sockets_in(port, 6) == 4);  // TIME_WAIT
    child->pass(4);
    check_no_drops(*probes);
}

TEST_CASE("what was there before is found by the sweep, and so is what its listener takes later") {
    const auto probes = load_tcp();
    Child<Talk> child([](Talk& talk) {
        serve(talk, true);
        talk.amount = 0;
    });
    const std::uint16_t port = await_port(child);
    child->amount = 5;
    const std::vector<int> sockets = connect_all(port, 5);
    child->pass(2);
    child->await(3);
    REQUIRE(probes->watch(child.id()));
    CHECK_FALSE(probes->take(child.id(), MonoClock::now()).tcp.now);  // nobody has looked yet
    SlotDelta::Tcp tcp = tcp_of(*probes, child.id());
    REQUIRE(tcp.now);
    CHECK(tcp.now->open == 5);
    CHECK(tcp.established == 0);
    REQUIRE(tcp.sent);
    CHECK(tcp.sent->segments == 0);  // theirs were sent before
    const int later = connected(port);
    REQUIRE(later >= 0);
    child->pass(3);
    child->await(4);
    for (const int socket : sockets) ::close(socket);
    std::this_thread::sleep_for(20ms);
    tcp = tcp_of(*probes, child.id());
    CHECK(tcp.established == 1);
    CHECK(tcp.ended == 5);
    CHECK(tcp.lifetime.count() == 0);  // nobody saw them begin
    CHECK(tcp.sent->segments >= 5);
    ::close(later);
    child->pass(4);
}

TEST_CASE("a socket with two descriptors is one connection") {
    const auto probes = load_tcp();
    const int listener = listening();
    const std::uint16_t port = port_of(listener);
    Child<Talk> child([port](Talk& talk) {
        talk.stop_at(1);
        const int socket = connected(port);
        (void)!::dup(socket);
        (void)!::dup(socket);
        talk.stop_at(2);
    });
    child->await(1);
    REQUIRE(probes->watch(child.id()));
    child->pass(1);
    child->await(2);
    CHECK(tcp_of(*probes, child.id()).now->open == 1);
    child->pass(2);
    ::close(listener);
}

TEST_CASE("connects succeed, fail or are given up") {
    const auto probes = load_tcp();
    const int listener = listening();
    const std::uint16_t port = port_of(listener);
    const int full = listening(0);
    const std::uint16_t full_port = port_of(full);
    const int first = connected(full_port);  // fills the queue of one: who comes now is not answered
    const int closed = bound(SOCK_STREAM);
    const std::uint16_t closed_port = port_of(closed);
    Child<Talk> child([=](Talk& talk) {
        ::close(first);  // the parent's
        talk.stop_at(1);
        for (int i = 0; i < 5; ++i) (void)connected(port);
        for (int i = 0; i < 3; ++i) (void)connected(closed_port);
        for (int i = 0; i < 2; ++i) {
            const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
            const sockaddr_in address = loopback(full_port);
            ::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address);
            ::usleep(1000);
            ::close(socket);
        }
        talk.stop_at(2);
        const std::uint64_t before = monotonic_ns();
        const int slow = connected(full_port);
        talk.ns = monotonic_ns() - before;
        talk.info = info_of(slow);
        talk.stop_at(3);
    });
    child->await(1);
    REQUIRE(probes->watch(child.id()));
    child->pass(1);
    child->await(2);
    SlotDelta::Tcp tcp = tcp_of(*probes, child.id());
    CHECK(tcp.connect_time.count() == 5);
    CHECK(tcp.established == 5);
    CHECK(tcp.connects_failed == 3);
    CHECK(tcp.resets == 0);
    CHECK(tcp.now->open == 5);
    child->pass(2);
    std::this_thread::sleep_for(300ms);
    ::close(::accept(full, nullptr, nullptr));  // room: the SYN that is sent again after a second finds it
    child->await(3);
    tcp = tcp_of(*probes, child.id());
    REQUIRE(tcp.connect_time.count() == 1);
    INFO("the child measured " << child->ns.load());
    const double measured = static_cast<double>(child->ns.load()) * 1e-9;  // until it ran again
    CHECK(tcp.connect_time.max <= measured);
    CHECK(tcp.connect_time.max >= measured / 2);
    REQUIRE(tcp.sent);
    CHECK(child->info.tcpi_total_retrans >= 1);
    CHECK(tcp.sent->retransmitted == child->info.tcpi_total_retrans);
    CHECK(tcp.sent->segments == child->info.tcpi_segs_out);
    child->pass(3);
    for (const int socket : {listener, full, first, closed}) ::close(socket);
    check_no_drops(*probes);
}

TEST_CASE("resets that come are counted, and who aborts has ended the connection") {
    const auto probes = load_tcp();
    Child<Talk> child([](Talk& talk) {
        talk.stop_at(1);
        const int listener = listening();
        talk.port = port_of(listener);
        std::array<int, 5> connections{};
        for (int& connection : connections) connection = ::accept(listener, nullptr, nullptr);
        talk.stop_at(2);
        abort_connection(connections[3]);
        abort_connection(connections[4]);
        talk.stop_at(3);
    });
    child->await(1);
    REQUIRE(probes->watch(child.id()));
    child->pass(1);
    const std::vector<int> sockets = connect_all(await_port(child), 5);
    child->await(2);
    for (std::size_t i = 0; i < 3; ++i) abort_connection(sockets[i]);
    SlotDelta::Tcp tcp = tcp_of(*probes, child.id());
    CHECK(tcp.resets == 3);
    CHECK(tcp.ended == 3);
    CHECK(tcp.ended_here == 0);
    child->pass(2);
    child->await(3);
    tcp = tcp_of(*probes, child.id());
    CHECK(tcp.resets == 0);
    CHECK(tcp.ended == 2);
    CHECK(tcp.ended_here == 2);
    CHECK(tcp.time_waits == 0);
    child->pass(3);
    ::close(sockets[3]);
    ::close(sockets[4]);
}

TEST_CASE("what was sent and sent again is what the sockets themselves count") {
    const auto probes = load_tcp();
    Child<Talk> child([](Talk& talk) {
        talk.stop_at(1);
        std::array<char, 512> buffer{};
        const int listener = listening();
        const int client = connected(port_of(listener));
        const int server = ::accept(listener, nullptr, nullptr);
        for (int i = 0; i < 200; ++i) {
            (void)!::send(client, buffer.data(), buffer.size(), 0);
            (void)!::recv(server, buffer.data(), buffer.size(), MSG_WAITALL);
        }
        ::usleep(100'000);  // late acknowledgements
        talk.amount = static_cast<int>(info_of(client).tcpi_segs_out + info_of(server).tcpi_segs_out);
        talk.stop_at(2);
        ::close(client);
        ::close(server);
        talk.stop_at(3);
    });
    child->await(1);
    REQUIRE(probes->watch(child.id()));
    child->pass(1);
    child->await(2);
    SlotDelta::Tcp tcp = tcp_of(*probes, child.id());
    REQUIRE(tcp.sent);
    CHECK(child->amount > 200);
    CHECK(tcp.sent->segments == static_cast<std::uint64_t>(child->amount.load()));
    CHECK(tcp.sent->retransmitted == 0);
    CHECK(tcp.sent->over > Duration::zero());
    CHECK_FALSE(probes->take(child.id(), MonoClock::now()).tcp.sent);  // no sweep since
    child->pass(2);
    child->await(3);
    tcp = tcp_of(*probes, child.id());
    CHECK(tcp.sent->segments >= 2);  // the ends of both
    CHECK(tcp.sent->segments <= 4);
    child->pass(3);
}

TEST_CASE("a connection whose peer does not answer any more is stale, in whichever network namespace") {
    const auto probes = load_tcp();
    Child<Talk> child([](Talk& talk) {
        if (::unshare(CLONE_NEWNET) != 0) ::_exit(77);
        const auto set_loopback = [](bool up) {
            const int socket = ::socket(AF_INET, SOCK_DGRAM, 0);
            ifreq request{};
            std::snprintf(request.ifr_name, sizeof request.ifr_name, "lo");
            request.ifr_flags = static_cast<short>(up ? IFF_UP | IFF_RUNNING : 0);
            ::ioctl(socket, SIOCSIFFLAGS, &request);
            ::close(socket);
        };
        set_loopback(true);
        talk.stop_at(1);
        const int listener = listening();
        const int client = connected(port_of(listener));
        (void)::accept(listener, nullptr, nullptr);
        talk.stop_at(2);
        set_loopback(false);
        (void)!::send(client, "anybody?", 8, 0);
        while (info_of(client).tcpi_retransmits == 0) ::usleep(10'000);
        talk.stop_at(3);
    });
    child->await(1);
    REQUIRE(probes->watch(child.id()));
    child->pass(1);
    child->await(2);
    SlotDelta::Tcp tcp = tcp_of(*probes, child.id());
    CHECK(tcp.now->open == 2);
    CHECK(tcp.now->stale == 0);
    child->pass(2);
    child->await(3);
    tcp = tcp_of(*probes, child.id());
    CHECK(tcp.now->open == 2);
    CHECK(tcp.now->stale == 1);
    child->pass(3);
}

TEST_CASE("a storm of connections is counted to the last one, and leaves nothing behind") {
    constexpr int storm = 3000;
    const auto probes = load_tcp();
    Child<Talk> child([](Talk& talk) {
        talk.stop_at(1);
        const int listener = listening(1024);
        talk.port = port_of(listener);
        for (int i = 0; i < storm; ++i) {
            const int connection = ::accept(listener, nullptr, nullptr);
            char byte = 0;
            (void)!::read(connection, &byte, 1);
            ::close(connection);
        }
        talk.stop_at(2);
    });
    child->await(1);
    REQUIRE(probes->watch(child.id()));
    child->pass(1);
    const std::uint16_t port = await_port(child);
    for (int i = 0; i < storm; ++i) {
        const int socket = connected(port);
        REQUIRE(socket >= 0);
        REQUIRE(::send(socket, "x", 1, 0) == 1);
        abort_connection(socket);
    }
    child->await(2);
    (void)probes->sweep_sockets(MonoClock::now());
    const SlotDelta delta = probes->take(child.id(), MonoClock::now());
    CHECK(delta.tcp.established == storm);
    CHECK(delta.tcp.ended == storm);
    // Whoever was faster; a reset may still come to a connection that ended here.
    CHECK(delta.tcp.resets <= storm);
    CHECK(delta.tcp.resets + delta.tcp.ended_here >= storm);
    CHECK(delta.tcp.lifetime.count() == storm);
    CHECK(delta.tcp.now->open == 0);
    CHECK(delta.netpoll_wait.count() <= storm);
    child->pass(2);
    check_no_drops(*probes);
}

TEST_CASE("connections of a neighbour that is not watched are nobody's") {
    const auto probes = load_tcp();
    Child<Talk> neighbour([](Talk& talk) { serve(talk, true); });
    Child<Talk> watched([](Talk& talk) { serve(talk, true); });
    const std::uint16_t port = await_port(neighbour);
    (void)await_port(watched);
    REQUIRE(probes->watch(watched.id()));
    neighbour->amount = 4;
    const std::vector<int> sockets = connect_all(port, 4);
    neighbour->pass(3);
    neighbour->await(4);
    for (const int socket : sockets) ::close(socket);
    const SlotDelta::Tcp tcp = tcp_of(*probes, watched.id());
    CHECK(tcp.established == 0);
    CHECK(tcp.ended == 0);
    CHECK(tcp.now->open == 0);
    CHECK(tcp.sent->segments == 0);
}

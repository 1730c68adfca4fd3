// What the kernel counts by network namespace, against a process that knows how many of its datagrams were lost.
#include <net/if.h>
#include <sys/ioctl.h>

#include "loopback.h"
#include "observe/net_namespaces.h"
#include "probe_child.h"

using namespace gotuned;
using namespace std::chrono_literals;

TEST_CASE("datagrams that a full buffer lost are counted, in the namespace where it happened") {
    constexpr int sent = 500;
    struct Lost : Steps {
        std::atomic<int> received{0};
    };
    Child<Lost> child([](Lost& lost) {
        if (::unshare(CLONE_NEWNET) != 0) ::_exit(77);
        ifreq request{};
        std::snprintf(request.ifr_name, sizeof request.ifr_name, "lo");
        request.ifr_flags = IFF_UP;
        const int any = ::socket(AF_INET, SOCK_DGRAM, 0);
        ::ioctl(any, SIOCSIFFLAGS, &request);
        const int receiver = bound(SOCK_DGRAM);
        const int small = 4096;
        ::setsockopt(receiver, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
        const int sender = connected(port_of(receiver), SOCK_DGRAM);
        lost.stop_at(1);
        std::array<char, 512> datagram{};
        for (int i = 0; i < sent; ++i) (void)!::send(sender, datagram.data(), datagram.size(), 0);
        while (::recv(receiver, datagram.data(), datagram.size(), MSG_DONTWAIT) > 0) ++lost.received;
        lost.stop_at(2);
    });
    child->await(1);
    NetNamespaces spaces{Roots{}};
    const auto own = spaces.of(::getpid());
    const auto its = spaces.of(child.pid());
    REQUIRE(own);
    REQUIRE(its);
    REQUIRE(*own != *its);
    const MonoTime now = MonoClock::now();
    (void)spaces.udp_rcvbuf_errors(*its, child.pid(), now);
    child->pass(1);
    child->await(2);
    const SignalReading after = spaces.udp_rcvbuf_errors(*its, child.pid(), now + 10s);
    REQUIRE(after.value);
    REQUIRE(child->received < sent);
    CHECK(std::get<Quantity>(*after.value).value * 10 == Approx(sent - child->received));
    child->pass(2);
}

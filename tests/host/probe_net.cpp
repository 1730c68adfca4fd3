// netpoll.wait against programs that know when data was sent and measure themselves when they read it.
#include <fcntl.h>
#include <sys/un.h>

#include <cstring>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "loopback.h"
#include "paths.h"
#include "probe_child.h"

using namespace gotuned;
using namespace std::chrono_literals;

namespace {

std::unique_ptr<Probes> load_network() { return load_probes_with({"sk_data_ready", "sock_recv_length"}); }

Distribution waits_of(Probes& probes, const ProcessId& id) { return probes.take(id, MonoClock::now()).netpoll_wait; }

/// The Go workload that measures what we measure.
class LateReader {
public:
    LateReader() {
        const std::string program = build_folder() + "/workloads/latereader";
        if (::access(program.c_str(), X_OK) != 0) {
            std::printf("SKIPPED: %s is not built\n", program.c_str());
            std::fflush(stdout);
            std::_Exit(77);
        }
        std::array<int, 2> ends{};
        REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
        pid_ = ::fork();
        if (pid_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            ::dup2(ends[1], STDOUT_FILENO);
            ::execl(program.c_str(), program.c_str(), "-listen", "127.0.0.1:0", nullptr);
            ::_exit(127);
        }
        ::close(ends[1]);
        lines_ = ends[0];
        const std::string ready = line();
        const auto place = ready.find("127.0.0.1:");
        REQUIRE(place != std::string::npos);
        port_ = static_cast<std::uint16_t>(std::strtoul(ready.c_str() + place + 10, nullptr, 10));
    }
    LateReader(const LateReader&) = delete;
    LateReader& operator=(const LateReader&) = delete;
    ~LateReader() {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        ::close(lines_);
    }
    [[nodiscard]] ProcessId id() const { return {pid_, 1, 1}; }
    [[nodiscard]] std::uint16_t port() const { return port_; }

    /// What it measured of the connection that was closed.
    Distribution measured() {
        const std::string text = line();
        INFO(text);
        auto place = text.find("\"ns\":[");
        REQUIRE(place != std::string::npos);
        Distribution waits;
        const char* next = text.c_str() + place + 6;
        while (*next != ']') {
            char* end = nullptr;
            waits.record(std::chrono::nanoseconds(std::strtoll(next, &end, 10)));
            REQUIRE(end != next);
            next = *end == ',' ? end + 1 : end;
        }
        return waits;
    }

private:
    std::string line() const {
        std::string text;
        char byte = 0;
        while (::read(lines_, &byte, 1) == 1 && byte != '\n') text.push_back(byte);
        return text;
    }
    pid_t pid_ = 0;
    int lines_ = -1;
    std::uint16_t port_ = 0;
};

/// One connection with a message for each pause, after which the server leaves the connection alone.
void send_messages(std::uint16_t port, const std::vector<std::chrono::microseconds>& pauses, Duration between = 0s) {
    const int socket = connected(port);
    REQUIRE(socket >= 0);
    for (const auto pause : pauses) {
        std::array<std::uint64_t, 2> message{0, static_cast<std::uint64_t>(pause.count())};
        message[0] = monotonic_ns();
        REQUIRE(::send(socket, message.data(), sizeof message, MSG_NOSIGNAL) == sizeof message);
        char answer = 0;
        REQUIRE(::recv(socket, &answer, 1, 0) == 1);
        if (between > 0s) std::this_thread::sleep_for(between);
    }
    ::close(socket);
}

}  // namespace

TEST_CASE("what a Go server leaves lying waits as long as the server itself measures") {
    const auto probes = load_network();
    for (const auto pause : {200us, 1000us, 5000us, 30000us}) {
        LateReader server;
        REQUIRE(probes->watch(server.id()));
        // The first message of a connection meets a reader that waits for it, the others one that is late.
        send_messages(server.port(), std::vector<std::chrono::microseconds>(101, pause));
        const Distribution truth = server.measured();
        const Distribution seen = waits_of(*probes, server.id());
        INFO("pause " << pause.count() << " us: p50 " << *seen.quantile(0.5) << " s, itself " << *truth.quantile(0.5));
        REQUIRE(truth.count() == 101);
        // The listener was there before it was watched, so its first connection is known from its first read on.
        require_nearly_all(seen.count(), truth.count());
        CHECK(seen.count() >= truth.count() - 1);
        require_same_within_a_bucket(seen, truth);
        // It measures from before the sending until after the read: a little more than we.
        CHECK(seen.sum <= truth.sum);
        CHECK(seen.max <= truth.max);
        (void)probes->unwatch(server.id());
    }
}

TEST_CASE("a server that was there before is known from its first connection's first byte on after a sweep") {
    const auto probes = load_network();
    LateReader server;
    REQUIRE(probes->watch(server.id()));
    (void)probes->sweep_sockets(MonoClock::now());
    send_messages(server.port(), std::vector<std::chrono::microseconds>(21, 500us));
    REQUIRE(server.measured().count() == 21);
    CHECK(waits_of(*probes, server.id()).count() == 21);
}

TEST_CASE("what a Go server waits for in the netpoller waits as long as the server itself measures") {
    const auto probes = load_network();
    LateReader server;
    REQUIRE(probes->watch(server.id()));
    send_messages(server.port(), std::vector<std::chrono::microseconds>(301, 0us), 1ms);
    const Distribution truth = server.measured();
    const Distribution seen = waits_of(*probes, server.id());
    INFO("p50 " << *seen.quantile(0.5) << " s, itself " << *truth.quantile(0.5));
    require_nearly_all(seen.count(), truth.count());
    require_same_within_a_bucket(seen, truth);
}

TEST_CASE("a neighbour that is not watched counts nothing, nor does one that is not watched any more") {
    const auto probes = load_network();
    LateReader watched;
    LateReader neighbour;
    REQUIRE(probes->watch(watched.id()));
    send_messages(neighbour.port(), std::vector<std::chrono::microseconds>(50, 500us));
    CHECK(neighbour.measured().count() == 50);
    CHECK(waits_of(*probes, watched.id()).count() == 0);
    send_messages(watched.port(), std::vector<std::chrono::microseconds>(50, 500us));
    (void)watched.measured();
    CHECK(waits_of(*probes, watched.id()).count() >= 49);
    (void)probes->unwatch(watched.id());
    REQUIRE(probes->watch(neighbour.id()));
    send_messages(watched.port(), std::vector<std::chrono::microseconds>(50, 500us));
    (void)watched.measured();
    CHECK(waits_of(*probes, neighbour.id()).count() == 0);
}

namespace {

/// A child that serves one connection of a listener that it made itself, while it was watched already.
struct Conversation : Steps {
    std::atomic<int> port{0};
};

/// Watches the child, which stops at 1 before it listens, and connects to it.
int talk_to(Child<Conversation>& child, Probes& probes) {
    child->await(1);
    REQUIRE(probes.watch(child.id()));
    child->pass(1);
    while (child->port == 0) ::usleep(200);
    const int socket = connected(static_cast<std::uint16_t>(child->port.load()));
    REQUIRE(socket >= 0);
    return socket;
}

}  // namespace

TEST_CASE("the first bytes of a connection wait from their arrival on, accepted or not") {
    const auto probes = load_network();
    Child<Conversation> child([](Conversation& talk) {
        talk.stop_at(1);
        const int listener = listening();
        talk.port = port_of(listener);
        talk.stop_at(2);
        char byte = 0;
        const int connection = ::accept(listener, nullptr, nullptr);
        (void)!::read(connection, &byte, 1);
        talk.stop_at(3);
    });
    child->await(1);
    REQUIRE(probes->watch(child.id()));
    child->pass(1);
    child->await(2);
    const int socket = connected(static_cast<std::uint16_t>(child->port.load()));
    REQUIRE(socket >= 0);
    const std::uint64_t sent = monotonic_ns();
    REQUIRE(::send(socket, "x", 1, 0) == 1);
    std::this_thread::sleep_for(40ms);
    child->pass(2);
    child->await(3);
    const double most = static_cast<double>(monotonic_ns() - sent) * 1e-9;
    const Distribution seen = waits_of(*probes, child.id());
    REQUIRE(seen.count() == 1);
    CHECK(seen.max >= 0.04);
    CHECK(seen.max <= most);
    child->pass(3);
    ::close(socket);
}

TEST_CASE("a read that takes a part ends the wait of what it began with, and the rest is no new arrival") {
    const auto probes = load_network();
    Child<Conversation> child([](Conversation& talk) {
        std::array<char, 64> buffer{};
        talk.stop_at(1);
        const int listener = listening();
        talk.port = port_of(listener);
        const int connection = ::accept(listener, nullptr, nullptr);
        talk.stop_at(2);
        (void)!::read(connection, buffer.data(), 4);  // 4 of 10
        talk.stop_at(3);
        (void)!::recv(connection, buffer.data(), 4, MSG_PEEK);  // a look takes nothing
        (void)!::read(connection, buffer.data(), 3);            // 7 of 10
        talk.stop_at(4);
        (void)!::read(connection, buffer.data(), 3);  // the last of 10, though more has come
        talk.stop_at(5);
        (void)!::read(connection, buffer.data(), 1);  // the first of what came later
        talk.stop_at(6);
    });
    const int socket = talk_to(child, *probes);
    child->await(2);
    REQUIRE(::send(socket, "0123456789", 10, 0) == 10);
    std::this_thread::sleep_for(10ms);
    child->pass(2);
    child->await(3);
    Distribution seen = waits_of(*probes, child.id());
    REQUIRE(seen.count() == 1);
    CHECK(seen.max >= 0.01);
    child->pass(3);
    child->await(4);
    CHECK(waits_of(*probes, child.id()).count() == 0);
    const std::uint64_t sent = monotonic_ns();
    REQUIRE(::send(socket, "later", 5, 0) == 5);
    std::this_thread::sleep_for(10ms);
    child->pass(4);
    child->await(5);
    CHECK(waits_of(*probes, child.id()).count() == 0);
    std::this_thread::sleep_for(10ms);
    child->pass(5);
    child->await(6);
    seen = waits_of(*probes, child.id());
    REQUIRE(seen.count() == 1);
    CHECK(seen.max >= 0.02);
    CHECK(seen.max <= static_cast<double>(monotonic_ns() - sent) * 1e-9);
    child->pass(6);
    ::close(socket);
}

TEST_CASE("what went by splice leaves no stale stamp behind") {
    const auto probes = load_network();
    Child<Conversation> child([](Conversation& talk) {
        std::array<char, 64> buffer{};
        std::array<int, 2> pipe{};
        (void)!::pipe(pipe.data());
        talk.stop_at(1);
        const int listener = listening();
        talk.port = port_of(listener);
        const int connection = ::accept(listener, nullptr, nullptr);
        talk.stop_at(2);
        for (int i = 0; i < 2; ++i) {
            (void)!::splice(connection, nullptr, pipe[1], nullptr, 64, 0);
            talk.stop_at(3 + i);
        }
        (void)!::read(connection, buffer.data(), buffer.size());
        talk.stop_at(5);
    });
    const int socket = talk_to(child, *probes);
    for (int step = 2; step < 4; ++step) {
        child->await(step);
        REQUIRE(::send(socket, "0123456789", 10, 0) == 10);
        std::this_thread::sleep_for(20ms);
        child->pass(step);
    }
    child->await(4);
    CHECK(waits_of(*probes, child.id()).count() == 0);
    const std::uint64_t sent = monotonic_ns();
    REQUIRE(::send(socket, "read", 4, 0) == 4);
    child->pass(4);
    child->await(5);
    const double most = static_cast<double>(monotonic_ns() - sent) * 1e-9;
    const Distribution seen = waits_of(*probes, child.id());
    REQUIRE(seen.count() == 1);
    CHECK(seen.max <= most);
    child->pass(5);
    ::close(socket);
}

TEST_CASE("what waits while nobody looks waits all the time, and what is read then is void") {
    Child<Conversation> child([](Conversation& talk) {
        std::array<char, 64> buffer{};
        talk.stop_at(1);
        const int listener = listening();
        talk.port = port_of(listener);
        const int connection = ::accept(listener, nullptr, nullptr);
        for (int step = 2; step < 6; ++step) {
            talk.stop_at(step);
            (void)!::read(connection, buffer.data(), buffer.size());
        }
        talk.stop_at(6);
    });
    const auto probes = load_network();  // after the fork: the child would inherit the links and keep them attached
    const int socket = talk_to(child, *probes);
    child->await(2);

    REQUIRE(::send(socket, "seen", 4, 0) == 4);
    probes->pause(PartTime::sockets);
    std::this_thread::sleep_for(20ms);
    probes->resume(PartTime::sockets);
    child->pass(2);
    child->await(3);
    SlotDelta delta = probes->take(child.id(), MonoClock::now());
    REQUIRE(delta.netpoll_wait.count() == 1);
    CHECK(delta.netpoll_wait.max >= 0.02);
    CHECK(delta.network_observed < delta.elapsed);
    CHECK(delta.scheduler_observed == delta.elapsed);

    REQUIRE(::send(socket, "seen", 4, 0) == 4);
    probes->pause(PartTime::sockets);
    child->pass(3);
    child->await(4);  // read, and nobody looked
    REQUIRE(::send(socket, "unseen", 6, 0) == 6);
    std::this_thread::sleep_for(20ms);
    probes->resume(PartTime::sockets);
    const std::uint64_t sent = monotonic_ns();
    REQUIRE(::send(socket, "seen", 4, 0) == 4);
    child->pass(4);
    child->await(5);
    const double most = static_cast<double>(monotonic_ns() - sent) * 1e-9;
    Distribution seen = waits_of(*probes, child.id());
    CHECK(seen.count() == 1);
    CHECK(seen.max <= most);

    REQUIRE(::send(socket, "seen", 4, 0) == 4);
    child->pass(5);
    child->await(6);
    CHECK(waits_of(*probes, child.id()).count() == 1);
    child->pass(6);
    ::close(socket);
}

TEST_CASE("datagrams wait one by one, and Unix streams until they are read") {
    const auto probes = load_network();
    std::array<int, 2> pair{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair.data()) == 0);
    REQUIRE(::write(pair[1], "x", 1) == 1);
    Child<Conversation> child([&pair](Conversation& talk) {
        std::array<char, 64> buffer{};
        const int datagrams = bound(SOCK_DGRAM);
        talk.port = port_of(datagrams);
        talk.stop_at(1);
        (void)!::recv(datagrams, buffer.data(), buffer.size(), MSG_DONTWAIT);  // nothing: now they are known
        (void)!::read(pair[0], buffer.data(), 1);
        talk.stop_at(2);
        (void)!::recv(datagrams, buffer.data(), buffer.size(), 0);  // the first of two
        talk.stop_at(3);
        (void)!::recv(datagrams, buffer.data(), buffer.size(), 0);  // the second: not followed
        talk.stop_at(4);
        (void)!::recv(datagrams, buffer.data(), buffer.size(), MSG_DONTWAIT);
        talk.stop_at(5);
        (void)!::read(pair[0], buffer.data(), buffer.size());
        talk.stop_at(6);
    });
    child->await(1);
    REQUIRE(probes->watch(child.id()));
    child->pass(1);
    child->await(2);
    const int socket = connected(static_cast<std::uint16_t>(child->port.load()), SOCK_DGRAM);
    for (int i = 0; i < 2; ++i) {
        REQUIRE(::send(socket, "datagram", 8, 0) == 8);
        std::this_thread::sleep_for(10ms);
    }
    child->pass(2);
    child->await(3);
    Distribution seen = waits_of(*probes, child.id());
    REQUIRE(seen.count() == 1);
    CHECK(seen.max >= 0.02);
    child->pass(3);
    child->await(4);
    CHECK(waits_of(*probes, child.id()).count() == 0);
    child->pass(4);
    child->await(5);
    REQUIRE(::write(pair[1], "stream", 6) == 6);
    std::this_thread::sleep_for(10ms);
    child->pass(5);
    child->await(6);
    seen = waits_of(*probes, child.id());
    REQUIRE(seen.count() == 1);
    CHECK(seen.max >= 0.01);
    child->pass(6);
    ::close(socket);
}

TEST_CASE("a stamp that was made before the process was watched anew is void") {
    const auto probes = load_network();
    std::array<int, 2> pair{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair.data()) == 0);
    REQUIRE(::write(pair[1], "first", 5) == 5);
    Child<Conversation> child([&pair](Conversation& talk) {
        std::array<char, 64> buffer{};
        for (int step = 1; step < 5; ++step) {
            talk.stop_at(step);
            (void)!::recv(pair[0], buffer.data(), buffer.size(), MSG_DONTWAIT);
        }
        talk.stop_at(5);
    });
    child->await(1);
    REQUIRE(probes->watch(child.id()));
    child->pass(1);
    child->await(2);  // known
    (void)probes->unwatch(child.id());
    REQUIRE(::write(pair[1], "old", 3) == 3);  // stamped, and read while nobody watches
    child->pass(2);
    child->await(3);
    REQUIRE(probes->watch(child.id()));
    REQUIRE(::write(pair[1], "new", 3) == 3);
    child->pass(3);
    child->await(4);
    CHECK(waits_of(*probes, child.id()).count() == 0);  // when it came is not known
    REQUIRE(::write(pair[1], "newer", 5) == 5);
    child->pass(4);
    child->await(5);
    CHECK(waits_of(*probes, child.id()).count() == 1);
    child->pass(5);
}

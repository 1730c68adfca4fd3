// TCP, UDP and Unix sockets on the loopback, for tests that know what passed through them.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <ctime>
#include <utility>

namespace gotuned {

inline sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
}

inline std::uint16_t port_of(int socket) {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
    return ntohs(address.sin_port);
}

/// Bound to a free port of the loopback.
inline int bound(int type) {
    const int socket = ::socket(AF_INET, type | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(0);
    ::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    return socket;
}

inline int listening(int backlog = 128) {
    const int socket = bound(SOCK_STREAM);
    ::listen(socket, backlog);
    return socket;
}

/// -1 when the connect failed.
inline int connected(std::uint16_t port, int type = SOCK_STREAM) {
    const int socket = ::socket(AF_INET, type | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(port);
    if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return socket;
    ::close(socket);
    return -1;
}

/// Sends and receives so many datagrams, each of which the host takes in a softirq. False: one was lost.
inline bool talk_to_itself(int datagrams) {
    const int receiver = bound(SOCK_DGRAM);
    const int sender = connected(port_of(receiver), SOCK_DGRAM);
    char byte = 'x';
    bool all = true;
    for (int i = 0; i < datagrams && all; ++i)
        all = ::send(sender, &byte, 1, 0) == 1 && ::recv(receiver, &byte, 1, 0) == 1;
    ::close(receiver);
    ::close(sender);
    return all;
}

inline std::uint64_t monotonic_ns() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace gotuned

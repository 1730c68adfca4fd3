#include "export/listen.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/files.h"

namespace gotuned {
namespace {

constexpr int backlog = 64;

tl::unexpected<Error> refuse(const std::string& address, int code, std::string hint = {}) {
    return fail("cannot listen on " + address, code, {}, std::move(hint));
}

/// Whether somebody accepts connections there.
bool answered(const sockaddr_un& name) {
    const Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    // EAGAIN: its backlog is full, so somebody is there.
    return ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0 || errno == EAGAIN;
}

Result<Fd> listen_unix(const std::string& address, const std::string& path, unsigned mode) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    if (path.empty() || path.front() != '/' || path.size() >= sizeof name.sun_path)
        return refuse(address, 0, "a unix socket's path is absolute and shorter than 108 bytes");
    std::memcpy(name.sun_path, path.data(), path.size());

    struct stat status{};
    if (::lstat(path.c_str(), &status) == 0) {
        if (!S_ISSOCK(status.st_mode)) return refuse(address, EEXIST, "it is not a socket");
        if (answered(name)) return refuse(address, EADDRINUSE, "another process answers there");
        ::unlink(path.c_str());
    }
    Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket.valid()) return refuse(address, errno);
    // The file gets its mode from the socket's (unix(7)) before anybody can connect.
    ::fchmod(socket.get(), mode);
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0) return refuse(address, errno);
    ::chmod(path.c_str(), mode);
    if (::listen(socket.get(), backlog) != 0) return refuse(address, errno);
    return socket;
}

struct Endpoint {
    sockaddr_storage name{};
    socklen_t size = 0;
};

/// Numbers only: a name would need a resolver, which blocks.
bool parse_endpoint(const std::string& address, Endpoint& out) {
    const std::size_t colon = address.rfind(':');
    std::uint64_t port = 0;
    if (colon == std::string::npos || !parse_u64(address.substr(colon + 1), port) || port > 65535) return false;
    std::string host = address.substr(0, colon);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
        auto* v6 = reinterpret_cast<sockaddr_in6*>(&out.name);
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(static_cast<std::uint16_t>(port));
        out.size = sizeof *v6;
        return ::inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), &v6->sin6_addr) == 1;
    }
    if (host == "localhost") host = "127.0.0.1";
    if (host.empty()) host = "0.0.0.0";
    auto* v4 = reinterpret_cast<sockaddr_in*>(&out.name);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(static_cast<std::uint16_t>(port));
    out.size = sizeof *v4;
    return ::inet_pton(AF_INET, host.c_str(), &v4->sin_addr) == 1;
}

}  // namespace

Result<Fd> listen_on(const std::string& address, unsigned unix_mode) {
    constexpr std::string_view unix_prefix = "unix:";
    if (address.starts_with(unix_prefix)) return listen_unix(address, address.substr(unix_prefix.size()), unix_mode);

    Endpoint endpoint;
    if (!parse_endpoint(address, endpoint)) return refuse(address, 0, "write 127.0.0.1:9713, [::1]:9713 or unix:/path");
    Fd socket(::socket(endpoint.name.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket.valid()) return refuse(address, errno);
    const int on = 1;
    // A restart must not wait for old connections in TIME_WAIT; and [::] must not take the IPv4 port, too.
    ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (endpoint.name.ss_family == AF_INET6) ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&endpoint.name), endpoint.size) != 0)
        return refuse(address, errno, errno == EADDRINUSE ? "another process has the port: see ss -tlnp" : "");
    if (::listen(socket.get(), backlog) != 0) return refuse(address, errno);
    return socket;
}

std::string bound_address(int socket) {
    sockaddr_storage name{};
    socklen_t size = sizeof name;
    if (::getsockname(socket, reinterpret_cast<sockaddr*>(&name), &size) != 0) return {};
    char text[INET6_ADDRSTRLEN] = "";
    if (name.ss_family == AF_INET) {
        const auto* v4 = reinterpret_cast<const sockaddr_in*>(&name);
        ::inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
        return fmt::format("{}:{}", text, ntohs(v4->sin_port));
    }
    if (name.ss_family == AF_INET6) {
        const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&name);
        ::inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
        return fmt::format("[{}]:{}", text, ntohs(v6->sin6_port));
    }
    return fmt::format("unix:{}", reinterpret_cast<const sockaddr_un*>(&name)->sun_path);
}

}  // namespace gotuned

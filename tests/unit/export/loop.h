// A real event loop and real sockets for the tests of the servers: the test is the client, in the same thread.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <functional>
#include <string>

#include "base/fd.h"

namespace gotuned::test {

class Loop {
public:
    Loop() { sd_event_new(&event_); }
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;
    ~Loop() { sd_event_unref(event_); }
    [[nodiscard]] sd_event* get() const { return event_; }
    /// Runs until it is so; generous, since the limit bounds only a failure.
    bool until(const std::function<bool()>& so, std::chrono::seconds limit = std::chrono::seconds(20)) {
        const auto end = std::chrono::steady_clock::now() + limit;
        while (!so()) {
            if (std::chrono::steady_clock::now() > end) return false;
            sd_event_run(event_, 5000);
        }
        return true;
    }
    /// Lets everything that waits be done.
    void settle() {
        while (sd_event_run(event_, 20000) > 0) {
        }
    }

private:
    sd_event* event_ = nullptr;
};

struct TemporaryFolder {
    std::filesystem::path path;
    TemporaryFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "gotuned-XXXXXX").string();
        path = ::mkdtemp(name.data());
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    ~TemporaryFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path, ignored);
    }
};

/// A connected client socket, non-blocking; "127.0.0.1:PORT", "[::1]:PORT" or "unix:/path".
inline Fd connect_to(const std::string& address) {
    sockaddr_storage name{};
    socklen_t size = 0;
    if (address.starts_with("unix:")) {
        auto* unix_name = reinterpret_cast<sockaddr_un*>(&name);
        unix_name->sun_family = AF_UNIX;
        std::strncpy(unix_name->sun_path, address.c_str() + 5, sizeof unix_name->sun_path - 1);
        size = sizeof *unix_name;
    } else if (address.starts_with("[")) {
        auto* v6 = reinterpret_cast<sockaddr_in6*>(&name);
        v6->sin6_family = AF_INET6;
        v6->sin6_addr = in6addr_loopback;
        v6->sin6_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
        size = sizeof *v6;
    } else {
        auto* v4 = reinterpret_cast<sockaddr_in*>(&name);
        v4->sin_family = AF_INET;
        v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        v4->sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
        size = sizeof *v4;
    }
    Fd fd(::socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&name), size) != 0) return {};
    ::fcntl(fd.get(), F_SETFL, O_NONBLOCK);
    return fd;
}

/// Reads what has come; true at the end of the stream.
inline bool receive(const Fd& fd, std::string& text) {
    char buffer[65536];
    for (;;) {
        const ssize_t got = ::recv(fd.get(), buffer, sizeof buffer, MSG_DONTWAIT);
        if (got == 0) return true;
        if (got < 0) return errno != EAGAIN;
        text.append(buffer, static_cast<std::size_t>(got));
    }
}

}  // namespace gotuned::test

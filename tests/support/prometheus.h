// Debian's Prometheus and promtool, unpacked or installed.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>

#include "base/fd.h"

namespace gotuned::test {

/// $GOTUNED_CACHE/prometheus/usr/bin, where scripts/test unpacks the package, or installed.
inline std::string prometheus_tool(const std::string& name) {
    const char* cache = std::getenv("GOTUNED_CACHE");
    namespace fs = std::filesystem;
    const fs::path unpacked =
        fs::path(cache == nullptr ? "/var/cache/gotuned-build" : cache) / "prometheus/usr/bin" / name;
    if (fs::exists(unpacked)) return unpacked;
    if (fs::exists("/usr/bin/" + name)) return "/usr/bin/" + name;
    std::cout << "SKIPPED: there is no " << name << " (Debian's package prometheus)\n";
    std::exit(77);
}

/// Of the loopback; another program could take it before it is used.
inline int free_port() {
    Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof name;
    ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&name), size);
    ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&name), &size);
    return ntohs(name.sin_port);
}

}  // namespace gotuned::test

#include "daemon_cost.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <thread>
#include <vector>

#include "statistics.h"

namespace gotuned::bench {
namespace {

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

}  // namespace

std::uint16_t free_port() {
    const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        return 0;
    }
    return ntohs(address.sin_port);
}

Result<std::string> ask(std::uint16_t port, const std::string& path) {
    const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in address = loopback(port);
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return fail("cannot scrape gotuned", errno);
    const std::string request = "GET " + path + " HTTP/1.0\r\nHost: localhost\r\n\r\n";
    if (::send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL) < 0)
        return fail("cannot scrape gotuned", errno);
    std::string answer;
    char buffer[65536];
    for (ssize_t got = 0; (got = ::recv(socket.get(), buffer, sizeof buffer, 0)) > 0;)
        answer.append(buffer, static_cast<std::size_t>(got));
    return answer;
}

namespace {

/// The value of a metric that has no labels.
Result<double> sample(const std::string& metrics, const std::string& name) {
    std::istringstream lines(metrics);
    for (std::string line; std::getline(lines, line);)
        if (line.starts_with(name + " ")) return std::stod(line.substr(name.size()));
    return fail("gotuned does not export " + name);
}

/// Without it the service's name would depend on the unit that the bench happens to run in.
Status write_rulebook(const std::string& folder) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    std::ofstream file(folder + "/bench.yaml");
    file << "version: 1\ntargets:\n  bench-server:\n    match: { exe: \"*/httpserver\" }\n";
    file.close();
    if (!file) return fail("cannot write the bench's rulebook", errno, folder);
    return {};
}

}  // namespace

Result<Duration> cpu_with_children(pid_t pid) {
    // Fields 14 to 17 of /proc/PID/stat.
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string text;
    std::getline(file, text);
    const std::size_t name_end = text.rfind(')');
    if (name_end == std::string::npos) return fail("gotuned has ended");
    std::istringstream fields(text.substr(name_end + 1));
    std::string skipped;
    for (int number = 3; number < 14; ++number) fields >> skipped;
    double total = 0;
    for (int number = 14; number <= 17; ++number) {
        double ticks = 0;
        fields >> ticks;
        total += ticks;
    }
    return from_seconds(total / static_cast<double>(::sysconf(_SC_CLK_TCK)));
}

Result<DaemonCost> daemon_cost(const DaemonPaths& paths, Load& load, Duration duration) {
    const std::string rulebook = paths.folder + "/rulebook.d";
    if (const Status written = write_rulebook(rulebook); !written) return fail(written.error());
    const std::uint16_t port = free_port();
    auto daemon = Child::start({paths.gotuned, "run", "--config", paths.folder + "/none.yaml", "--rulebook", rulebook,
                                "--packaged", paths.config + "/rulebook.d", "--profiles", paths.config + "/profiles",
                                "--profile", "observe", "--listen", "127.0.0.1:" + std::to_string(port), "--state-dir",
                                paths.folder + "/state", "--run-dir", paths.folder + "/run"});
    if (!daemon) return fail(daemon.error());
    // Loading, all processes at start, and what its probes cost measured a second time: the first time it is busy
    // itself.
    std::this_thread::sleep_for(std::chrono::seconds(26));
    struct Look {
        Duration daemon, server;
        double observed, sockets;
        MonoTime at;
    };
    const auto look = [&]() -> Result<Look> {
        daemon->discard_output();
        const auto own = cpu_with_children(daemon->pid());
        const auto server = load.server.cpu_time();
        if (!own || !server) return fail("gotuned or the server has ended");
        const auto metrics = ask(port, "/metrics");
        if (!metrics) return fail(metrics.error());
        const auto observed = sample(*metrics, "gotuned_syscall_observed_seconds_total");
        if (!observed) return fail(observed.error());
        const auto sockets = sample(*metrics, "gotuned_probe_sockets_ratio");
        if (!sockets) return fail(sockets.error());
        return Look{*own, *server, *observed, *sockets, MonoClock::now()};
    };
    const auto before = look();
    if (!before) return fail(before.error());
    std::vector<double> sockets{before->sockets};
    std::optional<Look> after;
    while (!after || after->at - before->at < duration) {
        std::this_thread::sleep_for(std::min<Duration>(duration, std::chrono::seconds(5)));
        const auto next = look();
        if (!next) return fail(next.error());
        after = *next;
        sockets.push_back(after->sockets);
    }
    const double took = seconds(after->at - before->at);
    return DaemonCost{seconds(after->daemon - before->daemon) / seconds(after->server - before->server),
                      (after->observed - before->observed) / took, mean(sockets),
                      seconds(after->daemon - before->daemon) / took};
}

}  // namespace gotuned::bench

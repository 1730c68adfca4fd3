// A real Prometheus (Debian's package, unpacked) judges and scrapes what the daemon exports: promtool check metrics is
// clean, a scrape over real HTTP works in spite of hostile names, and a query returns a service's p99 epoll wake.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>

#include "catch.h"
#include "export/pages.h"
#include "paths.h"
#include "prometheus.h"
#include "tests/unit/export/loop.h"
#include "tests/unit/export/world.h"

extern char** environ;

using namespace gotuned;
using namespace gotuned::test;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

/// A child that is ended by its pid.
struct Program {
    pid_t pid = 0;
    Program(const std::vector<std::string>& command, const fs::path& in, const fs::path& out, const fs::path& folder) {
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
        posix_spawn_file_actions_addopen(&actions, 0, in.c_str(), O_RDONLY, 0);
        posix_spawn_file_actions_addopen(&actions, 1, out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
        posix_spawn_file_actions_adddup2(&actions, 1, 2);
        std::vector<char*> arguments;
        for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
        arguments.push_back(nullptr);
        REQUIRE(::posix_spawn(&pid, arguments[0], &actions, nullptr, arguments.data(), environ) == 0);
        posix_spawn_file_actions_destroy(&actions);
    }
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;
    ~Program() {
        if (pid > 0) {
            ::kill(pid, SIGKILL);
            wait();
        }
    }
    int wait() {
        int status = 0;
        ::waitpid(pid, &status, 0);
        pid = 0;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
};

std::string read_whole(const fs::path& path) {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

struct Finished {
    int status = 0;
    std::string output{};
};
Finished promtool(const std::vector<std::string>& words, const fs::path& in = "/dev/null",
                  const fs::path& folder = "/") {
    const TemporaryFolder temporary;
    std::vector<std::string> command{prometheus_tool("promtool")};
    command.insert(command.end(), words.begin(), words.end());
    const int status = Program(command, in, temporary.path / "out", folder).wait();
    return {status, read_whole(temporary.path / "out")};
}

/// Every signal of the catalogue has a value.
void fill(SignalTable& table, Scope scope, double factor) {
    for (const SignalInfo& signal : signals()) {
        if (signal.scope != scope) continue;
        switch (signal.kind) {
            case SignalKind::distribution:
                table.set(signal.id, distribution({3us, 150us, 2ms, 9ms}, factor));
                break;
            case SignalKind::text:
                table.set(signal.id, SignalReading{SignalValue(std::string("go1.22.3")), {}});
                break;
            case SignalKind::cpus:
                table.set(signal.id, SignalReading{SignalValue(CpuSet({0, 1})), {}});
                break;
            case SignalKind::quantity:
                table.set(signal.id,
                          over(Quantity{signal.unit == unit::ratio ? 0.25 : 12 * factor, signal.unit}, tick));
                break;
        }
    }
}

/// A host with ordinary and hostile services; everything that can be exported is.
struct Host {
    World world;
    Metrics metrics{SeriesLimits{}};
    Evaluation evaluation;

    Host() {
        RuleStanding standing;
        standing.rule = "raise-nofile-before-emfile";
        evaluation.standings = {standing};
        evaluation.targets = {{standing.rule, 1}};
        evaluation.unknowns[{standing.rule, Absence::no_data}] = 1;
        Decision decision;
        decision.rule = standing.rule;
        evaluation.decisions = {decision};
        ProbeReport probe;
        probe.probe = "sched_switch";
        probe.tier = "none";
        probe.reason = "a \"quoted\" reason\nwith a line\xff";
        world.input.probes = {probe};
        world.input.drops = {{"sched", "ring_full", 1}};
        world.input.totals = {{standing.rule, "rlimit.nofile", "kept", 1}};
        world.input.rulebook.sha256 = std::string(64, 'a');
        world.input.rulebook.version = 1;
        world.input.cost = {1ms, 1, 1e7, WallTime(1700000000s)};
        world.input.evaluation = &evaluation;
        world.cgroup_of_new_processes = 9;
        fill(world.snapshot.host.signals, Scope::host, 1);
    }
    void step() {
        world.cgroup(9, [](SignalTable& table) { fill(table, Scope::cgroup, 1); });
        for (const int pid : {1, 2})
            world.process(pid, "payments", [](SignalTable& table) { fill(table, Scope::process, 7.3); });
        world.process(3, "bad\xff\n\"name\\ {} \x1b[2J", [](SignalTable& table) { fill(table, Scope::process, 1); });
        world.process(4, "absent");
        world.tell(metrics);
    }
};

/// GET from another process, on a blocking socket.
std::string get(int port, const std::string& path) {
    const Fd fd = connect_to("127.0.0.1:" + std::to_string(port));
    if (!fd.valid()) return {};
    ::fcntl(fd.get(), F_SETFL, 0);
    const timeval patience{5, 0};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    const std::string request = "GET " + path + " HTTP/1.0\r\n\r\n";
    ::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL);
    std::string answer;
    char buffer[65536];
    for (ssize_t got = 0; (got = ::recv(fd.get(), buffer, sizeof buffer, 0)) > 0;)
        answer.append(buffer, static_cast<std::size_t>(got));
    return answer;
}

}  // namespace

TEST_CASE("promtool finds nothing to complain about in the metrics", "[host]") {
    const TemporaryFolder folder;
    Host host;
    for (int i = 0; i < 3; ++i) host.step();
    std::ofstream(folder.path / "metrics") << *host.metrics.text();
    const Finished checked = promtool({"check", "metrics"}, folder.path / "metrics");
    CHECK(checked.output.empty());
    CHECK(checked.status == 0);
}

TEST_CASE("promtool accepts the packaged rules, and their tests pass", "[host]") {
    const fs::path rules = fs::path(source_folder()) / "config/prometheus";
    for (const auto& file : fs::directory_iterator(rules)) {
        const std::string name = file.path().filename();
        const bool test = name.ends_with(".test.yaml");
        const Finished done = promtool(
            test ? std::vector<std::string>{"test", "rules", name} : std::vector<std::string>{"check", "rules", name},
            "/dev/null", rules);
        CAPTURE(name, done.output);
        CHECK(done.status == 0);
    }
}

TEST_CASE("a Prometheus server scrapes the daemon's page, and a query returns a service's p99 epoll wake", "[host]") {
    const std::string prometheus = prometheus_tool("prometheus");
    const TemporaryFolder folder;
    Host host;
    host.step();
    Loop loop;
    PageSources sources;
    sources.metrics = [&host] { return host.metrics.text(); };
    sources.not_ready = [] { return std::string(); };
    sources.landing = [] { return LandingPage{}; };
    HttpOptions options;
    options.listen = {"127.0.0.1:0"};
    auto server = HttpServer::open(loop.get(), options, make_pages(std::move(sources)));
    REQUIRE(server);
    std::ofstream(folder.path / "prometheus.yml")
        << "global: { scrape_interval: 1s }\nscrape_configs:\n  - job_name: gotuned\n    static_configs: [{ targets: ['"
        << (*server)->addresses().front() << "'] }]\n";
    const int port = free_port();
    const Program running({prometheus, "--config.file=prometheus.yml", "--storage.tsdb.path=data",
                           "--web.listen-address=127.0.0.1:" + std::to_string(port)},
                          "/dev/null", folder.path / "log", folder.path);

    const std::string query =
        "/api/v1/"
        "query?query=histogram_quantile(0.99,sum%20by%20(service,le)(rate(gotuned_epoll_wake_seconds_bucket%7Bservice%"
        "3D%22payments%22%7D%5B30s%5D)))";
    std::string answer;
    auto next = std::chrono::steady_clock::now();
    const bool answered = loop.until(
        [&] {
            if (std::chrono::steady_clock::now() < next) return false;
            next = std::chrono::steady_clock::now() + 500ms;
            host.step();
            answer = get(port, query);
            return answer.find("\"value\":[") != std::string::npos;
        },
        60s);
    CAPTURE(answer, read_whole(folder.path / "log"));
    REQUIRE(answered);
    CHECK(answer.find("\"service\":\"payments\"") != std::string::npos);
    // 9 ms lie in the bucket from 4.19 to 16.8 ms.
    const std::size_t at = answer.find("\"value\":[");
    const double p99 = std::stod(answer.substr(answer.find(",\"", at) + 2));
    CHECK(p99 > 0.004194304);
    CHECK(p99 <= 0.016777216);
    CHECK(get(port, "/api/v1/query?query=up").find(",\"1\"]") != std::string::npos);
}

// Uprobes in Go programs: what they count against what the program measures of itself, and that no program ever notices
// them, whatever its runtime does to stacks and threads.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <sstream>
#include <thread>

#include "base/fd.h"
#include "base/files.h"
#include "catch.h"
#include "child.h"
#include "discover/buildinfo.h"
#include "observe/go_goroutines.h"
#include "paths.h"
#include "probe/features.h"
#include "probe/goroutine_probe.h"

using namespace gotuned;
using namespace std::chrono_literals;

namespace {

std::string program(const std::string& series) {
    std::string last;
    FILE* pipe = ::popen(("'" + source_folder() + "/tests/go/program' " + series + " plain echo 2>&1").c_str(), "r");
    REQUIRE(pipe != nullptr);
    std::array<char, 1024> buffer{};
    while (std::fgets(buffer.data(), buffer.size(), pipe) != nullptr) last = trim(buffer.data());
    if (::pclose(pipe) == 0) return last;
    std::printf("SKIPPED: Go %s: %s\n", series.c_str(), last.c_str());
    return {};
}

/// tests/go/echo, running.
class Echo {
public:
    explicit Echo(const std::string& path, bool stress = false, const char* procs = "2") {
        std::array<int, 2> in{}, out{}, err{};
        REQUIRE(::pipe2(in.data(), O_CLOEXEC) == 0);
        REQUIRE(::pipe2(out.data(), O_CLOEXEC) == 0);
        REQUIRE(::pipe2(err.data(), O_CLOEXEC) == 0);
        pid_ = ::fork();
        if (pid_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            ::dup2(in[0], STDIN_FILENO);
            ::dup2(out[1], STDOUT_FILENO);
            ::dup2(err[1], STDERR_FILENO);
            ::setenv("GOMAXPROCS", procs, 1);
            ::execl(path.c_str(), path.c_str(), stress ? "-stress" : nullptr, nullptr);
            ::_exit(127);
        }
        for (const int end : {in[0], out[1], err[1]}) ::close(end);
        in_ = Fd(in[1]);
        out_ = Fd(out[0]);
        err_ = Fd(err[0]);
        port_ = static_cast<std::uint16_t>(std::stoul(line()));
    }
    Echo(const Echo&) = delete;
    Echo& operator=(const Echo&) = delete;
    ~Echo() { (void)end(SIGKILL); }
    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] std::uint16_t port() const { return port_; }
    /// Goroutines by how long they waited at least, as it measures it: of each eighth of their states' changes.
    struct Told {
        long rounds = 0;
        std::vector<std::pair<double, double>> latencies{};
    };
    Told tell() {
        REQUIRE(::write(in_.get(), "\n", 1) == 1);
        std::istringstream words(line());
        Told told;
        words >> told.rounds;
        for (std::string word; words >> word;) {
            const auto colon = word.find(':');
            told.latencies.emplace_back(word.starts_with("-") ? 0 : std::stod(word.substr(0, colon)),
                                        std::stod(word.substr(colon + 1)));
        }
        return told;
    }
    /// The wait status, and what it said on standard error.
    std::pair<int, std::string> end(int signal) {
        if (pid_ == 0) return {};
        ::kill(pid_, signal);
        std::string said;
        std::array<char, 4096> buffer{};
        for (ssize_t got = 0; (got = ::read(err_.get(), buffer.data(), buffer.size())) > 0;)
            said.append(buffer.data(), static_cast<std::size_t>(got));
        int status = 0;
        ::waitpid(pid_, &status, 0);
        pid_ = 0;
        return {status, said};
    }
    [[nodiscard]] bool lives() const { return ::waitpid(pid_, nullptr, WNOHANG) == 0; }

private:
    std::string line() {
        std::string out;
        for (char byte = 0; ::read(out_.get(), &byte, 1) == 1 && byte != '\n';) out.push_back(byte);
        return out;
    }
    pid_t pid_ = 0;
    std::uint16_t port_ = 0;
    Fd in_, out_, err_;
};

int connected(std::uint16_t port) {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    REQUIRE(::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    const int on = 1;
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return socket;
}

/// One byte there and back on each of the sockets in turn, `gap` apart; how many came back.
long exchange(const std::vector<int>& sockets, int rounds, std::chrono::microseconds gap) {
    long done = 0;
    for (int i = 0; i < rounds; ++i) {
        const int socket = sockets[static_cast<std::size_t>(i) % sockets.size()];
        char byte = 'x';
        if (::send(socket, &byte, 1, MSG_NOSIGNAL) != 1 || ::recv(socket, &byte, 1, 0) != 1) break;
        ++done;
        if (gap.count() > 0) std::this_thread::sleep_for(gap);
    }
    return done;
}

GoroutineTarget target_of(pid_t pid) {
    const Fd file(::open(("/proc/" + std::to_string(pid) + "/exe").c_str(), O_RDONLY | O_CLOEXEC));
    REQUIRE(file.valid());
    const BuildInfo info = read_build_info(DescriptorSource(file.get()));
    GoProcess process;
    process.id = Child::identity_of(pid);
    process.build.version = std::string(info.version.view());
    process.build.symbols = std::make_shared<const GoSymbols>(read_go_symbols(DescriptorSource(file.get())));
    const auto target = goroutine_target(process, process.build.version);
    INFO(process.build.version << ": " << (target ? "" : target.absent().detail));
    REQUIRE(target);
    return *target;
}

void watch(GoroutineProbe& probe, const GoroutineTarget& target) {
    const auto watched = probe.watch(target, MonoClock::now());
    INFO((watched ? std::string() : to_string(watched.error())));
    REQUIRE(watched);
}

const std::vector<std::string> releases{"installed", "1.23", "newest"};

}  // namespace

TEST_CASE("each message that a goroutine waited for is one wait until it ran") {
    for (const std::string& series : releases) {
        const std::string path = program(series);
        if (path.empty()) continue;
        INFO(path);
        Echo server(path);
        std::vector<int> sockets;
        for (int i = 0; i < 4; ++i) sockets.push_back(connected(server.port()));
        REQUIRE(exchange(sockets, 20, 500us) == 20);
        GoroutineProbe probe(detect_features());
        watch(probe, target_of(server.pid()));
        (void)probe.take(Child::identity_of(server.pid()), MonoClock::now());
        const auto before = server.tell();
        REQUIRE(exchange(sockets, 2000, 300us) == 2000);
        const auto delta = probe.take(Child::identity_of(server.pid()), MonoClock::now());
        const auto after = server.tell();
        // The goroutine parks a moment after it has answered; a byte that came before it did is no wait.
        CHECK(delta.wait.count() >= 1900);
        CHECK(delta.wait.count() <= 2050);  // and the line that asked it to tell
        double sampled = 0, seconds = 0;
        for (const auto& [lower, count] : after.latencies) {
            double then = 0;
            for (const auto& [other, earlier] : before.latencies)
                if (other == lower) then = earlier;
            sampled += count - then;
            seconds += (count - then) * lower * 1.06;  // the middle of a bucket, which is an eighth of its power of 2
        }
        const double mean = seconds / sampled;
        std::printf(
            "%s: %.0f waits, mean %.1f us by the probes; by the program %.0f, mean %.1f us; %.1f hits a message\n",
            path.substr(path.rfind('/') + 1).c_str(), delta.wait.count(), *delta.wait.mean() * 1e6, sampled, mean * 1e6,
            static_cast<double>(delta.hits) / 2000);
        CHECK(sampled > 50);
        // It stamps a goroutine later than we, when it is put on a queue, and not the breakpoints' own time.
        CHECK(*delta.wait.mean() > mean);
        CHECK(*delta.wait.mean() - mean < 50e-6);
        for (const int socket : sockets) ::close(socket);
        for (const auto& drop : probe.drops()) CHECK(drop.count == 0);
    }
}

TEST_CASE("a goroutine that cannot run is seen to wait as long as the CPU is taken") {
    const std::string path = program("installed");
    if (path.empty()) return;
    Echo server(path, true, "1");  // one P, and others that want it: each may keep it 10 ms
    std::vector<int> sockets{connected(server.port())};
    GoroutineProbe probe(detect_features());
    watch(probe, target_of(server.pid()));
    REQUIRE(exchange(sockets, 10, 2ms) == 10);  // apart, or the next byte is there before it parks
    (void)probe.take(Child::identity_of(server.pid()), MonoClock::now());
    const MonoTime begin = MonoClock::now();
    REQUIRE(exchange(sockets, 50, 2ms) == 50);
    const double all = seconds(MonoClock::now() - begin);
    const auto delta = probe.take(Child::identity_of(server.pid()), MonoClock::now());
    // What the client waited is what its goroutine did, and more.
    INFO(delta.wait.count() << " waits of " << delta.wait.sum << " s within " << all << " s");
    CHECK(delta.wait.count() >= 25);
    CHECK(delta.wait.sum < all);
    CHECK(delta.wait.max <= all);
    for (const int socket : sockets) ::close(socket);
}

TEST_CASE("a program under all that moves stacks and interrupts threads never notices the probes") {
    for (const std::string& series : releases) {
        const std::string path = program(series);
        if (path.empty()) continue;
        INFO(path);
        Echo server(path, true, "4");
        std::vector<int> sockets;
        for (int i = 0; i < 8; ++i) sockets.push_back(connected(server.port()));
        const GoroutineTarget target = target_of(server.pid());
        std::atomic<bool> stop{false};
        std::thread signals([&] {
            while (!stop) {
                ::kill(server.pid(), SIGUSR1);
                ::kill(server.pid(), SIGWINCH);
                std::this_thread::sleep_for(1ms);
            }
        });
        double waits = 0;
        long messages = 0;
        int times = 0;
        for (const auto until = MonoClock::now() + 15s; MonoClock::now() < until; ++times) {
            // Probes come and go while it runs.
            GoroutineProbe probe(detect_features());
            watch(probe, target);
            messages += exchange(sockets, 100, 0us);
            waits += probe.take(target.process, MonoClock::now()).wait.count();
            if (times % 2 == 0) probe.unwatch(target.process);
        }
        stop = true;
        signals.join();
        CHECK(server.lives());
        CHECK(exchange(sockets, 20, 0us) == 20);
        const auto told = server.tell();
        GoroutineProbe probe(detect_features());
        watch(probe, target);
        const auto [status, said] = server.end(SIGQUIT);
        std::printf("%s: attached %d times, %ld messages, %.0f waits, %ld rounds\n",
                    path.substr(path.rfind('/') + 1).c_str(), times, messages, waits, told.rounds);
        CHECK(messages == 100L * times);
        CHECK(told.rounds > 100);
        CHECK(waits > 0);
        // SIGQUIT makes Go print the stacks of all goroutines and exit with 2: it could walk every stack.
        CHECK(WIFEXITED(status));
        CHECK(WEXITSTATUS(status) == 2);
        CHECK(said.find("SIGQUIT: quit") != std::string::npos);
        CHECK(said.find("goroutine ") != std::string::npos);
        for (const char* wrong :
             {"fatal error", "unexpected signal", "unexpected return pc", "SIGSEGV", "SIGTRAP", "SIGILL"})
            CHECK(said.find(wrong) == std::string::npos);
        for (const int socket : sockets) ::close(socket);
    }
}

TEST_CASE("two processes of one executable share its probes, and each counts its own") {
    const std::string path = program("installed");
    if (path.empty()) return;
    Echo one(path), other(path);
    std::vector<int> to_one{connected(one.port())}, to_other{connected(other.port())};
    GoroutineProbe probe(detect_features());
    watch(probe, target_of(one.pid()));
    const ProcessId first = Child::identity_of(one.pid());
    const ProcessId second = Child::identity_of(other.pid());
    REQUIRE(exchange(to_one, 100, 300us) == 100);
    REQUIRE(exchange(to_other, 100, 300us) == 100);
    CHECK(probe.take(first, MonoClock::now()).wait.count() >= 90);
    CHECK(probe.take(second, MonoClock::now()).elapsed == Duration::zero());  // not opted in
    watch(probe, target_of(other.pid()));
    REQUIRE(exchange(to_other, 100, 300us) == 100);
    CHECK(probe.take(first, MonoClock::now()).wait.count() <= 5);
    CHECK(probe.take(second, MonoClock::now()).wait.count() >= 90);
    probe.unwatch(first);
    REQUIRE(exchange(to_other, 100, 300us) == 100);
    CHECK(probe.take(second, MonoClock::now()).wait.count() >= 90);
    probe.unwatch(second);
    for (const auto& report : probe.reports()) CHECK_FALSE(report.attached);
    ::close(to_one[0]);
    ::close(to_other[0]);
}

TEST_CASE("a function that begins in an unknown way is not touched") {
    const std::string path = program("installed");
    if (path.empty()) return;
    Echo server(path);
    GoroutineTarget target = target_of(server.pid());
    target.execute += 1;
    GoroutineProbe probe(detect_features());
    const auto watched = probe.watch(target, MonoClock::now());
    REQUIRE_FALSE(watched);
    CHECK(watched.error().what == "cannot probe runtime.execute: it does not begin as Go's compiler is known to do it");
    for (const auto& report : probe.reports()) CHECK_FALSE(report.attached);
}

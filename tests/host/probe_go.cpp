// A real Go server under a steady load: windows scaled by their exposure against the kernel's own counters of the
// process (proc(5): /proc/PID/io, /proc/PID/task/TID/schedstat).
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cmath>
#include <cstring>
#include <random>
#include <sstream>
#include <thread>
#include <vector>

#include "paths.h"
#include "probe_child.h"

using namespace gotuned;
using namespace std::chrono_literals;

namespace {

/// The workload httpserver on a free loopback port.
class GoServer {
public:
    GoServer() {
        const std::string program = build_folder() + "/workloads/httpserver";
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
        std::string line;
        char byte = 0;
        while (::read(ends[0], &byte, 1) == 1 && byte != '\n') line.push_back(byte);
        ::close(ends[0]);
        const auto place = line.find("127.0.0.1:");
        INFO(line);
        REQUIRE(place != std::string::npos);
        port_ = static_cast<std::uint16_t>(std::strtoul(line.c_str() + place + 10, nullptr, 10));
    }
    GoServer(const GoServer&) = delete;
    GoServer& operator=(const GoServer&) = delete;
    ~GoServer() {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] std::uint16_t port() const { return port_; }

private:
    pid_t pid_ = 0;
    std::uint16_t port_ = 0;
};

/// Requests at a fixed rate over a few connections: steady, however busy the machine is.
class Load {
public:
    explicit Load(std::uint16_t port) {
        for (int i = 0; i < 4; ++i) threads_.emplace_back([this, port] { run(port); });
    }
    Load(const Load&) = delete;
    Load& operator=(const Load&) = delete;
    ~Load() {
        stop_ = true;
        for (auto& thread : threads_) thread.join();
    }
    [[nodiscard]] long answers() const { return answers_; }

private:
    void run(std::uint16_t port) {
        const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons(port);
        if (::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return;
        static constexpr char request[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
        std::array<char, 4096> answer{};
        MonoTime next = MonoClock::now();
        while (!stop_) {
            if (::send(socket, request, sizeof request - 1, MSG_NOSIGNAL) < 0) break;
            if (::recv(socket, answer.data(), answer.size(), 0) <= 0) break;
            ++answers_;
            next += 2ms;
            const MonoTime now = MonoClock::now();
            if (next > now) std::this_thread::sleep_for(next - now);
        }
        ::close(socket);
    }
    std::atomic<bool> stop_{false};
    std::atomic<long> answers_{0};
    std::vector<std::thread> threads_{};
};

struct Truth {
    double reads = 0, writes = 0;        ///< calls
    double run_delay = 0, arrivals = 0;  ///< seconds, switches in
};

Truth truth_of(pid_t pid) {
    Truth truth;
    const std::string base = "/proc/" + std::to_string(pid);
    const auto io = read_file(base + "/io");
    REQUIRE(io);
    std::istringstream words(*io);
    std::string word;
    while (words >> word) {
        if (word == "syscr:") words >> truth.reads;
        if (word == "syscw:") words >> truth.writes;
    }
    DIR* directory = ::opendir((base + "/task").c_str());
    REQUIRE(directory != nullptr);
    while (const dirent* entry = ::readdir(directory)) {
        if (entry->d_name[0] == '.') continue;
        const auto text = read_file(base + "/task/" + entry->d_name + "/schedstat");
        double ran = 0, delay = 0, arrivals = 0;
        if (!text || std::sscanf(text->c_str(), "%lf %lf %lf", &ran, &delay, &arrivals) != 3) continue;
        truth.run_delay += delay * 1e-9;
        truth.arrivals += arrivals;
    }
    ::closedir(directory);
    return truth;
}

}  // namespace

TEST_CASE("a Go server under a steady load: what the probes count agrees with the kernel's own counters") {
    GoServer server;
    const auto probes = load_probes();
    Load load(server.port());
    std::this_thread::sleep_for(300ms);
    const ProcessId id{server.pid(), 1, 1};
    REQUIRE(probes->watch(id));
    const Truth before = truth_of(server.pid());
    (void)probes->take(id, MonoClock::now());
    std::mt19937 random(20);
    double reads = 0, writes = 0, switches = 0;
    SlotDelta sum;
    for (int tick = 0; tick < 15; ++tick) {
        const auto offset = std::chrono::milliseconds(random() % 200);
        std::this_thread::sleep_for(offset);
        REQUIRE(probes->open_window());
        std::this_thread::sleep_for(100ms);
        probes->close_window();
        std::this_thread::sleep_for(200ms - offset);
        const SlotDelta delta = probes->take(id, MonoClock::now());
        const double scale = seconds(delta.elapsed) / seconds(delta.observed);
        reads += delta.window[GT_READ].count() * scale + delta.blocked[GT_READ].count();
        writes += delta.window[GT_WRITE].count() * scale + delta.blocked[GT_WRITE].count();
        switches += static_cast<double>(delta.switches);
        sum.runq.add(delta.runq);
        sum.epoll_wake.add(delta.epoll_wake);
        sum.netpoll_sleep.add(delta.netpoll_sleep);
        sum.timer_late.add(delta.timer_late);
        for (std::size_t i = 0; i < 2; ++i) {
            sum.polls.polls[i] += delta.polls.polls[i];
            sum.polls.events[i] += delta.polls.events[i];
        }
    }
    const Truth after = truth_of(server.pid());
    CHECK(load.answers() > 1000);
    CHECK(reads == Approx(after.reads - before.reads).epsilon(0.1));
    CHECK(writes == Approx(after.writes - before.writes).epsilon(0.1));
    CHECK(switches == Approx(after.arrivals - before.arrivals).epsilon(0.1));
    // The kernel counts from the queue, we from the wake-up: within a bucket.
    const double delay = (after.run_delay - before.run_delay) / (after.arrivals - before.arrivals);
    INFO("run-queue delay: " << *sum.runq.mean() << " s by the probes, " << delay << " s by schedstat");
    CHECK(std::abs(std::log2(*sum.runq.mean() / delay)) <= 1);
    // Each sleep in epoll ends in an event or in a timer.
    CHECK(sum.epoll_wake.count() > 100);
    CHECK(sum.epoll_wake.count() + sum.timer_late.count() == sum.netpoll_sleep.count());
    CHECK(sum.netpoll_sleep.sum < 15 * 0.4);
    CHECK(sum.polls.polls[0] > 0);
    CHECK(sum.polls.polls[1] > 0);
    CHECK(sum.polls.events[0] + sum.polls.events[1] > 0);
}

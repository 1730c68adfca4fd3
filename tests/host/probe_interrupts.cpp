// Softirqs, interrupt handlers and polls of network devices of the real host, against the kernel's own counters.
#include <fcntl.h>

#include <sstream>
#include <thread>
#include <vector>

#include "base/text.h"
#include "burning_program.h"
#include "loopback.h"
#include "probe_child.h"

using namespace gotuned;
using namespace std::chrono_literals;

namespace {

/// A line of /proc/softirqs or /proc/interrupts, added up over the CPUs; what is behind the numbers is left out.
double added_up(const std::string& line) {
    std::istringstream words(line.substr(line.find(':') + 1));
    double sum = 0;
    for (double number = 0; words >> number;) sum += number;
    return sum;
}
std::map<std::string, double> table(const char* file) {
    std::map<std::string, double> out;
    const auto text = read_file(file, 1U << 20U);
    REQUIRE(text);
    for (const std::string_view line : split(*text, '\n')) {
        const std::size_t colon = line.find(':');
        if (colon != std::string_view::npos)
            out[std::string(trim(line.substr(0, colon)))] = added_up(std::string(line));
    }
    return out;
}
/// Of each handler's name, the last word of its line.
std::map<std::string, double> interrupts_by_handler() {
    std::map<std::string, double> out;
    const auto text = read_file("/proc/interrupts", 1U << 20U);
    REQUIRE(text);
    for (const std::string_view line : split(*text, '\n')) {
        const std::string trimmed(trim(line));
        if (trimmed.empty() || trimmed.find(':') == std::string::npos) continue;
        out[trimmed.substr(trimmed.rfind(' ') + 1)] += added_up(trimmed);
    }
    return out;
}

/// Nearly all: what runs while the programs are put on and taken off is seen by one side only.
void require_near(double seen, double counted) {
    INFO("seen " << seen << ", counted by the kernel " << counted);
    REQUIRE(seen <= counted * 1.02 + 5);
    REQUIRE(seen >= counted * 0.95 - 5);
}

}  // namespace

TEST_CASE("softirqs and handlers are as many as the kernel counts, and take no more time than there is") {
    const auto probes = load_probes();
    probes->take_interrupts(MonoClock::now());
    probes->open_interrupts();
    const auto softirqs = table("/proc/softirqs");
    const auto handlers = interrupts_by_handler();
    const MonoTime begin = MonoClock::now();
    REQUIRE(talk_to_itself(20000));
    std::this_thread::sleep_for(500ms);
    const auto softirqs_after = table("/proc/softirqs");
    const auto handlers_after = interrupts_by_handler();
    probes->close_interrupts();
    const InterruptDelta delta = probes->take_interrupts(MonoClock::now());
    const double took = seconds(MonoClock::now() - begin);
    REQUIRE(delta.sees_softirqs);
    REQUIRE(delta.observed > 500ms);

    const auto grew = [&](const char* name) { return softirqs_after.at(name) - softirqs.at(name); };
    const Distribution& received = delta.softirqs[GT_SOFTIRQ_NET_RX];
    INFO("net_rx: " << received.count() << " times, mean " << received.sum / received.count());
    require_near(received.count(), grew("NET_RX"));
    REQUIRE(received.count() > 15000);
    require_near(delta.softirqs[GT_SOFTIRQ_TIMER].count(), grew("TIMER"));
    require_near(delta.softirqs[GT_SOFTIRQ_SCHED].count(), grew("SCHED"));
    double all = 0;
    for (const Distribution& vector : delta.softirqs) all += vector.sum;
    REQUIRE(all < took * cpus_here().count);
    REQUIRE(received.max <= received.sum);

    REQUIRE(delta.sees_drivers);
    REQUIRE(delta.drivers.contains("backlog"));
    REQUIRE(delta.drivers.at("backlog").count() > 15000);
    double polls = 0;
    for (const auto& [driver, seen] : delta.drivers) polls += seen.sum;
    REQUIRE(polls <= received.sum * 1.01);  // polls are parts of the receive softirq

    REQUIRE(delta.sees_handlers);
    for (const auto& [name, seen] : delta.handlers) {
        const auto before = handlers.find(name);
        const auto after = handlers_after.find(name);
        if (before == handlers.end() || after == handlers_after.end()) continue;  // cut off, or shared
        INFO(name);
        require_near(seen.count(), after->second - before->second);
    }
}

TEST_CASE("between windows nothing of interrupts is seen, and an old stamp counts for nothing") {
    const auto probes = load_probes();
    for (int i = 0; i < 5; ++i) {
        probes->open_interrupts();
        REQUIRE(talk_to_itself(200));
        probes->close_interrupts();
        REQUIRE(talk_to_itself(200));
        std::this_thread::sleep_for(50ms);
    }
    const InterruptDelta seen = probes->take_interrupts(MonoClock::now());
    for (const Distribution& vector : seen.softirqs) {
        INFO(vector.count() << " times, longest " << vector.max);
        REQUIRE(vector.max < 0.04);  // a stamp of one window taken for the next would be 50 ms
    }
    REQUIRE(talk_to_itself(200));
    const InterruptDelta none = probes->take_interrupts(MonoClock::now());
    REQUIRE(none.observed == 0s);
    for (const Distribution& vector : none.softirqs) REQUIRE(vector.count() == 0);
    REQUIRE(none.drivers.size() == seen.drivers.size());
}

TEST_CASE("a softirq takes as long as its sender waits for it") {
    const BurningProgram filter(BPF_PROG_TYPE_SOCKET_FILTER);
    REQUIRE(filter.fd() >= 0);
    const int receiver = bound(SOCK_DGRAM), filter_fd = filter.fd();
    // It runs in the receive softirq, which the loopback runs before send(2) returns.
    REQUIRE(::setsockopt(receiver, SOL_SOCKET, SO_ATTACH_BPF, &filter_fd, sizeof filter_fd) == 0);
    const int sender = connected(port_of(receiver), SOCK_DGRAM);
    const auto probes = load_probes();
    probes->take_interrupts(MonoClock::now());
    probes->open_interrupts();
    std::vector<double> waited;
    double all = 0;
    for (int i = 0; i < 500; ++i) {
        char byte = 'x';
        const std::uint64_t sent = monotonic_ns();
        REQUIRE(::send(sender, &byte, 1, 0) == 1);
        REQUIRE(::recv(receiver, &byte, 1, 0) == 1);
        waited.push_back(static_cast<double>(monotonic_ns() - sent) * 1e-9);
        all += waited.back();
    }
    probes->close_interrupts();
    const InterruptDelta delta = probes->take_interrupts(MonoClock::now());
    ::close(sender);
    ::close(receiver);

    std::ranges::sort(waited);
    const double shortest = waited.front(), middle = waited[waited.size() / 2];
    for (const Distribution& seen : {delta.softirqs[GT_SOFTIRQ_NET_RX], delta.drivers.at("backlog")}) {
        INFO("waited " << all << " s, at least " << shortest << ", seen " << seen.sum << " in " << seen.count());
        // Of the rest of the host there is little in so short a time; a sender may be held up by others.
        REQUIRE(seen.sum > 500 * middle * 0.9);
        REQUIRE(seen.sum < all * 1.05 + 0.005);
        double long_ones = 0;
        for (std::size_t i = 0; i < Distribution::bucket_count; ++i)
            if (Distribution::upper_bound(i) >= shortest * 0.9) long_ones += seen.buckets[i];
        REQUIRE(long_ones >= 495);
    }
}

TEST_CASE("a handler takes as long as what runs in it") {
    const BurningProgram program(BPF_PROG_TYPE_RAW_TRACEPOINT);
    REQUIRE(program.fd() >= 0);
    const int file = ::open("/var/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC | O_DSYNC, 0600);
    REQUIRE(file >= 0);
    const auto probes = load_probes();
    probes->take_interrupts(MonoClock::now());
    probes->open_interrupts();
    {
        const Fd statistics(::bpf_enable_stats(BPF_STATS_RUN_TIME));
        REQUIRE(statistics.valid());
        // Behind ours, which has stamped the beginning by then.
        const Fd link(::bpf_raw_tracepoint_open("irq_handler_entry", program.fd()));
        REQUIRE(link.valid());
        const MonoTime until = MonoClock::now() + 5s;
        while (program.burned().runs < 100 && MonoClock::now() < until) REQUIRE(::write(file, "x", 1) == 1);
    }
    const BurningProgram::Burned burned = program.burned();
    probes->close_interrupts();
    const InterruptDelta delta = probes->take_interrupts(MonoClock::now());
    ::close(file);
    if (burned.runs < 20) {
        WARN("SKIPPED: writes to /var/tmp raise no interrupts here: " << burned.runs << " in 5 s");
        return;
    }

    double count = 0, sum = 0;
    for (const auto& [name, seen] : delta.handlers) {
        count += seen.count();
        sum += seen.sum;
    }
    INFO(burned.runs << " runs took " << burned.seconds << " s, " << count << " handlers " << sum << " s");
    REQUIRE(count >= static_cast<double>(burned.runs));
    REQUIRE(sum > burned.seconds * 0.98);
    REQUIRE(sum < burned.seconds * 1.1 + count * 100e-6);  // and what the handlers themselves take
}

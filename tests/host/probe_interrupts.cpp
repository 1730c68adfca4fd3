// Softirqs, interrupt handlers and polls of network devices of the real host, against the kernel's own counters.
#include <sstream>
#include <thread>

#include "base/text.h"
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

// Storms on the probes themselves: threads and processes that live for a moment, some thousands a second.
#include <bpf/bpf.h>
#include <dirent.h>
#include <spawn.h>

#include <sstream>
#include <thread>
#include <vector>

#include "probe_child.h"

using namespace gotuned;
using namespace std::chrono_literals;

extern char** environ;

namespace {

constexpr auto storm_length = 3s;

/// Our hash of threads, by what fdinfo says of it.
int threads_map() {
    DIR* directory = ::opendir("/proc/self/fdinfo");
    REQUIRE(directory != nullptr);
    int found = -1;
    while (const dirent* entry = ::readdir(directory)) {
        const auto text = read_file(std::string("/proc/self/fdinfo/") + entry->d_name);
        if (text && text->find("map_type:\t1\n") != std::string::npos &&
            text->find("max_entries:\t32768\n") != std::string::npos)
            found = std::atoi(entry->d_name);
    }
    ::closedir(directory);
    return found;
}

std::size_t entries_of(int map) {
    std::size_t count = 0;
    std::uint32_t key = 0, next = 0;
    for (bool more = bpf_map_get_next_key(map, nullptr, &next) == 0; more;
         more = bpf_map_get_next_key(map, &key, &next) == 0) {
        key = next;
        ++count;
    }
    return count;
}

std::uint64_t dropped(const Probes& probes, const std::string& reason) {
    std::uint64_t sum = 0;
    for (const auto& drop : probes.drops())
        if (drop.reason == reason) sum += drop.count;
    return sum;
}

struct Storm {
    std::atomic<bool> go{false}, stop{false}, ended{false};
    std::atomic<int> made{0};
};

}  // namespace

TEST_CASE("short-lived threads leave no entry behind, and hardly a stamp that is stale") {
    Child<Storm> child([](Storm& storm) {
        while (!storm.go) ::usleep(1000);
        while (!storm.stop) {
            std::vector<std::thread> several;
            for (int i = 0; i < 100; ++i) several.emplace_back([] { ::sched_yield(); });
            for (auto& one : several) one.join();
            storm.made += 100;
        }
        storm.ended = true;
        for (;;) ::usleep(10'000);
    });
    const auto probes = load_probes();
    const int map = threads_map();
    REQUIRE(map >= 0);
    REQUIRE(probes->watch(child.id()));
    const std::uint64_t stale = dropped(*probes, "stale");
    child->go = true;
    std::size_t most = 0;
    double switches = 0;
    const MonoTime end = MonoClock::now() + storm_length;
    while (MonoClock::now() < end) {
        std::this_thread::sleep_for(200ms);
        most = std::max(most, entries_of(map));
        REQUIRE(probes->open_window());  // the system-call programs make entries, too
        std::this_thread::sleep_for(50ms);
        probes->close_window();
        switches += static_cast<double>(probes->take(child.id(), MonoClock::now()).switches);
        probes->tick(MonoClock::now());
    }
    child->stop = true;
    while (!child->ended) ::usleep(1000);
    std::this_thread::sleep_for(50ms);
    const int made = child->made;
    INFO(made);
    CHECK(made >= 1000);
    CHECK(switches >= made);      // each ran at least once
    CHECK(entries_of(map) <= 2);  // the main thread's
    CHECK(most <= 300);
    CHECK(dropped(*probes, "task_full") == 0);
    // Samples whose stamps contradict each other are left out and counted: a few in a hundred thousand.
    CHECK(dropped(*probes, "stale") - stale <= static_cast<std::uint64_t>(made) / 1000);
}

TEST_CASE("every exec of a storm is told or counted as lost") {
    const auto probes = load_probes();
    struct Starter {
        std::atomic<bool> stop{false};
        std::atomic<int> made{0}, ended{0};
    };
    Child<Starter> child([](Starter& starter) {
        std::vector<std::thread> several;
        for (int i = 0; i < 4; ++i)
            several.emplace_back([&starter] {
                char program[] = "/bin/true";
                char* arguments[] = {program, nullptr};
                while (!starter.stop) {
                    pid_t pid = 0;
                    if (::posix_spawn(&pid, program, nullptr, nullptr, arguments, environ) != 0) continue;
                    ::waitpid(pid, nullptr, 0);
                    ++starter.made;
                }
            });
        for (auto& one : several) one.join();
        starter.ended = 1;
        for (;;) ::usleep(10'000);
    });
    std::uint64_t told = 0;
    const auto count = [&](const ProbeEvent& event) {
        if (event.kind == GT_EXEC && event.parent == static_cast<std::uint32_t>(child.pid())) ++told;
    };
    const MonoTime end = MonoClock::now() + storm_length;
    while (MonoClock::now() < end) {
        std::this_thread::sleep_for(100ms);
        probes->drain_events(count);
    }
    child->stop = true;
    while (child->ended == 0) ::usleep(1000);
    probes->drain_events(count);
    const auto made = static_cast<std::uint64_t>(child->made);
    INFO(made);
    CHECK(made >= 100);
    CHECK(told <= made);
    CHECK(told + dropped(*probes, "ring_full") >= made);
}

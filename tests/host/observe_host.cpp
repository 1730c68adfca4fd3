// The signals of the real host against what system calls say.
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <thread>

#include "catch.h"
#include "child.h"
#include "observe/host_reader.h"
#include "observe/sysctl.h"

using namespace gotuned;
using namespace std::chrono_literals;

namespace {

Quantity quantity(const HostState& host, Signal id) {
    const auto value = host.signals.get(id).value;
    INFO(info(id).name << (value ? "" : " is absent: " + to_string(value.absent())));
    REQUIRE(value);
    return std::get<Quantity>(*value);
}

}  // namespace

TEST_CASE("the host's memory, swap and kernel are what system calls say") {
    HostReader reader(Roots{});
    struct sysinfo known{};
    const HostState state = reader.read(MonoClock::now());
    REQUIRE(::sysinfo(&known) == 0);
    const double unit = known.mem_unit;
    const double available = quantity(state, Signal::host_memory_available).value;
    CHECK(available > 0);
    CHECK(available <= static_cast<double>(known.totalram) * unit);
    CHECK(quantity(state, Signal::host_swap_used).value ==
          Approx(static_cast<double>(known.totalswap - known.freeswap) * unit).margin(64.0 * 1024 * 1024));
    utsname name{};
    REQUIRE(::uname(&name) == 0);
    CHECK(std::get<std::string>(*state.signals.get(Signal::host_kernel).value) == name.release);
    CHECK(state.boot_id.size() == 36);
    const auto online = reader.online();
    REQUIRE(online);
    CHECK(online->size() == static_cast<std::size_t>(::get_nprocs()));
}

TEST_CASE("every signal of the real host is there at the second reading, or this kernel does not have it") {
    HostReader reader(Roots{});
    reader.read(MonoClock::now());
    // A clock tick has to pass, so that there is a time of which a share was stolen.
    std::this_thread::sleep_for(50ms);
    const HostState state = reader.read(MonoClock::now());
    for (const SignalInfo& row : signals()) {
        if (row.scope != Scope::host) continue;
        INFO(row.name);
        // What the probes see of interrupts is the Observer's to set.
        if (row.sampled || (!row.key.empty() && state.keyed.contains(row.id))) continue;
        const auto value = state.signals.get(row.id).value;
        if (!value) CHECK(value.absent().reason == Absence::not_supported);
    }
    const double steal = quantity(state, Signal::host_cpu_steal).value;
    CHECK(steal >= 0);
    CHECK(steal <= 1);
}

TEST_CASE("the host's context switches are at least those of this process") {
    HostReader reader(Roots{});
    const MonoTime begin = MonoClock::now();
    reader.read(begin);
    rusage before{};
    ::getrusage(RUSAGE_SELF, &before);
    int there[2];
    int back[2];
    REQUIRE(::pipe(there) == 0);
    REQUIRE(::pipe(back) == 0);
    constexpr int rounds = 5000;
    std::thread echo([&] {
        char byte = 0;
        for (int i = 0; i < rounds; ++i)
            if (::read(there[0], &byte, 1) != 1 || ::write(back[1], &byte, 1) != 1) return;
    });
    char byte = 0;
    for (int i = 0; i < rounds; ++i)
        if (::write(there[1], "x", 1) != 1 || ::read(back[0], &byte, 1) != 1) break;
    echo.join();
    rusage after{};
    ::getrusage(RUSAGE_SELF, &after);
    const MonoTime end = MonoClock::now();
    const double told = quantity(reader.read(end), Signal::host_cpu_context_switch).value * seconds(end - begin);
    for (const int fd : {there[0], there[1], back[0], back[1]}) ::close(fd);
    const auto own = static_cast<double>(after.ru_nvcsw - before.ru_nvcsw + after.ru_nivcsw - before.ru_nivcsw);
    CHECK(own >= rounds);
    CHECK(told >= own * 0.999);
}

TEST_CASE("sysctls of the real host are read by name") {
    const Roots roots;
    const auto swappiness = read_sysctl(roots, "vm.swappiness");
    REQUIRE(swappiness);
    std::uint64_t number = 0;
    CHECK(parse_u64(*swappiness, number));
    CHECK(read_sysctl(roots, "net.ipv4.conf.lo.forwarding"));
    CHECK(read_sysctl(roots, "net/ipv4/conf/lo/forwarding") == read_sysctl(roots, "net.ipv4.conf.lo.forwarding"));
    CHECK(read_sysctl(roots, "net.ipv4.tcp_rmem")->find('\t') != std::string::npos);
    CHECK(read_sysctl(roots, "vm.no_such_thing").absent().reason == Absence::not_supported);
    // Write-only for root, and for others not even that.
    CHECK_FALSE(read_sysctl(roots, "vm.compact_memory"));
}

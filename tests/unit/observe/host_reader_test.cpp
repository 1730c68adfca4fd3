#include "observe/host_reader.h"

#include <unistd.h>

#include "catch.h"
#include "fake_host.h"

using namespace gotuned;
using namespace std::chrono_literals;

namespace {

constexpr MonoTime start{1h};

Quantity quantity(const HostState& host, Signal id) { return std::get<Quantity>(*host.signals.get(id).value); }
Absence absence(const HostState& host, Signal id) { return host.signals.get(id).value.absent().reason; }

}  // namespace

TEST_CASE("the host's memory, pressure, kernel and boot are read") {
    FakeHost host;
    const HostState state = HostReader(host.roots()).read(start);
    CHECK(state.boot_id == "5e0d3c1f-0000-4000-8000-000000000001");
    CHECK(quantity(state, Signal::host_memory_available) == bytes(1024 * 1024));
    CHECK(quantity(state, Signal::host_swap_used) == bytes(40 * 1024));
    CHECK(quantity(state, Signal::host_memory_psi_some) == ratio(0.01));
    CHECK(quantity(state, Signal::host_memory_psi_full) == ratio(0.005));
    CHECK(quantity(state, Signal::host_cpu_psi_some) == ratio(0.02));
    CHECK(std::get<std::string>(*state.signals.get(Signal::host_kernel).value) == "6.1.0-fake");
}

TEST_CASE("swapping is counted in bytes a second from the second reading on") {
    FakeHost host;
    HostReader reader(host.roots());
    host.tree.write("proc/vmstat", "pswpin 100\npswpout 50\n");
    CHECK(absence(reader.read(start), Signal::host_swap_in) == Absence::not_observed);
    host.tree.write("proc/vmstat", "pswpin 110\npswpout 50\n");
    const HostState state = reader.read(start + 5s);
    CHECK(quantity(state, Signal::host_swap_in).value == Approx(2.0 * static_cast<double>(::sysconf(_SC_PAGESIZE))));
    CHECK(quantity(state, Signal::host_swap_in).unit == unit::bytes_per_second);
    CHECK(quantity(state, Signal::host_swap_out).value == 0);
}

TEST_CASE("a rate says for how long it stands: longer than a tick after a reading that was missed") {
    FakeHost host;
    HostReader reader(host.roots());
    static_cast<void>(reader.read(start));
    CHECK(reader.read(start + 5s).signals.get(Signal::host_swap_in).exposure.window == 5s);
    const std::string vmstat = "pswpin 100\npswpout 0\n";
    host.tree.write("proc/vmstat", "rubbish\n");
    CHECK_FALSE(reader.read(start + 10s).signals.get(Signal::host_swap_in).value.present());
    host.tree.write("proc/vmstat", vmstat);
    const HostState state = reader.read(start + 15s);
    CHECK(state.signals.get(Signal::host_swap_in).exposure.window == 10s);
    CHECK(quantity(state, Signal::host_swap_in).value == Approx(10.0 * static_cast<double>(::sysconf(_SC_PAGESIZE))));
    CHECK(state.signals.get(Signal::host_cpu_context_switch).exposure.window == 5s);
}

TEST_CASE("stolen time is a share of all CPU time of the tick") {
    FakeHost host;
    HostReader reader(host.roots());
    host.tree.write("proc/stat", "cpu  100 0 100 800 0 0 0 10 0 0\nctxt 1000\n");
    CHECK(absence(reader.read(start), Signal::host_cpu_steal) == Absence::not_observed);
    host.tree.write("proc/stat", "cpu  150 0 125 825 0 0 0 110 0 0\nctxt 6000\n");
    const HostState state = reader.read(start + 5s);
    CHECK(quantity(state, Signal::host_cpu_steal) == ratio(0.5));
    CHECK(quantity(state, Signal::host_cpu_context_switch) == rate(1000));
    CHECK(absence(reader.read(start + 6s), Signal::host_cpu_steal) == Absence::no_data);
}

TEST_CASE("a file of the host that is missing makes only its own signals absent") {
    FakeHost host;
    host.tree.remove("proc/vmstat");
    host.tree.remove("proc/pressure");
    const HostState state = HostReader(host.roots()).read(start);
    CHECK(absence(state, Signal::host_swap_in) == Absence::not_supported);
    CHECK(absence(state, Signal::host_memory_psi_some) == Absence::not_supported);
    CHECK(absence(state, Signal::host_cpu_psi_some) == Absence::not_supported);
    CHECK(quantity(state, Signal::host_memory_available) == bytes(1024 * 1024));
}

TEST_CASE("malformed files of the host are malformed, not zero") {
    FakeHost host;
    host.tree.write("proc/meminfo", "MemAvailable:    many kB\nSwapTotal:   10 kB\nSwapFree:   60 kB\n");
    host.tree.write("proc/stat", "cpu  x\nctxt -1\n");
    host.tree.write("proc/pressure/memory", "none\n");
    const HostState state = HostReader(host.roots()).read(start);
    for (const Signal id : {Signal::host_memory_available, Signal::host_swap_used, Signal::host_cpu_steal,
                            Signal::host_cpu_context_switch, Signal::host_memory_psi_some})
        CHECK(absence(state, id) == Absence::malformed);
}

TEST_CASE("files of the host that vanish between two readings take their rates away and give them back") {
    FakeHost host;
    HostReader reader(host.roots());
    reader.read(start);
    host.tree.remove("proc/vmstat");
    CHECK(absence(reader.read(start + 5s), Signal::host_swap_in) == Absence::not_supported);
    host.tree.write("proc/vmstat", "pswpin 10\npswpout 0\n");
    CHECK(quantity(reader.read(start + 10s), Signal::host_swap_in).value ==
          Approx(static_cast<double>(::sysconf(_SC_PAGESIZE))));
}

TEST_CASE("online CPUs are a CPU list that is not empty") {
    FakeHost host;
    CHECK(HostReader(host.roots()).online().value() == CpuSet({0, 1}));
    host.tree.write("sys/devices/system/cpu/online", "\n");
    CHECK(HostReader(host.roots()).online().absent().reason == Absence::malformed);
    host.tree.remove("sys/devices/system/cpu/online");
    CHECK(HostReader(host.roots()).online().absent().reason == Absence::not_supported);
}

TEST_CASE("interrupts are shares of all CPU time of the tick") {
    FakeHost host;
    HostReader reader(host.roots());
    host.tree.write("proc/stat", "cpu  100 0 100 800 0 10 20 0 0 0\nctxt 1\n");
    reader.read(start);
    host.tree.write("proc/stat", "cpu  150 0 100 820 0 20 40 0 0 0\nctxt 1\n");
    const HostState state = reader.read(start + 5s);
    CHECK(quantity(state, Signal::host_cpu_irq) == ratio(0.1));
    CHECK(quantity(state, Signal::host_cpu_softirq) == ratio(0.2));
}

TEST_CASE("the host's pressure is told over all windows of the kernel, and in this tick") {
    FakeHost host;
    HostReader reader(host.roots());
    reader.read(start);
    host.tree.write("proc/pressure/memory",
                    "some avg10=1.00 avg60=2.00 avg300=3.00 total=500000\n"
                    "full avg10=0.50 avg60=0.60 avg300=0.70 total=0\n");
    const HostState state = reader.read(start + 5s);
    CHECK(quantity(state, Signal::host_memory_psi_some_60s) == ratio(0.02));
    CHECK(quantity(state, Signal::host_memory_psi_some_300s) == ratio(0.03));
    CHECK(quantity(state, Signal::host_memory_psi_full_60s).value == Approx(0.006));
    CHECK(quantity(state, Signal::host_memory_psi_full_300s).value == Approx(0.007));
    CHECK(quantity(state, Signal::host_memory_stall).value == Approx(0.1));
}

TEST_CASE("the chosen word stands in brackets") {
    CHECK(chosen_word("always [madvise] never\n").value() == "madvise");
    CHECK(chosen_word("[always] madvise never\n").value() == "always");
    for (const char* wrong : {"", "always madvise never", "always [] never", "]always[", "[always"})
        CHECK(chosen_word(wrong).absent().reason == Absence::malformed);
}

#include "catch.h"
#include "observe/cgroup_reader.h"
#include "observe/counter.h"
#include "observe/host_reader.h"
#include "observe/keyed.h"
#include "observe/proc_files.h"
#include "observe/psi.h"

using namespace gotuned;
using namespace std::chrono_literals;

namespace {
constexpr MonoTime start{1h};
}

TEST_CASE("a keyed number is found by its whole key") {
    constexpr std::string_view text = "anon_thp 7\nanon 42\nfile 9";
    CHECK(keyed_number(text, "anon").value() == 42);
    CHECK(keyed_number(text, "file").value() == 9);
}

TEST_CASE("a key that is missing is not supported, one without a number is malformed") {
    CHECK(keyed_number("anon 42\n", "file").absent().reason == Absence::not_supported);
    CHECK(keyed_number("", "file").absent().reason == Absence::not_supported);
    for (const char* wrong : {"anon x\n", "anon \n", "anon -1\n", "anon 1 2\n", "anon 99999999999999999999999\n"})
        CHECK(keyed_number(wrong, "anon").absent().reason == Absence::malformed);
}

TEST_CASE("kilobytes become bytes") {
    CHECK(keyed_kilobytes("VmRSS:\t    1784 kB\n", "VmRSS").value() == 1784 * 1024);
    CHECK(keyed_kilobytes("VmSwap:\t       0 kB", "VmSwap").value() == 0);
    for (const char* wrong : {"VmRSS:\t12\n", "VmRSS:\tx kB\n", "VmRSS:\t99999999999999999 kB\n", "VmRSS: kB\n"})
        CHECK(keyed_kilobytes(wrong, "VmRSS").absent().reason == Absence::malformed);
}

TEST_CASE("a counter gives a rate from its second reading on") {
    Counter counter;
    CHECK(counter.per_second(100, start).absent().reason == Absence::not_observed);
    CHECK(counter.per_second(110, start + 5s).value() == 2);
    CHECK(counter.per_second(110, start + 6s).value() == 0);
}

TEST_CASE("a counter that fell was started anew: no rate, and the next one counts from there") {
    Counter counter;
    CHECK_FALSE(counter.per_second(100, start));
    CHECK(counter.per_second(5, start + 1s).absent().reason == Absence::restarted);
    CHECK(counter.per_second(7, start + 2s).value() == 2);
}

TEST_CASE("a counter that could not be read once loses nothing") {
    Counter counter;
    CHECK_FALSE(counter.per_second(100, start));
    CHECK(counter.per_second(Absence::vanished, start + 1s).absent().reason == Absence::vanished);
    CHECK(counter.per_second(110, start + 5s).value() == 2);
}

TEST_CASE("two readings of a counter at one time tell nothing") {
    Counter counter;
    CHECK_FALSE(counter.per_second(100, start));
    CHECK(counter.per_second(200, start).absent().reason == Absence::not_observed);
    CHECK(counter.per_second(200, start + 1s).value() == 100);
}

TEST_CASE("stat is read behind a command name that looks like stat") {
    const auto stat = parse_proc_stat(
        "4711 (a) S 1 (b) R 1 1 1 0 -1 4194304 100 0 0 0 150 50 0 0 20 0 7 0 998877 1000 200 18446744073709551615 0\n");
    REQUIRE(stat);
    CHECK(stat->state == 'R');
    CHECK(stat->start_ticks == 998877);
    CHECK(stat->cpu_time == 2s);
}

TEST_CASE("a stat that is torn or no stat is malformed") {
    for (const char* wrong : {"", "4711 (x", "4711 (x) S 1 1", "4711 (x) S 1 1 1 0 -1 1 1 0 0 0 a b 0 0 20 0 7 0 9 1 2",
                              "4711 (x) SS 1 1 1 0 -1 1 1 0 0 0 1 1 0 0 20 0 7 0 9 1 2"})
        CHECK(parse_proc_stat(wrong).absent().reason == Absence::malformed);
}

TEST_CASE("status gives user, threads, memory and CPUs") {
    const auto status = parse_proc_status(
        "Name:\tx\nState:\tS (sleeping)\nUid:\t1000\t0\t0\t0\nVmRSS:\t 100 kB\nRssAnon:\t 60 kB\nRssFile:\t 30 kB\n"
        "RssShmem:\t 10 kB\nVmSwap:\t 5 kB\nThreads:\t12\nCpus_allowed:\tf\nCpus_allowed_list:\t0-3\n");
    CHECK(status.uid.value() == 1000);
    CHECK(status.threads.value() == 12);
    CHECK(status.rss.value() == 102400);
    CHECK(status.anon.value() == 61440);
    CHECK(status.file.value() == 30720);
    CHECK(status.shmem.value() == 10240);
    CHECK(status.swap.value() == 5120);
    CHECK(status.cpus_allowed.value() == CpuSet({0, 1, 2, 3}));
}

TEST_CASE("a zombie has threads and no memory") {
    const auto status =
        parse_proc_status("Name:\tx\nState:\tZ (zombie)\nUid:\t0\t0\t0\t0\nThreads:\t1\nCpus_allowed_list:\t0\n");
    CHECK(status.threads.value() == 1);
    CHECK(status.rss.absent().reason == Absence::vanished);
    CHECK(status.swap.absent().reason == Absence::vanished);
}

TEST_CASE("each line of status that is missing or malformed is absent by itself") {
    const auto status =
        parse_proc_status("State:\tS (sleeping)\nUid:\tx\nThreads:\tmany\nVmRSS:\t10 kB\nCpus_allowed_list:\t3-1\n");
    CHECK(status.uid.absent().reason == Absence::malformed);
    CHECK(status.threads.absent().reason == Absence::malformed);
    CHECK(status.rss.value() == 10240);
    CHECK(status.anon.absent().reason == Absence::not_supported);
    CHECK(status.cpus_allowed.absent().reason == Absence::malformed);
}

TEST_CASE("a limit has a soft and a hard value, each of which may be unlimited") {
    constexpr std::string_view text =
        "Limit                     Soft Limit           Hard Limit           Units     \n"
        "Max processes             96365                unlimited            processes \n"
        "Max open files            1024                 524288               files     \n"
        "Max file locks            unlimited            unlimited            locks     \n";
    CHECK(parse_limit(text, "Max open files")->soft == count(1024));
    CHECK(parse_limit(text, "Max open files")->hard == count(524288));
    CHECK(parse_limit(text, "Max processes")->soft == count(96365));
    CHECK(parse_limit(text, "Max processes")->hard.unlimited());
    CHECK(parse_limit(text, "Max file locks")->soft.unlimited());
    CHECK(parse_limit(text, "Max cpu time").absent().reason == Absence::malformed);
    CHECK(parse_limit("Max open files            many 3 files\n", "Max open files").absent().reason ==
          Absence::malformed);
    CHECK(parse_limit("Max open files            3\n", "Max open files").absent().reason == Absence::malformed);
}

TEST_CASE("a pressure file gives shares and the time in all") {
    const auto pressure = parse_pressure(
        "some avg10=12.50 avg60=0.57 avg300=0.49 total=11198460\nfull avg10=0.00 avg60=0.00 avg300=100.00 total=7\n");
    REQUIRE(pressure.some);
    CHECK(pressure.some->avg10 == Approx(0.125));
    CHECK(pressure.some->total_us == 11198460);
    REQUIRE(pressure.full);
    CHECK(pressure.full->avg300 == 1);
}

TEST_CASE("CPU pressure without a full line is not supported, without any line it is malformed") {
    const auto pressure = parse_pressure("some avg10=1.00 avg60=0.57 avg300=0.49 total=1\n");
    CHECK(pressure.some);
    CHECK(pressure.full.absent().reason == Absence::not_supported);
    CHECK(parse_pressure("").some.absent().reason == Absence::malformed);
    for (const char* wrong : {"some avg10=x avg60=0 avg300=0 total=1", "some avg10=1.00 avg60=0.57",
                              "some avg10=101.00 avg60=0 avg300=0 total=1", "some avg10=-1 avg60=0 avg300=0 total=1",
                              "some avg10=nan avg60=0 avg300=0 total=1", "some avg60=0 avg10=1 avg300=0 total=1",
                              "some avg10=1.00 avg60=0.57 avg300=0.49 total=-1"})
        CHECK(parse_pressure(wrong).some.absent().reason == Absence::malformed);
}

TEST_CASE("pressure that could not be read is absent for the file's reason in both lines") {
    const auto pressure = pressure_of(Reading<std::string>(Absent{Absence::not_supported, "off"}));
    CHECK(pressure.some.absent() == Absent{Absence::not_supported, "off"});
    CHECK(pressure.full.absent() == Absent{Absence::not_supported, "off"});
}

TEST_CASE("a cgroup limit of max is unlimited") {
    CHECK(std::get<Quantity>(*parse_cgroup_limit("max\n", unit::bytes)).unlimited());
    CHECK(std::get<Quantity>(*parse_cgroup_limit("4096\n", unit::bytes)) == bytes(4096));
    for (const char* wrong : {"", "maximum", "-1", "4096 1"})
        CHECK(parse_cgroup_limit(wrong, unit::bytes).absent().reason == Absence::malformed);
}

TEST_CASE("a CPU quota is counted in CPUs") {
    CHECK(std::get<Quantity>(*parse_cpu_max("150000 100000\n")) == count(1.5));
    CHECK(std::get<Quantity>(*parse_cpu_max("max 100000\n")).unlimited());
    for (const char* wrong : {"", "max", "100 0", "x 100000", "1 2 3"})
        CHECK(parse_cpu_max(wrong).absent().reason == Absence::malformed);
}

TEST_CASE("the times of all CPUs are added up once, guest time is in user time") {
    const auto times = parse_cpu_times("cpu  10 1 20 300 4 0 5 60 9 9\ncpu0 1 1 1 1 1 1 1 1 0 0\n");
    REQUIRE(times);
    CHECK(times->all == 400);
    CHECK(times->steal == 60);
    for (const char* wrong : {"", "cpu0 1 2 3 4 5 6 7 8\n", "cpu  1 2 3\n", "cpu  1 2 3 4 x 6 7 8\n"})
        CHECK(parse_cpu_times(wrong).absent().reason == Absence::malformed);
}

TEST_CASE("only the daemon's own variables are taken from its environment") {
    const char* const environment[] = {"HOME=/root", "GOTUNED_ENVIRONMENT=production", "GOTUNED_EMPTY=", "GOTUNED=off",
                                       nullptr};
    CHECK(own_environment(environment) ==
          std::map<std::string, std::string>{{"GOTUNED_ENVIRONMENT", "production"}, {"GOTUNED_EMPTY", ""}});
    CHECK(own_environment(nullptr).empty());
}

// The engine on this kernel's own huge pages and disks. What a test changes is put back whatever happens (guardian.h).
#include <cstdio>
#include <cstdlib>

#include "../unit/tune/bench.h"
#include "catch.h"
#include "guardian.h"
#include "tune/sysfs_setting.h"

using namespace gotuned;
using namespace gotuned::test;

namespace {

const std::string pages = "/sys/kernel/mm/transparent_hugepage/";

SysfsSetting setting(const std::string& path) {
    const auto now = read_setting(path, path);
    REQUIRE(now);
    return *now;
}
std::string other_than(const SysfsSetting& now) {
    for (const std::string& word : now.offered)
        if (word != now.text) return word;
    return {};
}

/// This machine lets huge pages be set; else the whole executable is skipped.
bool writable() {
    if (::access((pages + "defrag").c_str(), W_OK) == 0) return true;
    std::puts("SKIPPED: /sys/kernel/mm/transparent_hugepage cannot be written here");
    std::exit(77);
}

/// A disk with a choice of schedulers that nothing is on: an unused loop device. Empty when there is none.
std::string idle_disk() {
    for (int i = 7; i >= 0; --i) {
        const std::string name = "loop" + std::to_string(i);
        const std::string directory = "/sys/block/" + name;
        const auto size = read_file(directory + "/size");
        const auto scheduler = read_setting(directory + "/queue/scheduler", name);
        if (size && trim(*size) == "0" && scheduler && scheduler->offered.size() > 1) return name;
    }
    return {};
}

}  // namespace

TEST_CASE("a real word of huge pages is written, read back and undone") {
    REQUIRE(writable());
    const std::string path = pages + "defrag";
    const SysfsSetting before = setting(path);
    const Guardian guardian(path, before.text);
    Bench bench(Bench::Proc::real);
    bench.start();
    const std::string wanted = other_than(before);
    bench.act(bench.fire("test", HostId{}, {{"sysfs.thp.defrag", wanted}}));
    CHECK(setting(path).text == wanted);
    bench.tick();
    CHECK(bench.only().state == AdjustmentState::applied);
    bench.undo();
    CHECK(setting(path).text == before.text);
}

TEST_CASE("a real number of khugepaged is written and undone, and never more than a huge page has") {
    REQUIRE(writable());
    const std::string path = pages + "khugepaged/max_ptes_none";
    const Guardian guardian(path);
    Bench bench(Bench::Proc::real);
    bench.start();
    const double wanted = guardian.found() == "0" ? 1 : 0;
    bench.act(bench.fire("test", HostId{}, {{"sysfs.thp.khugepaged.max_ptes_none", count(wanted)}}));
    CHECK(present(path) == to_string(count(wanted)));
    bench.undo();
    CHECK(present(path) == guardian.found());
    bench.act(bench.fire("more", HostId{}, {{"sysfs.thp.khugepaged.max_ptes_none", count(8191)}}));
    CHECK(bench.told.count("failed") == 0);
}

TEST_CASE("the scheduler of a real disk is switched and switched back") {
    const std::string disk = idle_disk();
    if (disk.empty()) {
        WARN("SKIPPED: no unused loop device has a choice of schedulers");
        return;
    }
    const std::string path = "/sys/block/" + disk + "/queue/scheduler";
    const SysfsSetting before = setting(path);
    const Guardian guardian(path, before.text);
    Bench bench(Bench::Proc::real);
    bench.start();
    const std::string wanted = other_than(before);
    bench.act(bench.fire("test", HostId{}, {{"sysfs.block." + disk + ".scheduler", wanted}}));
    CHECK(setting(path).text == wanted);
    CHECK(setting(path).offered == before.offered);
    bench.undo();
    CHECK(setting(path).text == before.text);
}

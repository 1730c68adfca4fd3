// Settings below /sys: words in brackets, numbers, and disks, in a fake tree. tests/host/tune_sysfs.cpp has the real
// one.
#include "bench.h"
#include "catch.h"
#include "tune/sysfs_setting.h"

using namespace gotuned;
using namespace gotuned::test;

namespace {

constexpr const char* pages = "sys/kernel/mm/transparent_hugepage/";
constexpr const char* scheduler = "sysfs.block.nvme0n1.scheduler";
constexpr const char* scheduler_file = "sys/block/nvme0n1/queue/scheduler";

struct SysBench : Bench {
    SysBench() {
        options.roots.sys = dir / "sys";
        dir.put(std::string(pages) + "enabled", "always [madvise] never\n");
        dir.put(std::string(pages) + "shmem_enabled", "always within_size advise [never] deny force\n");
        dir.put(std::string(pages) + "hpage_pmd_size", "2097152\n");
        dir.put(std::string(pages) + "khugepaged/max_ptes_none", "511\n");
        dir.put(scheduler_file, "[none] mq-deadline kyber\n");
        dir.put("sys/block/nvme0n1/diskseq", "12\n");
        start();
    }
    void set(const std::string& knob, const Value& to) const { act(fire("rule", HostId{}, {{knob, to}})); }
    [[nodiscard]] std::string text(const std::string& file) const { return std::string(trim(dir.get(file))); }
};

}  // namespace

TEST_CASE("of bracketed words the chosen one is read, and a number is a count") {
    const SysBench bench;
    const auto words = read_setting(bench.dir / (std::string(pages) + "enabled"), "knob");
    REQUIRE(words);
    CHECK(words->text == "madvise");
    CHECK(words->offered == std::vector<std::string>{"always", "madvise", "never"});
    CHECK(words->state().value == Value(std::string("madvise")));
    const auto number = read_setting(bench.dir / (std::string(pages) + "khugepaged/max_ptes_none"), "knob");
    REQUIRE(number);
    CHECK(number->state().value == Value(count(511)));
}

TEST_CASE("a setting that is missing, empty or without a choice is not read as anything") {
    const SysBench bench;
    CHECK(read_setting(bench.dir / "sys/none", "knob").error().code == ENOENT);
    bench.dir.put("sys/empty", "\n");
    CHECK(read_setting(bench.dir / "sys/empty", "knob").error().code == EPROTO);
    bench.dir.put("sys/unchosen", "always never\n");
    CHECK(read_setting(bench.dir / "sys/unchosen", "knob").error().code == EPROTO);
}

TEST_CASE("a word of huge pages is written, and the one that was chosen comes back") {
    const SysBench bench;
    bench.set("sysfs.thp.enabled", std::string("never"));
    CHECK(bench.text(std::string(pages) + "enabled") == "never");
    CHECK(bench.told.last("applied").original == "madvise");
    bench.undo();
    CHECK(bench.text(std::string(pages) + "enabled") == "madvise");
}

TEST_CASE("a word that the file does not offer is refused, and so is one that is not safe") {
    const SysBench bench;
    bench.set("sysfs.thp.enabled", std::string("sometimes"));
    CHECK(bench.refusal().find("one of always, madvise, never") != std::string::npos);
    bench.act(bench.fire("other", HostId{}, {{"sysfs.thp.shmem_enabled", std::string("force")}}));
    CHECK(bench.refusal().find("not safe") != std::string::npos);
    CHECK(bench.text(std::string(pages) + "shmem_enabled") == "always within_size advise [never] deny force");
}

TEST_CASE("khugepaged is never told more pages than a huge page has") {
    const SysBench bench;
    bench.dir.put(std::string(pages) + "khugepaged/max_ptes_none", "0\n");
    bench.set("sysfs.thp.khugepaged.max_ptes_none", count(5000));
    CHECK(bench.text(std::string(pages) + "khugepaged/max_ptes_none") == "511");
}

TEST_CASE("a setting that this kernel does not have is refused with its path") {
    const SysBench bench;
    bench.set("sysfs.thp.shrink_underused", count(1));
    CHECK(bench.refusal().find("this kernel has no") != std::string::npos);
}

TEST_CASE("a disk's scheduler is one that it offers") {
    const SysBench bench;
    bench.set(scheduler, std::string("bfq"));
    CHECK(bench.refusal().find("one of none, mq-deadline, kyber") != std::string::npos);
}

TEST_CASE("a disk's scheduler is set and put back") {
    const SysBench bench;
    bench.set(scheduler, std::string("mq-deadline"));
    CHECK(bench.text(scheduler_file) == "mq-deadline");
    bench.undo();
    CHECK(bench.text(scheduler_file) == "none");
}

TEST_CASE("a disk that is not there is refused") {
    const SysBench bench;
    bench.set("sysfs.block.sdz.scheduler", std::string("none"));
    CHECK(bench.refusal().find("there is no such block device") != std::string::npos);
}

TEST_CASE("another disk that has the name since is left alone") {
    SysBench bench;
    bench.set(scheduler, std::string("mq-deadline"));
    bench.dir.put("sys/block/nvme0n1/diskseq", "13\n");
    bench.tick();
    CHECK(bench.engine->live().empty());
    CHECK(bench.told.count("gone") == 1);
    CHECK(bench.text(scheduler_file) == "mq-deadline");
}

TEST_CASE("a disk that was taken out is gone, not an undo that is tried for ever") {
    SysBench bench;
    bench.set(scheduler, std::string("mq-deadline"));
    std::filesystem::remove_all(bench.dir / "sys/block/nvme0n1");
    bench.undo();
    CHECK(bench.engine->live().empty());
    CHECK(bench.told.count("gone") == 1);
}

TEST_CASE("a restart finds the disk that was journaled") {
    SysBench bench;
    bench.set(scheduler, std::string("mq-deadline"));
    const Rulebook none = rulebook({});
    bench.restart(&none);
    CHECK(bench.text(scheduler_file) == "none");
}

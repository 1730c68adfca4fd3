#include "base/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "catch.h"
#include "fake_tree.h"

using namespace gotuned;

TEST_CASE("a file is read whole, also one whose size is not known") {
    FakeTree tree;
    tree.write("small", "text\n");
    CHECK(read_file(tree.path("small")).value() == "text\n");
    tree.write("empty", "");
    CHECK(read_file(tree.path("empty")).value().empty());
    const auto status = read_file("/proc/self/status");  // st_size is 0
    REQUIRE(status);
    CHECK(status->starts_with("Name:"));
}

TEST_CASE("a file up to the limit is read, a longer one is an error and not a part of it") {
    FakeTree tree;
    tree.write("file", std::string(1000, 'x'));
    CHECK(read_file(tree.path("file"), 1000).value().size() == 1000);
    CHECK(read_file(tree.path("file"), 999).error().code == EFBIG);
}

TEST_CASE("a file that is missing is an error that names it") {
    FakeTree tree;
    const auto content = read_file(tree.path("none"));
    REQUIRE_FALSE(content);
    CHECK(content.error().code == ENOENT);
    CHECK(to_string(content.error()).find("none") != std::string::npos);
    CHECK(to_string(content.error()).find("ENOENT") != std::string::npos);
    CHECK(read_file(tree.root()).error().code == EISDIR);
}

TEST_CASE("a file is read below a directory that is held, and not when the directory is gone") {
    FakeTree tree;
    tree.write("held/file", "1");
    const Fd directory(::open(tree.path("held").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    CHECK(read_file_at(directory.get(), "file").value() == "1");
    tree.remove("held");
    tree.write("held/file", "2");
    CHECK(read_file_at(directory.get(), "file").error().code == ENOENT);
}

TEST_CASE("a kernel file is written, never made") {
    FakeTree tree;
    CHECK(write_kernel_file(tree.path("none"), "1").error().code == ENOENT);
    CHECK_FALSE(std::filesystem::exists(tree.path("none")));
    tree.write("there", "");
    CHECK(write_kernel_file(tree.path("there"), "60"));
    CHECK(read_file(tree.path("there")).value() == "60");
    CHECK(write_kernel_file("/dev/full", "1").error().code == ENOSPC);
}

TEST_CASE("a file that is replaced is the new one as a whole, with its mode, and nothing else is left behind") {
    FakeTree tree;
    tree.write("file", "a long old content");
    const Fd old(::open(tree.path("file").c_str(), O_RDONLY | O_CLOEXEC));
    REQUIRE(replace_file(tree.path("file"), "new", 0600));
    CHECK(read_file(tree.path("file")).value() == "new");
    char first = 0;
    CHECK(::pread(old.get(), &first, 1, 0) == 1);
    CHECK(first == 'a');  // who had it open still sees the old one
    struct stat status{};
    REQUIRE(::stat(tree.path("file").c_str(), &status) == 0);
    CHECK((status.st_mode & 0777U) == 0600);
    CHECK_FALSE(std::filesystem::exists(tree.path("file.new")));
    CHECK(replace_file(tree.path("none/file"), "x").error().code == ENOENT);
}

TEST_CASE("only a whole decimal number is a number") {
    std::uint64_t number = 7;
    for (const char* wrong : {"", "\n", " 1", "1 ", "1\n\n", "-1", "+1", "0x10", "1.0", "18446744073709551616"}) {
        INFO(wrong);
        CHECK_FALSE(parse_u64(wrong, number));
        CHECK(number == 7);
    }
    CHECK((parse_u64("18446744073709551615\n", number) && number == UINT64_MAX));
    CHECK((parse_u64("007", number) && number == 7));
    double value = 7;
    for (const char* wrong : {"", "nan", "inf", "1e999", "1,5", "x", " 1", "1 "}) {
        INFO(wrong);
        CHECK_FALSE(parse_double(wrong, value));
        CHECK(value == 7);
    }
    CHECK((parse_double("12.50\n", value) && value == 12.5));
}

TEST_CASE("blanks are trimmed at both ends only") {
    CHECK(trim("  a b\t\n") == "a b");
    CHECK(trim(" \n").empty());
    CHECK(trim("").empty());
}

TEST_CASE("the cgroup v2 mount is the one whose root is the hierarchy's own") {
    FakeTree tree;
    tree.write("proc/self/mountinfo",
               "20 1 0:19 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
               "21 20 0:20 /docker/1 /bound rw - cgroup2 cgroup2 rw\n"
               "22 20 0:21 / /sys/fs/my\\040cgroup\\134x rw,nosuid shared:9 master:2 - cgroup2 cgroup2 rw\n");
    CHECK(find_cgroup2(tree.path("proc")) == "/sys/fs/my cgroup\\x");
}

TEST_CASE("a host without a cgroup v2 mount, or without a readable mount table, has none") {
    FakeTree tree;
    CHECK(find_cgroup2(tree.path("proc")).empty());
    tree.write("proc/self/mountinfo", "torn - cgroup2\n20 1 - cgroup2 x\n\n21 20 0:20 / /x rw - cgroup cgroup rw\n");
    CHECK(find_cgroup2(tree.path("proc")).empty());
}

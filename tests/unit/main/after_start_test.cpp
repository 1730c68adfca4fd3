#include "main/after_start.h"

#include "base/files.h"
#include "catch.h"

using namespace gotuned;

TEST_CASE("clean code is that of files which nobody wrote to") {
    const auto found = clean_code(
        "00400000-00500000 r-xp 00001000 08:01 12 /usr/sbin/gotuned\n"
        "Size: 1024 kB\nRss: 512 kB\nAnonymous:             0 kB\nVmFlags: rd ex mr\n"
        "00500000-00600000 r--p 00101000 08:01 12 /usr/sbin/gotuned\n"
        "Anonymous:             0 kB\n"
        "00600000-00700000 r-xp 00001000 08:01 13 /usr/lib/libc.so.6\n"
        "Anonymous:             4 kB\n"
        "7fff0000-7fff2000 r-xp 00000000 00:00 0 [vdso]\n"
        "Anonymous:             0 kB\n"
        "80000000-80001000 rwxp 00000000 08:01 14 /usr/lib/odd.so\n"
        "Anonymous:             0 kB\n"
        "90000000-90001000 r-xp 00000000 08:01 15 /usr/lib/with a blank.so (deleted)\n"
        "Anonymous:             0 kB\n");
    CHECK(found == std::vector<CodePages>{{0x400000, 0x500000}, {0x90000000, 0x90001000}});
    CHECK(clean_code("").empty());
    CHECK(clean_code("torn-\nAnonymous: 0 kB\n").empty());
}

TEST_CASE("code that was given back runs on") {
    const auto before = read_file("/proc/self/smaps", 4U << 20U);
    REQUIRE(before);
    REQUIRE_FALSE(clean_code(*before).empty());
    give_back_start();
    const auto after = read_file("/proc/self/smaps", 4U << 20U);
    REQUIRE(after);
    CHECK(clean_code(*after) == clean_code(*before));  // the mappings are all there
}

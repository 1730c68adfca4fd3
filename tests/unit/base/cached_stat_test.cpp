#include "base/cached_stat.h"

#include <fcntl.h>

#include <cerrno>

#include "catch.h"
#include "fake_tree.h"

using namespace gotuned;

TEST_CASE("what is cached of a local file is what stat says, through links, too") {
    const FakeTree tree;
    tree.write("file", "four");
    tree.link("link", tree.path("file"));
    struct stat real{};
    REQUIRE(::stat(tree.path("file").c_str(), &real) == 0);
    for (const char* name : {"file", "link"}) {
        const auto cached = cached_stat(AT_FDCWD, tree.path(name));
        REQUIRE(cached);
        CHECK(cached->st_dev == real.st_dev);
        CHECK(cached->st_ino == real.st_ino);
        CHECK(cached->st_mode == real.st_mode);
        CHECK(cached->st_size == 4);
        CHECK(cached->st_mtim.tv_sec == real.st_mtim.tv_sec);
        CHECK(cached->st_mtim.tv_nsec == real.st_mtim.tv_nsec);
    }
}

TEST_CASE("a file that is not there is an error with its name and number") {
    const FakeTree tree;
    const auto cached = cached_stat(AT_FDCWD, tree.path("none"));
    REQUIRE_FALSE(cached);
    CHECK(cached.error().code == ENOENT);
    CHECK(cached.error().what.find("/none") != std::string::npos);
}

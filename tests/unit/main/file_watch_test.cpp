#include "main/file_watch.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "catch.h"

using namespace gotuned;
namespace fs = std::filesystem;

namespace {

struct Folder {
    fs::path path;
    Folder() {
        std::string name = (fs::temp_directory_path() / "gotuned-watch-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path = name;
    }
    ~Folder() { fs::remove_all(path); }
};

void write(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }

}  // namespace

TEST_CASE("a written, renamed or removed rulebook file is noticed; an editor's own file is not") {
    const Folder folder;
    const fs::path rules = folder.path / "rulebook.d";
    fs::create_directory(rules);
    auto watch = FileWatch::open({rules.string()});
    REQUIRE(watch);
    CHECK_FALSE(watch->changed());
    write(rules / "10-a.yaml", "version: 1\n");
    CHECK(watch->changed());
    write(rules / ".10-a.yaml.swp", "x");
    CHECK_FALSE(watch->changed());
    fs::rename(rules / "10-a.yaml", rules / "20-a.yaml");
    CHECK(watch->changed());
    fs::remove(rules / "20-a.yaml");
    CHECK(watch->changed());
}

TEST_CASE("a directory that appears later is watched from then on") {
    const Folder folder;
    const fs::path rules = folder.path / "rulebook.d";
    auto watch = FileWatch::open({rules.string()});
    REQUIRE(watch);
    fs::create_directory(rules);
    CHECK(watch->changed());
    write(rules / "a.yaml", "version: 1\n");
    CHECK(watch->changed());
}

TEST_CASE("the symlink swap of a Kubernetes ConfigMap is noticed") {
    const Folder folder;
    fs::create_directories(folder.path / "..one");
    fs::create_directories(folder.path / "..two");
    write(folder.path / "..one" / "a.yaml", "version: 1\n");
    write(folder.path / "..two" / "a.yaml", "version: 1\n\n");
    fs::create_directory_symlink("..one", folder.path / "..data");
    fs::create_symlink("..data/a.yaml", folder.path / "a.yaml");
    auto watch = FileWatch::open({folder.path.string()});
    REQUIRE(watch);
    CHECK_FALSE(watch->changed());
    fs::create_directory_symlink("..two", folder.path / "..data_tmp");
    fs::rename(folder.path / "..data_tmp", folder.path / "..data");
    CHECK(watch->changed());
}

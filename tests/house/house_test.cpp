#include "catch.h"
#include "fake_tree.h"
#include "paths.h"
#include "rules.h"

using namespace gotuned;
using namespace gotuned::house;

namespace {

const std::filesystem::path here = source_folder();

/// Each broken place is a failure with its own line.
void expect_none(const std::vector<std::string>& places) {
    for (const std::string& place : places) FAIL_CHECK(place);
    CHECK(places.empty());
}

}  // namespace

TEST_CASE("no include in daemon/ points against the layers") {
    REQUIRE(std::filesystem::exists(here / "daemon" / "base" / "result.h"));
    expect_none(includes_against_the_layers(here));
}

TEST_CASE("no header includes yaml-cpp, CLI11 or nlohmann-json, and no room that has no use for them") {
    expect_none(heavy_includes(here));
}

TEST_CASE("no source file has more than 500 lines") { expect_none(long_files(here)); }

TEST_CASE("an include against the layers is found, one with them is not") {
    FakeTree tree;
    tree.write("daemon/base/fd.h", "#include <string>\n");
    tree.write("daemon/tune/knob.h", "#include \"base/fd.h\"\n");
    tree.write("daemon/export/x.cpp", "#include \"tune/knob.h\"\n");
    tree.write("bpf/gotuned.h", "\n");
    tree.write("daemon/probe/y.cpp", "#include \"bpf/gotuned.h\"\n#include \"sched.skel.h\"\n");
    tree.write("daemon/main.cpp", "#include \"tune/knob.h\"\n");
    CHECK(includes_against_the_layers(tree.root()).empty());

    tree.write("daemon/base/fd.cpp", "\n  #  include \"tune/knob.h\"\n");
    CHECK(includes_against_the_layers(tree.root()) ==
          std::vector<std::string>{"daemon/base/fd.cpp:2: base may not include tune/knob.h"});
}

TEST_CASE("includes that name no file from daemon/, no room, or another room's BPF are found") {
    for (const char* wrong : {"#include \"fd.h\"\n", "#include \"../base/fd.h\"\n", "#include \"garage/car.h\"\n",
                              "#include \"base/none.h\"\n", "#include \"sched.skel.h\"\n"}) {
        INFO(wrong);
        FakeTree tree;
        tree.write("daemon/base/fd.h", "\n");
        tree.write("daemon/tune/knob.cpp", wrong);
        CHECK(includes_against_the_layers(tree.root()).size() == 1);
    }
    FakeTree tree;
    tree.write("daemon/garage/car.h", "#include <string>\n");
    CHECK(includes_against_the_layers(tree.root()).size() == 1);
}

TEST_CASE("a heavy library in a header or in a strange room is found") {
    FakeTree tree;
    tree.write("daemon/rulebook/yaml.cpp", "#include <yaml-cpp/yaml.h>\n");
    CHECK(heavy_includes(tree.root()).empty());
    tree.write("daemon/rulebook/yaml.h", "#include <yaml-cpp/yaml.h>\n");
    tree.write("daemon/tune/json.cpp", "#include <nlohmann/json.hpp>\n");
    CHECK(heavy_includes(tree.root()).size() == 2);
}

TEST_CASE("a file of 501 lines is found, one of 500 is not") {
    FakeTree tree;
    tree.write("daemon/base/long.cpp", std::string(500, '\n'));
    CHECK(long_files(tree.root()).empty());
    tree.write("daemon/base/long.cpp", std::string(501, '\n'));
    CHECK(long_files(tree.root()) == std::vector<std::string>{"daemon/base/long.cpp: 501 lines"});
}

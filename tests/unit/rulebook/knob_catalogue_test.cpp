#include "rulebook/knob_catalogue.h"

#include <algorithm>

#include "catch.h"

using namespace gotuned;

TEST_CASE("a knob is found by its full name") {
    REQUIRE(find_knob_info("rlimit.nofile") != nullptr);
    CHECK(find_knob_info("rlimit.nofile")->scope == Scope::process);
    REQUIRE(find_knob_info("sysctl.vm.swappiness") != nullptr);
    CHECK(find_knob_info("sysctl.vm.swappiness")->name == "sysctl.");
    CHECK(find_knob_info("sysctl.net.ipv4.conf.eth0/100.rp_filter") != nullptr);
    CHECK(find_knob_info("rlimit.nofiles") == nullptr);
    CHECK(find_knob_info("") == nullptr);
}

TEST_CASE("a sysctl name that leaves /proc/sys is no knob") {
    for (const char* name : {"sysctl.", "sysctl.vm", "sysctl..vm", "sysctl.vm.", "sysctl.vm...swappiness",
                             "sysctl.vm./etc", "sysctl./etc/passwd.x", "sysctl.vm.a b", "sysctl.vm.\n"}) {
        CHECK(find_knob_info(name) == nullptr);
    }
}

TEST_CASE("every knob has sane bounds, and no unbuilt one is found") {
    for (const KnobInfo& knob : knob_catalogue()) {
        CHECK(knob.least <= knob.most);
        CHECK_FALSE(knob.meaning.empty());
    }
    for (const std::string_view name : unbuilt_knobs()) CHECK(find_knob_info(name) == nullptr);
}

TEST_CASE("packaged bounds of sysctls are ordered and of known names") {
    std::vector<std::string_view> names = bounded_sysctls();
    CHECK(std::is_sorted(names.begin(), names.end()));
    for (const std::string_view name : names) {
        CHECK(find_knob_info("sysctl." + std::string(name)) != nullptr);
        CHECK(sysctl_bounds(name)->least <= sysctl_bounds(name)->most);
    }
    CHECK(sysctl_bounds("vm.swappiness")->most == 200);
    CHECK_FALSE(sysctl_bounds("vm.nothing").has_value());
}

#include "main/conflicts.h"

#include <algorithm>

#include "catch.h"
#include "fake_tree.h"

using namespace gotuned;

namespace {

Rulebook rules_of(const std::string& sysctl, Mode mode) {
    Rulebook rulebook;
    Rule rule;
    rule.name = "larger-backlog";
    rule.mode = mode;
    rule.adjust.emplace_back();
    rule.adjust.back().knob = "sysctl." + sysctl;
    rulebook.rules.push_back(rule);
    return rulebook;
}

struct Host {
    FakeTree tree;
    std::vector<std::string> find(const Rulebook& rulebook) const {
        return find_conflicts(rulebook, {tree.path("proc"), tree.root()});
    }
};

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a sysctl that an enforced rule and a file set is told with both names", "[conflicts]") {
    const Host host;
    host.tree.write("etc/sysctl.d/50-net.conf", "# net.core.rmem_max = 1\n; x\n\n  net.core.somaxconn=4096\n");
    const auto lines = host.find(rules_of("net.core.somaxconn", Mode::enforce));
    REQUIRE(lines.size() == 1);
    CHECK(holds(lines[0], "rule larger-backlog may set sysctl net.core.somaxconn"));
    CHECK(holds(lines[0], "/etc/sysctl.d/50-net.conf"));
    CHECK(host.find(rules_of("net.core.rmem_max", Mode::enforce)).empty());
}

TEST_CASE("a rule that only observes conflicts with no file", "[conflicts]") {
    const Host host;
    host.tree.write("etc/sysctl.conf", "vm.swappiness = 10\n");
    CHECK(host.find(rules_of("vm.swappiness", Mode::observe)).empty());
    CHECK(host.find(rules_of("vm.swappiness", Mode::enforce)).size() == 1);
}

TEST_CASE("slashes, patterns and ignored errors of sysctl.d are understood", "[conflicts]") {
    for (const char* line :
         {"net/ipv4/conf/all/rp_filter = 1", "-net.ipv4.conf.all.rp_filter = 1", "net.ipv4.conf.*.rp_filter = 1"}) {
        const Host host;
        CAPTURE(line);
        host.tree.write("usr/lib/sysctl.d/50.conf", line);
        CHECK(host.find(rules_of("net.ipv4.conf.all.rp_filter", Mode::enforce)).size() == 1);
    }
}

TEST_CASE("a file masks one of its name in a later directory, and the last by name counts", "[conflicts]") {
    const Host host;
    host.tree.write("usr/lib/sysctl.d/10.conf", "vm.swappiness = 1\n");
    host.tree.write("etc/sysctl.d/10.conf", "");
    CHECK(host.find(rules_of("vm.swappiness", Mode::enforce)).empty());
    host.tree.write("run/sysctl.d/20.conf", "vm.swappiness = 2\n");
    host.tree.write("usr/lib/sysctl.d/30.conf", "vm.swappiness = 3\n");
    const auto lines = host.find(rules_of("vm.swappiness", Mode::enforce));
    REQUIRE(lines.size() == 1);
    CHECK(holds(lines[0], "/usr/lib/sysctl.d/30.conf"));
}

TEST_CASE("another tuner that runs is told with its pid", "[conflicts]") {
    const Host host;
    host.tree.write("proc/1/comm", "systemd\n");
    host.tree.write("proc/12/comm", "gotuned\n");
    CHECK(host.find({}).empty());
    host.tree.write("proc/812/comm", "tuned\n");
    host.tree.write("proc/813/comm", "bpftune\n");
    auto lines = host.find({});
    REQUIRE(lines.size() == 2);
    std::sort(lines.begin(), lines.end());
    CHECK(holds(lines[0], "TuneD is running (pid 812)"));
    CHECK(holds(lines[1], "bpftune is running (pid 813)"));
}

#include "observe/sysctl.h"

#include <unistd.h>

#include "catch.h"
#include "fake_host.h"

using namespace gotuned;

TEST_CASE("a sysctl's dots are the folders of its path") {
    CHECK(sysctl_path("vm.swappiness").value() == "vm/swappiness");
    CHECK(sysctl_path("net.core.somaxconn").value() == "net/core/somaxconn");
}

TEST_CASE("a slash stands for a dot within a part, unless it is the first separator") {
    CHECK(sysctl_path("net.ipv4.conf.eth0/1.forwarding").value() == "net/ipv4/conf/eth0.1/forwarding");
    CHECK(sysctl_path("net/ipv4/conf/eth0.1/forwarding").value() == "net/ipv4/conf/eth0.1/forwarding");
}

TEST_CASE("no sysctl name leads out of the sysctl tree") {
    for (const char* name :
         {"", ".", "..", "vm..swappiness", "..vm", "vm.", "/etc/passwd", "vm/../../etc/passwd", "vm.//.etc",
          "net/./core", "vm. swappiness", "vm\n", "v\x80m", "a//b", "../../etc/passwd"}) {
        INFO(name);
        CHECK_FALSE(sysctl_path(name));
    }
    CHECK_FALSE(sysctl_path(std::string("vm\0x", 4)));
    CHECK_FALSE(sysctl_path(std::string(1000, 'a')));
}

TEST_CASE("a sysctl of several values stays one text") {
    FakeHost host;
    host.tree.write("proc/sys/net/ipv4/tcp_rmem", "4096\t131072\t6291456\n");
    CHECK(read_sysctl(host.roots(), "net.ipv4.tcp_rmem").value() == "4096\t131072\t6291456");
}

TEST_CASE("a sysctl that this host does not have, or a name that is none, is not supported") {
    FakeHost host;
    host.tree.write("proc/secret", "x");
    CHECK(read_sysctl(host.roots(), "vm.none").absent().reason == Absence::not_supported);
    CHECK(read_sysctl(host.roots(), "vm/../../secret").absent().reason == Absence::not_supported);
    CHECK(read_sysctl(host.roots(), "kernel").absent().reason == Absence::no_data);
}

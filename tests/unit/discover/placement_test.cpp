#include "discover/placement.h"

#include "catch.h"

using namespace gotuned;

namespace {
const std::string id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const std::string inner_id = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";
const std::string uid = "1b2c3d4e-0000-4abc-8def-0123456789ab";
const std::string escaped_uid = "1b2c3d4e_0000_4abc_8def_0123456789ab";

struct Case {
    std::string path, unit, container, pod;
};
}  // namespace

TEST_CASE("unit, container and pod are read from cgroup paths as systemd, engines and kubelet make them") {
    const std::vector<Case> cases{
        {"/", "", "", ""},
        {"/system.slice/payments.service", "payments.service", "", ""},
        {"/system.slice/system-payment.slice/payment@eu\\x2dwest.service", "payment@eu\\x2dwest.service", "", ""},
        {"/system.slice/payments.service/workers/3", "payments.service", "", ""},
        {"/system.slice/_cpu.service", "cpu.service", "", ""},
        {"/user.slice/user-1000.slice/user@1000.service/app.slice/api.service", "api.service", "", ""},
        {"/user.slice/user-1000.slice/user@1000.service/app.slice/app-org.example-4711.scope",
         "app-org.example-4711.scope", "", ""},
        {"/user.slice/user-1000.slice/session-4.scope", "session-4.scope", "", ""},
        {"/init.scope", "init.scope", "", ""},
        {"/.service", "", "", ""},
        {"/system.slice/docker-" + id + ".scope", "docker-" + id + ".scope", id, ""},
        {"/system.slice/docker-" + id + ".scope/app", "docker-" + id + ".scope", id, ""},
        {"/docker/" + id, "", id, ""},
        {"/docker/" + id + "/system.slice/inner.service", "", id, ""},
        {"/machine.slice/libpod-" + id + ".scope/container", "libpod-" + id + ".scope", id, ""},
        {"/machine.slice/libpod-conmon-" + id + ".scope", "libpod-conmon-" + id + ".scope", "", ""},
        {"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + id + ".scope", "libpod-" + id + ".scope",
         id, ""},
        {"/libpod_parent/libpod-" + id, "", id, ""},
        {"/ecs/cluster/task/" + id, "", id, ""},
        {"/kubepods/besteffort/pod" + uid + "/" + id, "", id, uid},
        {"/kubepods/pod" + uid + "/" + id, "", id, uid},
        {"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + escaped_uid + ".slice/cri-containerd-" +
             id + ".scope",
         "cri-containerd-" + id + ".scope", id, uid},
        {"/kubepods.slice/kubepods-pod" + escaped_uid + ".slice/crio-" + id + ".scope", "crio-" + id + ".scope", id,
         uid},
        {"/kubepods.slice/kubepods-pod" + escaped_uid + ".slice/crio-conmon-" + id + ".scope",
         "crio-conmon-" + id + ".scope", "", uid},
        {"/system.slice/containerd.service/kubepods-burstable-pod" + escaped_uid + ".slice:cri-containerd:" + id,
         "containerd.service", id, uid},
        {"/kubepods/burstable/pod0123456789abcdef0123456789abcdef/" + id, "", id,
         "0123456789abcdef0123456789abcdef"},                                                        // static pod
        {"/docker/" + inner_id + "/kubelet/kubepods/besteffort/pod" + uid + "/" + id, "", id, uid},  // kind
        {"/lxc/web1", "", "web1", ""},
        {"/lxc.payload.web1/system.slice/nginx.service", "", "web1", ""},
        {"/machine.slice/machine-debian\\x2d12.scope/payload/system.slice/x.service", "machine-debian\\x2d12.scope",
         "debian-12", ""},
        {"/machine.slice/systemd-nspawn@web.service/payload/init.scope", "systemd-nspawn@web.service", "web", ""},
        {"/podman/" + id.substr(0, 63), "", "", ""},
        {"/kubepods/podwhatever/x", "", "", ""},
        {"/tripod" + uid + "/x", "", "", ""},
        {"/../../other.slice/x.service", "x.service", "", ""},
    };
    for (const Case& one : cases) {
        const Placement placement = place(one.path);
        INFO(one.path);
        CHECK(placement.unit == one.unit);
        CHECK(placement.container == one.container);
        CHECK(placement.pod == one.pod);
    }
}

TEST_CASE("a unified host gives the path of line 0") {
    const Placement placement = parse_placement("0::/system.slice/payments.service\n");
    CHECK(placement.cgroup == "/system.slice/payments.service");
    CHECK(placement.unified);
    CHECK(placement.unit == "payments.service");
}

TEST_CASE("a hybrid host gives the unified path, and unit and container from the others where it is silent") {
    const Placement placement =
        parse_placement("4:memory:/docker/" + id + "\n1:name=systemd:/system.slice/payments.service\n0::/\n");
    CHECK(placement.cgroup == "/");
    CHECK(placement.unified);
    CHECK(placement.unit == "payments.service");
    CHECK(placement.container == id);
}

TEST_CASE("a host without the unified hierarchy gives the path of name=systemd") {
    const Placement placement = parse_placement("3:cpu,cpuacct:/\n1:name=systemd:/system.slice/payments.service\n");
    CHECK(placement.cgroup == "/system.slice/payments.service");
    CHECK_FALSE(placement.unified);
    CHECK(placement.unit == "payments.service");
}

TEST_CASE("a cgroup that is removed or outside our namespace is not looked up") {
    const Placement removed = parse_placement("0::/system.slice/old.service (deleted)\n");
    CHECK(removed.cgroup == "/system.slice/old.service");
    CHECK_FALSE(removed.unified);
    CHECK_FALSE(parse_placement("0::/../other\n").unified);
}

TEST_CASE("colons in a cgroup's name belong to it") {
    CHECK(parse_placement("0::/a:b/c:d.service\n").cgroup == "/a:b/c:d.service");
}

TEST_CASE("text that is no cgroup file places nothing") {
    for (const char* text : {"", "\n\n", "garbage", "0:", "0::", "0::relative", ":::::", "12:memory"}) {
        const Placement placement = parse_placement(text);
        INFO(text);
        CHECK(placement.cgroup.empty());
        CHECK(placement.unit.empty());
        CHECK_FALSE(placement.unified);
    }
}

TEST_CASE("a unit's name is clean text, whatever a user called his cgroup") {
    CHECK(place("/user.slice/bad\xff\n.service").unit == "bad\xEF\xBF\xBD?.service");
}

TEST_CASE("systemd's escapes are undone, what is none stays") {
    CHECK(unescape_unit("eu\\x2dwest") == "eu-west");
    CHECK(unescape_unit("a\\x2") == "a\\x2");
    CHECK(unescape_unit("a\\xzz") == "a\\xzz");
    CHECK(unescape_unit("\\") == "\\");
    CHECK(unescape_unit("") == "");
}

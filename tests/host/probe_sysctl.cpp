// Foreign writes to sysctls, seen by this kernel: a program of the cgroup type, attached to its unified hierarchy. What
// is written is what was there (guardian.h).
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <functional>

#include "base/capability.h"
#include "base/files.h"
#include "catch.h"
#include "guardian.h"
#include "probe/probes.h"

using namespace gotuned;
using namespace gotuned::test;

namespace {

constexpr const char* path = "vm/vfs_cache_pressure";
constexpr const char* file = "/proc/sys/vm/vfs_cache_pressure";

std::unique_ptr<Probes> load() {
    ProbeOptions options;
    options.cgroup2 = find_cgroup2("/proc");
    auto probes = Probes::load(options);
    if (probes->sysctl_fd() < 0 || ::access(file, W_OK) != 0) {
        std::printf("SKIPPED: writes to sysctls cannot be seen or made here: %s\n",
                    probes->reports().back().reason.c_str());
        std::exit(77);
    }
    return probes;
}

/// Runs it in another process, called "stranger", and gives back its pid.
pid_t elsewhere(const std::function<void()>& body) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        ::prctl(PR_SET_NAME, "stranger");
        body();
        ::_exit(0);
    }
    ::waitpid(child, nullptr, 0);
    return child;
}
void write_text(const char* to, const std::string& text) {
    const int fd = ::open(to, O_WRONLY | O_CLOEXEC);
    static_cast<void>(!::write(fd, text.data(), text.size()));
    ::close(fd);
}
std::vector<SysctlWrite> seen(Probes& probes) {
    std::vector<SysctlWrite> writes;
    probes.drain_sysctl_writes([&](const SysctlWrite& write) { writes.push_back(write); });
    return writes;
}

}  // namespace

TEST_CASE("a write by another process is told with its pid, command and both values") {
    const auto probes = load();
    const Guardian guardian(file);
    REQUIRE(probes->watch_sysctls({path}));
    const pid_t stranger = elsewhere([&] { write_text(file, "107\n"); });
    pollfd waiter{probes->sysctl_fd(), POLLIN, 0};
    CHECK(::poll(&waiter, 1, 10000) == 1);
    const auto writes = seen(*probes);
    REQUIRE(writes.size() == 1);
    CHECK(writes[0].path == path);
    CHECK(writes[0].pid == stranger);
    CHECK(writes[0].command == "stranger");
    CHECK(writes[0].uid == 0);
    CHECK(writes[0].from == guardian.found());
    CHECK(writes[0].to == "107");
    struct stat status{};
    REQUIRE(::stat("/proc/self/ns/net", &status) == 0);
    CHECK(writes[0].net_namespace == status.st_ino);
    CHECK(present(file) == "107");
}

TEST_CASE("neither our own writes, nor reads, nor other sysctls are told") {
    const auto probes = load();
    const Guardian guardian(file);
    const Guardian other("/proc/sys/vm/page-cluster");
    REQUIRE(probes->watch_sysctls({path}));
    write_text(file, "107\n");
    elsewhere([&] {
        static_cast<void>(read_file(file));
        write_text("/proc/sys/vm/page-cluster", other.found());
    });
    CHECK(seen(*probes).empty());
    elsewhere([&] { write_text(file, "108\n"); });  // it would have been seen
    CHECK(seen(*probes).size() == 1);
}

TEST_CASE("a value that the kernel refuses is refused, and a write is never held up") {
    const auto probes = load();
    const Guardian guardian(file);
    REQUIRE(probes->watch_sysctls({path}));
    elsewhere([&] { write_text(file, "much\n"); });
    CHECK(present(file) == guardian.found());
    const auto writes = seen(*probes);
    REQUIRE(writes.size() == 1);
    CHECK(writes[0].to == "much");
}

TEST_CASE("with nothing to watch nothing is seen, and what is watched can change") {
    const auto probes = load();
    const Guardian guardian(file);
    REQUIRE(probes->watch_sysctls({path}));
    REQUIRE(probes->watch_sysctls({}));
    elsewhere([&] { write_text(file, guardian.found()); });
    CHECK(seen(*probes).empty());
    REQUIRE(probes->watch_sysctls({"vm/page-cluster"}));
    elsewhere([&] { write_text(file, guardian.found()); });
    CHECK(seen(*probes).empty());
    REQUIRE(probes->watch_sysctls({path, "vm/page-cluster"}));
    elsewhere([&] { write_text(file, guardian.found()); });
    CHECK(seen(*probes).size() == 1);
}

TEST_CASE("a name that is too long is said, and the others are watched") {
    const auto probes = load();
    const Guardian guardian(file);
    CHECK_FALSE(probes->watch_sysctls({path, "net/" + std::string(200, 'x')}));
    elsewhere([&] { write_text(file, guardian.found()); });
    CHECK(seen(*probes).size() == 1);
}

TEST_CASE("events that find no room are counted, and every write is let through") {
    const auto probes = load();
    const Guardian guardian(file);
    REQUIRE(probes->watch_sysctls({path}));
    elsewhere([&] {
        for (int i = 0; i < 1000; ++i) write_text(file, "107\n");
        write_text(file, "108\n");
    });
    CHECK(present(file) == "108");
    const auto told = seen(*probes).size();
    std::uint64_t lost = 0;
    for (const auto& drop : probes->drops())
        if (drop.probe == "sysctl") lost += drop.count;
    CHECK(told > 0);
    CHECK(lost > 0);
    CHECK(told + lost == 1001);
}

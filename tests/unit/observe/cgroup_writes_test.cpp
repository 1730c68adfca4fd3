#include "observe/cgroup_writes.h"

#include <sys/resource.h>

#include <filesystem>

#include "catch.h"
#include "fake_host.h"
#include "observe/watched_cgroup.h"
#include "observer_world.h"

using namespace gotuned;
using namespace gotuned::test;
using namespace std::chrono_literals;

namespace {

struct Cgroups {
    FakeHost host{};
    CgroupWrites writes{};
    CgroupId one = made("/one");
    CgroupId other = made("/other");

    CgroupId made(const std::string& path) const {
        host.write_cgroup(path);
        return CgroupId{host.inode("cgroup" + path)};
    }
    bool follow(const CgroupId& id, const std::string& path) {
        return writes.follow(id, host.tree.path("cgroup" + path));
    }
    void limit(const std::string& path) const { host.tree.write("cgroup" + path + "/memory.high", "2000000\n"); }
};

/// What `make` makes when it gets no descriptor.
template <typename Make>
auto without_files(Make make) {
    rlimit files{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &files) == 0);
    const rlimit none{0, files.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
    auto made = make();
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &files) == 0);
    return made;
}

}  // namespace

TEST_CASE("whose limits were written to is told once") {
    Cgroups cgroups;
    REQUIRE(cgroups.follow(cgroups.one, "/one"));
    REQUIRE(cgroups.follow(cgroups.other, "/other"));
    CHECK(cgroups.writes.take().empty());
    cgroups.limit("/one");
    cgroups.limit("/one");
    CHECK(cgroups.writes.take() == std::set{cgroups.one});
    CHECK(cgroups.writes.take().empty());
    cgroups.writes.forget(cgroups.one);
    cgroups.limit("/one");
    cgroups.limit("/other");
    CHECK(cgroups.writes.take() == std::set{cgroups.other});
}

TEST_CASE("a name that went to another cgroup is that one's") {
    Cgroups cgroups;
    REQUIRE(cgroups.follow(cgroups.other, "/one"));
    REQUIRE(cgroups.follow(cgroups.one, "/one"));
    cgroups.writes.forget(cgroups.other);
    cgroups.limit("/one");
    CHECK(cgroups.writes.take() == std::set{cgroups.one});
    std::filesystem::remove_all(cgroups.host.tree.path("cgroup/one"));
    CHECK(cgroups.writes.take().empty());
    cgroups.writes.forget(cgroups.one);
    CHECK_FALSE(cgroups.follow(cgroups.one, "/one"));
}

TEST_CASE("when too much was written to be told, it may have been any of them") {
    Cgroups cgroups;
    REQUIRE(cgroups.follow(cgroups.one, "/one"));
    REQUIRE(cgroups.follow(cgroups.other, "/other"));
    const auto most = read_file("/proc/sys/fs/inotify/max_queued_events");
    REQUIRE(most);
    // Two events that are the same and follow each other are one.
    for (int i = 0; i <= std::stoi(*most); ++i)
        cgroups.host.tree.write(i % 2 == 0 ? "cgroup/one/memory.current" : "cgroup/one/memory.stat", "1\n");
    CHECK(cgroups.writes.take() == std::set{cgroups.one, cgroups.other});
    CHECK(cgroups.writes.take().empty());
}

TEST_CASE("a quiet cgroup whose writers nobody tells of is read each 15 s") {
    Cgroups cgroups;
    auto deaf = without_files([] { return CgroupWrites(); });
    CHECK_FALSE(deaf.follow(cgroups.one, cgroups.host.tree.path("cgroup/one")));
    CHECK(deaf.take().empty());

    cgroups.host.calm("/one");
    WatchedCgroup watched(cgroups.one, "/one", "one.service");
    watched.processes = 1;
    watched.told_of_writes = GENERATE(true, false);
    const Roots roots = cgroups.host.roots();
    const ControllerPlaces places(roots);
    MonoTime now{1000s};
    const auto look = [&](Duration later) {
        std::size_t rereads = 1;
        now += later;
        return watched.observe(roots, places, now, 60s, rereads);
    };
    look(0s);
    const auto quiet = look(5s);
    cgroups.limit("/one");
    CHECK(look(5s) == quiet);
    const auto later = look(10s);
    CHECK((later == quiet) == watched.told_of_writes);
}

TEST_CASE("of very many such cgroups each is read, too") {
    World world;
    ObserverOptions options;
    options.roots = world.host.roots();
    options.clock = world.clock;
    world.observer = without_files([&] { return Observer::make(options, &world.probes); });
    constexpr int many = 200;
    for (int i = 0; i < many; ++i) {
        const std::string path = "/svc" + std::to_string(i);
        world.host.write_cgroup(path, 1);
        world.host.calm(path);
        world.found(world.host.process(100 + i, 100, path));
    }
    SnapshotPtr last;
    for (int i = 0; i < 24; ++i) last = world.tick();
    REQUIRE(last->cgroups.size() == many);
    for (const auto& [id, state] : last->cgroups) {
        INFO(state->path);
        CHECK(last->at - state->read_at <= 30s);
    }
}

#include "discover/process_facts.h"

#include <sys/stat.h>

#include "catch.h"
#include "fake_proc.h"

using namespace gotuned;
using namespace std::string_view_literals;
using test::FakeProc;

namespace {

struct Reader {
    FakeProc tree;
    Roots roots = tree.roots();
    UserNames users;
    UnitFiles units{tree.path("host")};
    std::string exe = tree.write("bin/api", "x");

    Result<GoProcess> read(pid_t pid, const std::set<std::string>& names = {}) {
        const auto process = ProcessReader::open(roots, pid);
        if (!process) return fail(process.error());
        const auto key = process->executable();
        if (!key) return fail(key.error());
        return process->read(*key, users, units, names);
    }
};

}  // namespace

TEST_CASE("stat gives start time, stack and arguments, whatever the command is called") {
    ImageMark mark;
    const std::string tail =
        " S 1 1 1 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 5 0 4711 1 2 3 4 5 77 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 1 2 3 88 5 "
        "6 7 0\n";
    for (const char* comm : {"api", "a b", ") R 9 (", "()", "\n", ""}) {
        INFO(comm);
        REQUIRE(parse_stat("10 (" + std::string(comm) + ")" + tail, mark));
        CHECK(mark == ImageMark{4711, 77, 88});
    }
}

TEST_CASE("a stat that is short or malformed is refused and leaves the mark alone") {
    ImageMark mark{1, 2, 3};
    for (const char* text : {"", "10 (api", "10 (api)", "10 (api) ", "10 (api) S 1 1", "garbage",
                             "10 (api) S 1 1 1 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 5 0 soon 1 2"}) {
        INFO(text);
        CHECK_FALSE(parse_stat(text, mark));
    }
    CHECK(mark == ImageMark{1, 2, 3});
}

TEST_CASE("the effective uid is read, a malformed status is refused") {
    uid_t uid = 7;
    CHECK(parse_effective_uid("Name:\tx\nUid:\t1000\t0\t0\t0\n", uid));
    CHECK(uid == 0);
    uid = 7;
    for (const char* text : {"", "Name:\tx\n", "Uid:\t1000\n", "Uid:\tx\ty\t0\t0\n", "Uid:\t0\t99999999999\t0\t0\n"}) {
        INFO(text);
        CHECK_FALSE(parse_effective_uid(text, uid));
    }
    CHECK(uid == 7);
}

TEST_CASE("arguments are joined by blanks, cleaned and cut at 4 KiB") {
    CHECK(join_arguments("/bin/api\0-v\0"sv) == "/bin/api -v");
    CHECK(join_arguments("api\0a\nb\0\xff\0"sv) == "api a?b \xEF\xBF\xBD");
    CHECK(join_arguments("").empty());
    CHECK(join_arguments(std::string(10000, 'a')).size() == 4096);
}

TEST_CASE("of the environment GO*, GOTUNED* and the names asked for are kept") {
    const std::string_view text = "PATH=/bin\0GOGC=50\0GOTUNED_CLASS=batch\0SECRET=x\0GOGC=60\0=x\0junk\0APP=a=b"sv;
    const auto kept = keep_environment(text, {"APP", "MISSING"});
    CHECK(kept == std::map<std::string, std::string>{{"APP", "a=b"}, {"GOGC", "50"}, {"GOTUNED_CLASS", "batch"}});
}

TEST_CASE("an environment cannot make us keep without bound") {
    std::string text;
    for (int i = 0; i < 1000; ++i) text += "GO" + std::to_string(i) + "=" + std::string(10000, 'x') + '\0';
    const auto kept = keep_environment(text, {});
    CHECK(kept.size() == 64);
    for (const auto& [name, value] : kept) CHECK(value.size() <= 4096);
}

TEST_CASE("a process is read whole") {
    Reader r;
    r.tree.process(10, r.exe);
    const auto read = r.read(10, {"PATH"});
    REQUIRE(read);
    CHECK(read->id.pid == 10);
    CHECK(read->id.start_ticks == 100);
    CHECK(read->exe == r.exe);
    CHECK_FALSE(read->exe_deleted);
    CHECK(read->comm == "api");
    CHECK(read->cmdline == "/bin/api -v");
    CHECK(read->uid == 0);
    CHECK(read->user == "root");
    CHECK(read->cgroup == "/system.slice/payments.service");
    CHECK(read->cgroup_inode == 0);  // not below the mount
    CHECK(read->unit == "payments.service");
    CHECK(read->netns == 4026531840);
    CHECK(read->environment == std::map<std::string, std::string>{{"GOGC", "50"}, {"PATH", "/bin"}});
    CHECK_FALSE(read->opted_out);
    CHECK(read->namespace_name.empty());
}

TEST_CASE("a cgroup's inode is looked up below the unified mount") {
    Reader r;
    r.tree.process(10, r.exe);
    r.tree.write("cgroup/system.slice/payments.service/memory.current", "1\n");
    struct stat status{};
    REQUIRE(::stat(r.tree.path("cgroup/system.slice/payments.service").c_str(), &status) == 0);
    CHECK(r.read(10)->cgroup_inode == status.st_ino);
    r.roots.cgroup2.clear();
    CHECK(r.read(10)->cgroup_inode == 0);
}

TEST_CASE("a path out of the cgroup mount is not followed") {
    Reader r;
    r.tree.process(10, r.exe);
    r.tree.write("proc/10/cgroup", "0::/../bin\n");
    CHECK(r.read(10)->cgroup_inode == 0);
}

TEST_CASE("a user without a name is his number") {
    Reader r;
    r.tree.process(10, r.exe);
    r.tree.write("proc/10/status", "Uid:\t4123456\t4123456\t0\t0\n");
    CHECK(r.read(10)->user == "4123456");
}

TEST_CASE("single facts that are missing or malformed stay empty") {
    Reader r;
    r.tree.process(10, r.exe);
    for (const char* file : {"comm", "cmdline", "environ", "cgroup", "ns"})
        r.tree.remove(std::string("proc/10/") + file);
    const auto missing = r.read(10);
    REQUIRE(missing);
    CHECK(missing->comm.empty());
    CHECK(missing->cmdline.empty());
    CHECK(missing->environment.empty());
    CHECK(missing->unit.empty());
    CHECK(missing->netns == 0);
    r.tree.write("proc/10/cgroup", "\xff\xff");
    r.tree.write("proc/10/environ", "\xff");
    r.tree.link("proc/10/ns/net", "net:[many]");
    const auto malformed = r.read(10);
    REQUIRE(malformed);
    CHECK(malformed->cgroup.empty());
    CHECK(malformed->netns == 0);
}

TEST_CASE("a process without a directory, stat, status or exe is gone") {
    Reader r;
    CHECK(r.read(10).error().code == ENOENT);
    for (const char* file : {"stat", "status", "exe"}) {
        r.tree.process(10, r.exe);
        r.tree.remove(std::string("proc/10/") + file);
        INFO(file);
        CHECK_FALSE(r.read(10));
    }
    r.tree.process(10, r.exe);
    r.tree.write("proc/10/stat", "malformed");
    CHECK_FALSE(r.read(10));
}

TEST_CASE("a process that executes something else than asked for is not read") {
    Reader r;
    r.tree.process(10, r.exe);
    const auto process = ProcessReader::open(r.roots, 10);
    REQUIRE(process);
    BinaryKey other = *process->executable();
    ++other.inode;
    CHECK(process->read(other, r.users, r.units, {}).error().code == EAGAIN);
}

TEST_CASE("GOTUNED=off opts out, and wins over the unit as the reason") {
    Reader r;
    r.tree.process(10, r.exe);
    r.tree.write("host/etc/systemd/system/payments.service", "[Service]\nX-Gotuned=off\n");
    CHECK(r.read(10)->opt_out_source == "unit");
    r.tree.write("proc/10/environ", "GOTUNED=off\0"sv);
    CHECK(r.read(10)->opted_out);
    CHECK(r.read(10)->opt_out_source == "environment");
    r.tree.remove("host/etc/systemd/system/payments.service");
    r.tree.write("proc/10/environ", "GOTUNED=on\0GOTUNED_X=off\0"sv);
    CHECK_FALSE(r.read(10)->opted_out);
}

TEST_CASE("the pod's namespace is taken from its environment alone") {
    Reader r;
    r.tree.process(10, r.exe);
    r.tree.write("proc/10/environ", "POD_NAMESPACE=shop\0"sv);
    CHECK(r.read(10)->namespace_name.empty());  // not in a pod
    r.tree.write("proc/10/cgroup", "0::/kubepods/pod1b2c3d4e-0000-4abc-8def-0123456789ab/x\n");
    CHECK(r.read(10)->namespace_name == "shop");
    r.tree.write("proc/10/environ", "");
    CHECK(r.read(10)->namespace_name.empty());
}

// Real Go programs, built in every way that changes their ELF file, found by a ProcessTable on the real /proc.
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "base/fd.h"
#include "base/files.h"
#include "catch.h"
#include "discover/binary_cache.h"
#include "discover/buildinfo.h"
#include "discover/process_table.h"
#include "fake_tree.h"
#include "paths.h"

using namespace gotuned;
namespace fs = std::filesystem;

namespace {

const std::string out = build_folder() + "/workloads/";

/// Builds a program of tests/workloads with flags; its path, empty when this machine cannot.
std::string build(const std::string& name, const std::string& source, const std::string& flags,
                  const std::string& environment) {
    fs::create_directories(out);
    std::string path = out;
    path += name;
    const std::string command = "cd '" + source_folder() + "/tests/workloads/" + source +
                                "' && env GOFLAGS=-mod=mod GOPROXY=off GOWORK=off " + environment +
                                " go build -buildvcs=false " + flags + " -o '" + path + "' . >'" + path + ".log' 2>&1";
    if (std::system(command.c_str()) == 0) return path;  // NOLINT: a test's own command
    std::printf("SKIPPED: %s cannot be built here: %s\n", name.c_str(), read_file(path + ".log").value_or("").c_str());
    return {};
}

std::string copy(const std::string& from, const std::string& to) {
    fs::copy_file(from, to, fs::copy_options::overwrite_existing);
    return to;
}

/// A running program, killed at the end. The constructor returns when the program has said that it is ready.
class Program {
public:
    struct Options {
        std::vector<std::string> arguments{};
        std::vector<std::string> environment{"PATH=/usr/bin:/bin"};
        std::string private_mount{};  ///< a folder that is covered in a mount namespace of its own; the program is
                                      ///< copied into it
        bool says_ready = true;
    };
    Program(const std::string& path, const Options& options) {
        int ends[2];
        REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
        Fd reading(ends[0]);
        Fd writing(ends[1]);
        pid_ = ::fork();
        if (pid_ == 0) run(path, options, writing.get());
        REQUIRE(pid_ > 0);
        writing.reset();
        char byte = 0;
        if (options.says_ready) {
            ready_ = ::read(reading.get(), &byte, 1) == 1;
        } else {
            ready_ = ::read(reading.get(), &byte, 1) == 0;  // closed by exec
        }
        output_ = std::move(reading);  // stays open: what is executed next says that it is ready, too
    }
    explicit Program(const std::string& path) : Program(path, Options{}) {}
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;
    ~Program() { end(); }

    void end() {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        pid_ = 0;
    }
    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] bool ready() const { return ready_; }

private:
    [[noreturn]] static void run(std::string path, const Options& options, int writing) {
        ::personality(0);  // scripts/test turns address randomisation off; programs run with it
        if (!options.private_mount.empty()) {
            if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
                ::mount("tmpfs", options.private_mount.c_str(), "tmpfs", 0, nullptr) != 0) {
                ::_exit(1);
            }
            path = copy(path, options.private_mount + "/hidden");
        }
        if (options.says_ready) ::dup2(writing, STDOUT_FILENO);
        std::vector<char*> arguments{path.data()}, environment;
        std::vector<std::string> all = options.arguments, variables = options.environment;
        for (std::string& one : all) arguments.push_back(one.data());
        for (std::string& one : variables) environment.push_back(one.data());
        arguments.push_back(nullptr);
        environment.push_back(nullptr);
        ::execve(path.c_str(), arguments.data(), environment.data());
        ::_exit(127);
    }

    pid_t pid_ = 0;
    bool ready_ = false;
    Fd output_;
};

struct Table {
    std::vector<std::shared_ptr<const GoProcess>> found, lost;
    std::unique_ptr<ProcessTable> table;

    Table() {
        Roots roots;
        roots.cgroup2 = find_cgroup2(roots.proc);
        ProcessTable::Callbacks callbacks;
        callbacks.found = [this](const auto& process) { found.push_back(process); };
        callbacks.lost = [this](const auto& process) { lost.push_back(process); };
        table = ProcessTable::make(roots, std::move(callbacks));
    }
    /// As the loop does it: until the inspector has nothing more to say for a while.
    void settle(int quiet_ms = 300) {
        for (;;) {
            pollfd answer{table->answer_fd(), POLLIN, 0};
            if (::poll(&answer, 1, quiet_ms) != 1) return;
            table->complete();
        }
    }
    /// The process as it is known, null when it is not.
    std::shared_ptr<const GoProcess> at(pid_t pid) {
        const auto& all = table->processes();
        const auto process = all.find(pid);
        return process == all.end() ? nullptr : process->second;
    }
    std::shared_ptr<const GoProcess> executed(const Program& program) {
        table->executed(program.pid(), 0, 0);
        settle();
        return at(program.pid());
    }
};

bool wait_for_exe(pid_t pid, const std::string& exe) {
    for (int i = 0; i < 1000; ++i) {
        std::error_code error;
        if (fs::read_symlink("/proc/" + std::to_string(pid) + "/exe", error) == exe) return true;
        ::usleep(10000);
    }
    return false;
}

std::string plain() {
    static const std::string path = build("discover_plain", "discover_idle", "", "CGO_ENABLED=0");
    return path;
}
const std::string version = "go1.";

}  // namespace

TEST_CASE("a Go binary is found however it was linked") {
    struct Variant {
        const char *name, *source, *flags, *environment;
    };
    for (const Variant& one : {
             Variant{"discover_plain", "discover_idle", "", "CGO_ENABLED=0"},
             Variant{"discover_stripped", "discover_idle", "-ldflags='-s -w'", "CGO_ENABLED=0"},
             Variant{"discover_pie", "discover_idle", "-buildmode=pie", "CGO_ENABLED=0"},
             Variant{"discover_pie_stripped", "discover_idle", "-buildmode=pie -ldflags='-s -w'", "CGO_ENABLED=0"},
             Variant{"discover_cgo", "discover_cgo", "", "CGO_ENABLED=1"},
             Variant{"discover_cgo_pie", "discover_cgo", "-buildmode=pie -ldflags='-s -w -linkmode=external'",
                     "CGO_ENABLED=1"},
             Variant{"discover_cgo_static", "discover_cgo", "-ldflags='-linkmode=external -extldflags=-static'",
                     "CGO_ENABLED=1"},
             Variant{"discover_386", "discover_idle", "", "CGO_ENABLED=0 GOARCH=386"},
         }) {
        const std::string path = build(one.name, one.source, one.flags, one.environment);
        if (path.empty()) continue;
        // Once more without section headers, as a packer or sstrip leaves it: the kernel does not read them.
        const std::string bare = copy(path, path + "_bare");
        {
            const bool wide = std::string(one.environment).find("386") == std::string::npos;
            std::fstream file(bare, std::ios::in | std::ios::out | std::ios::binary);
            file.seekp(wide ? 0x28 : 0x20).write("\0\0\0\0\0\0\0\0", wide ? 8 : 4);  // e_shoff
            file.seekp(wide ? 0x3c : 0x30).write("\0\0\0\0", 4);                     // e_shnum, e_shstrndx
        }
        for (const std::string& file : {path, bare}) {
            INFO(file);
            const Program program(file);
            if (!program.ready()) {
                std::printf("SKIPPED: %s does not run here\n", file.c_str());
                continue;
            }
            Table t;
            const auto process = t.executed(program);
            REQUIRE(process);
            CHECK(process->build.version.starts_with(version));
            CHECK(process->build.module == "gotuned/workloads");
            CHECK(process->build.pointer_size == (file.find("386") == std::string::npos ? 8 : 4));
            CHECK(process->exe == file);
        }
    }
}

TEST_CASE("binaries of other machines are understood, big-endian ones too") {
    for (const char* architecture : {"arm64", "s390x"}) {
        const std::string path = build(std::string("discover_") + architecture, "discover_idle", "",
                                       std::string("CGO_ENABLED=0 GOARCH=") + architecture);
        if (path.empty()) continue;
        const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
        const BuildInfo info = read_build_info(DescriptorSource(file.get()));
        INFO(architecture);
        CHECK(info.outcome == BuildInfoOutcome::found);
        CHECK(info.version.view().starts_with(version));
        CHECK(info.big_endian == (std::string(architecture) == "s390x"));
    }
}

TEST_CASE("a program whose file was deleted is found and said to be so") {
    REQUIRE_FALSE(plain().empty());
    const std::string path = copy(plain(), out + "discover_deleted");
    const Program program(path);
    fs::remove(path);
    Table t;
    const auto process = t.executed(program);
    REQUIRE(process);
    CHECK(process->exe == path);
    CHECK(process->exe_deleted);
}

TEST_CASE("a program in a mount namespace of its own is found, though its path does not exist here") {
    REQUIRE_FALSE(plain().empty());
    const FakeTree folder;
    Program::Options options;
    options.private_mount = folder.root();
    const Program program(plain(), options);
    if (!program.ready()) {
        std::printf("SKIPPED: no mount namespace can be made here\n");
        return;
    }
    Table t;
    const auto process = t.executed(program);
    REQUIRE(process);
    CHECK(process->exe == folder.path("hidden"));
    CHECK_FALSE(fs::exists(process->exe));
}

TEST_CASE("what is not Go is not found") {
    Program::Options options;
    options.arguments = {"60"};
    options.says_ready = false;
    const Program program("/usr/bin/sleep", options);
    Table t;
    CHECK_FALSE(t.executed(program));
    CHECK(t.table->counts().not_go == 1);
}

TEST_CASE("a Go program whose section headers are hostile is found by what the kernel itself reads") {
    REQUIRE_FALSE(plain().empty());
    const std::string path = copy(plain(), out + "discover_hostile");
    {
        std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(0x28).write("\xff\xff\xff\xff\xff\xff\xff\x7f", 8);  // e_shoff
        file.seekp(0x3c).write("\xff\xff\xff\xff", 4);                  // e_shnum, e_shstrndx
    }
    const Program program(path);
    Table t;
    const auto process = t.executed(program);
    REQUIRE(process);
    CHECK(process->build.version.starts_with(version));
    CHECK(t.table->counts().inspector_killed == 0);
}

TEST_CASE("a name with newlines, quotes and bytes that are no text becomes a clean service") {
    REQUIRE_FALSE(plain().empty());
    const std::string path = copy(plain(), out + "we\nird\"\xff'}");
    Program::Options options;
    options.arguments = {"a\tb", "\xfe"};
    const Program program(path, options);
    Table t;
    const auto process = t.executed(program);
    fs::remove(path);
    REQUIRE(process);
    CHECK(process->exe.ends_with("/we?ird\"\xEF\xBF\xBD'}"));
    CHECK(process->comm == "we?ird\"\xEF\xBF\xBD'}");
    CHECK(process->cmdline.ends_with(" a?b \xEF\xBF\xBD"));
    if (process->unit.empty() && process->container.empty())
        CHECK(default_service(*process) == "we?ird\"\xEF\xBF\xBD'}");
}

TEST_CASE("what is told of a process is what the kernel and its parent know") {
    REQUIRE_FALSE(plain().empty());
    Program::Options options;
    options.arguments = {"/bin/true", "-x"};
    options.environment = {"GOGC=70", "GOTUNED=off", "SECRET=1", "TIER=gold"};
    const Program program(plain(), options);
    Table t;
    t.table->keep_environment({"TIER"});
    const auto process = t.executed(program);
    REQUIRE(process);
    const std::string proc = "/proc/" + std::to_string(program.pid());
    struct stat status{};
    REQUIRE(::stat((proc + "/ns/net").c_str(), &status) == 0);
    CHECK(process->netns == status.st_ino);
    REQUIRE(::stat(plain().c_str(), &status) == 0);
    CHECK(process->id.exe_inode == status.st_ino);
    CHECK(process->id.pid == program.pid());
    CHECK(process->uid == ::geteuid());
    CHECK(process->cmdline == plain() + " /bin/true -x");
    CHECK(process->environment ==
          std::map<std::string, std::string>{{"GOGC", "70"}, {"GOTUNED", "off"}, {"TIER", "gold"}});
    CHECK(process->opted_out);
    CHECK(process->opt_out_source == "environment");
    const std::string cgroup2 = find_cgroup2("/proc");
    if (!cgroup2.empty()) {
        REQUIRE(::stat((cgroup2 + process->cgroup).c_str(), &status) == 0);
        CHECK(process->cgroup_inode == status.st_ino);
    }
}

TEST_CASE("a process that executes another program is lost and found under the same pid") {
    REQUIRE_FALSE(plain().empty());
    const std::string second = copy(plain(), out + "discover_second");
    Program::Options options;
    options.arguments = {second};
    const Program program(plain(), options);
    Table t;
    const auto first = t.executed(program);
    REQUIRE(first);
    REQUIRE(::kill(program.pid(), SIGUSR1) == 0);
    REQUIRE(wait_for_exe(program.pid(), second));
    const auto process = t.executed(program);
    REQUIRE(process);
    CHECK(process->exe == second);
    CHECK(process->id.start_ticks == first->id.start_ticks);
    CHECK(process->id != first->id);
    REQUIRE(t.lost.size() == 1);
    CHECK(t.lost[0] == first);
}

TEST_CASE("a process that executes what is not Go is lost") {
    REQUIRE_FALSE(plain().empty());
    Program::Options options;
    options.arguments = {"/usr/bin/sleep", "60"};
    const Program program(plain(), options);
    Table t;
    REQUIRE(t.executed(program));
    REQUIRE(::kill(program.pid(), SIGUSR1) == 0);
    REQUIRE(wait_for_exe(program.pid(), fs::canonical("/usr/bin/sleep")));
    CHECK_FALSE(t.executed(program));
    CHECK(t.lost.size() == 1);
}

TEST_CASE("one walk finds all that run, the next one misses those that ended") {
    REQUIRE_FALSE(plain().empty());
    std::vector<std::unique_ptr<Program>> programs;
    for (int i = 0; i < 10; ++i) programs.push_back(std::make_unique<Program>(plain()));
    Table t;
    REQUIRE(t.table->scan());
    t.settle();
    for (const auto& program : programs) CHECK(t.at(program->pid()));
    for (std::size_t i = 0; i < 5; ++i) {
        const pid_t pid = programs[i]->pid();
        programs[i]->end();
        REQUIRE(t.table->scan());
        CHECK_FALSE(t.at(pid));
    }
    for (std::size_t i = 5; i < 10; ++i) CHECK(t.at(programs[i]->pid()));
}

TEST_CASE("the device number of stat turns into the one that the kernel's own tables show") {
    REQUIRE_FALSE(plain().empty());
    const Program program(plain());
    struct stat status{};
    REQUIRE(::stat(plain().c_str(), &status) == 0);
    // /proc/PID/maps prints the super block's device (show_map_vma in fs/proc/task_mmu.c), as the exec event has it.
    std::ifstream maps("/proc/" + std::to_string(program.pid()) + "/maps");
    std::string range, flags, offset, device;
    std::uint64_t inode = 0;
    REQUIRE(maps >> range >> flags >> offset >> device >> inode);
    unsigned major = 0, minor = 0;
    REQUIRE(std::sscanf(device.c_str(), "%x:%x", &major, &minor) == 2);
    const EventKey expected{(std::uint64_t{major} << 20U) | minor, inode};
    if (inode != status.st_ino) {
        std::printf("SKIPPED: this file system shows other numbers to stat(2)\n");
        return;
    }
    CHECK(EventKey::of(BinaryKey::of(status)) == expected);
}

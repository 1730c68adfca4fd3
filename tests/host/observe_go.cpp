// What is read of a Go program's runtime against what the program itself says: every Go release that the table knows
// and Debian has, in every way of linking that changes where things are.
#include <elf.h>
#include <fcntl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <sstream>
#include <thread>

#include "base/fd.h"
#include "base/files.h"
#include "catch.h"
#include "discover/buildinfo.h"
#include "observe/go_runtime.h"
#include "observe/go_signals.h"
#include "observe/proc_files.h"
#include "paths.h"

using namespace gotuned;
using namespace std::chrono_literals;

namespace {

/// The last line that a command prints, and its exit status.
std::pair<std::string, int> run(const std::string& command) {
    std::string last, line;
    FILE* pipe = ::popen(command.c_str(), "r");  // NOLINT: a test's own command
    REQUIRE(pipe != nullptr);
    std::array<char, 1024> buffer{};
    while (std::fgets(buffer.data(), buffer.size(), pipe) != nullptr) {
        line = buffer.data();
        if (const auto text = trim(line); !text.empty()) last = text;
    }
    const int status = ::pclose(pipe);
    return {last, WIFEXITED(status) ? WEXITSTATUS(status) : -1};
}

/// tests/go/state built by tests/go/program; empty, and said so, where it cannot be had.
std::string program(const std::string& series, const std::string& variant) {
    const auto [path, status] = run("'" + source_folder() + "/tests/go/program' " + series + " " + variant + " 2>&1");
    if (status == 0) return path;
    std::printf("SKIPPED: Go %s, %s: %s\n", series.c_str(), variant.c_str(), path.c_str());
    return {};
}

using Truth = std::map<std::string, std::int64_t>;

/// A running tests/go/state, that is told what to do.
class State {
public:
    explicit State(const std::string& path, const std::vector<std::string>& environment = {}) : path_(path) {
        std::array<int, 2> in{}, out{};
        REQUIRE(::pipe2(in.data(), O_CLOEXEC) == 0);
        REQUIRE(::pipe2(out.data(), O_CLOEXEC) == 0);
        pid_ = ::fork();
        if (pid_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            ::personality(0);  // scripts/test turns address randomisation off; programs run with it
            ::dup2(in[0], STDIN_FILENO);
            ::dup2(out[1], STDOUT_FILENO);
            std::vector<std::string> all = environment;
            std::vector<char*> pointers;
            for (std::string& one : all) pointers.push_back(one.data());
            pointers.push_back(nullptr);
            std::array<char*, 2> arguments{path_.data(), nullptr};
            ::execve(path_.c_str(), arguments.data(), pointers.data());
            ::_exit(127);
        }
        ::close(in[0]);
        ::close(out[1]);
        in_ = Fd(in[1]);
        out_ = Fd(out[0]);
        REQUIRE(line() == "ready=1");
    }
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    ~State() {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    [[nodiscard]] pid_t pid() const { return pid_; }
    void tell(const std::string& command) {
        write(command);
        REQUIRE(line() == "done=1");
    }
    Truth state() {
        write("state");
        std::istringstream words(line());
        Truth truth;
        for (std::string word; words >> word;) {
            const auto equals = word.find('=');
            truth[word.substr(0, equals)] = std::stoll(word.substr(equals + 1));
        }
        return truth;
    }
    std::string version() {
        write("version");
        return line();
    }

private:
    void write(const std::string& command) {
        const std::string text = command + "\n";
        REQUIRE(::write(in_.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    }
    std::string line() {
        std::string out;
        for (char byte = 0; ::read(out_.get(), &byte, 1) == 1 && byte != '\n';) out.push_back(byte);
        return out;
    }
    std::string path_;
    pid_t pid_ = 0;
    Fd in_, out_;
};

/// As the inspector and the process table find it.
GoProcess found(pid_t pid) {
    const Fd file(::open(("/proc/" + std::to_string(pid) + "/exe").c_str(), O_RDONLY | O_CLOEXEC));
    REQUIRE(file.valid());
    const BuildInfo info = read_build_info(DescriptorSource(file.get()));
    REQUIRE(info.outcome == BuildInfoOutcome::found);
    GoProcess process;
    process.id.pid = pid;
    process.build.version = std::string(info.version.view());
    process.build.symbols = std::make_shared<const GoSymbols>(read_go_symbols(DescriptorSource(file.get())));
    return process;
}

GoRuntime reader(pid_t pid) { return {found(pid), "/proc", std::make_shared<ProcessMemory>()}; }

/// Within `slack` of the truth.
bool near(const Reading<std::uint64_t>& value, std::int64_t truth, std::int64_t slack) {
    return value && std::abs(static_cast<std::int64_t>(*value) - truth) <= slack;
}
constexpr std::int64_t page = 8192;  // of the runtime: what printing the truth may have allocated since

/// A reading, and the truth while nothing moved: goroutines that were just started allocate what they wait with, and
/// the runtime gives memory back to the system whenever it likes.
std::pair<Truth, GoRuntimeValues> at_rest(State& program, GoRuntime& runtime) {
    for (int attempt = 0; attempt < 100; ++attempt) {
        Truth before = program.state();
        GoRuntimeValues values = runtime.read();
        const Truth after = program.state();
        const auto moved = [&](const char* what) { return std::abs(after.at(what) - before.at(what)); };
        if (moved("gc") == 0 && moved("alloc") <= 4 * page && moved("sys") + moved("released") <= 4 * page)
            return {std::move(before), std::move(values)};
        std::this_thread::sleep_for(20ms);
    }
    FAIL("the program does not come to rest");
    return {};
}

void compare(State& program, GoRuntime& runtime) {
    const auto [truth, values] = at_rest(program, runtime);
    REQUIRE(values.gomaxprocs);
    CHECK(*values.gomaxprocs == static_cast<std::uint64_t>(truth.at("gomaxprocs")));
    INFO("goroutines: " << (values.goroutines ? std::to_string(*values.goroutines)
                                              : to_string(values.goroutines.absent())));
    REQUIRE(values.goroutines);
    CHECK(*values.goroutines == static_cast<std::uint64_t>(truth.at("goroutines")));
    REQUIRE(values.gc_count);
    CHECK(*values.gc_count == static_cast<std::uint64_t>(truth.at("gc")));
    std::uint64_t pauses = 0;
    for (std::uint64_t i = 0; i < std::min<std::uint64_t>(*values.gc_count, 256); ++i)
        pauses += values.pauses_ns[(*values.gc_count - 1 - i) % 256];
    CHECK(pauses == static_cast<std::uint64_t>(truth.at("pauses256")));
    CHECK(near(values.sys, truth.at("sys"), 16 * page));
    CHECK(near(values.in_use, truth.at("sys") - truth.at("released"), 64 * page));
    if (values.heap_goal) {
        CHECK(near(values.heap_goal, truth.at("goal"),
                   truth.at("limit") > 0 && truth.at("limit") < INT64_MAX ? 64 * page : 0));
    } else {
        CHECK(values.heap_goal.absent().reason == Absence::no_data);
    }
    if (truth.at("limit") < 0) {
        CHECK(values.memory_limit.absent().reason == Absence::not_supported);
        CHECK(values.total_alloc.absent().reason == Absence::not_supported);
    } else {
        REQUIRE(values.memory_limit);
        CHECK(*values.memory_limit == (truth.at("limit") == INT64_MAX ? GoRuntimeValues::never
                                                                      : static_cast<std::uint64_t>(truth.at("limit"))));
        CHECK(near(values.total_alloc, truth.at("alloc"), 8 * page));
    }
    if (truth.at("live") >= 0 && truth.at("gc") > 0) CHECK(near(values.heap_live, truth.at("live"), 0));
}

/// CPU seconds of all collections as the program reckons them: the share of what GOMAXPROCS allowed up to the last one.
double gc_cpu(const Truth& truth) {
    return static_cast<double>(truth.at("gccpu")) * 1e-12 * static_cast<double>(truth.at("gomaxprocs")) *
           static_cast<double>(truth.at("lastgc")) * 1e-9;
}

void follow(const std::string& path) {
    State program(path);
    GoRuntime runtime = reader(program.pid());
    const auto version = runtime.read().version;
    REQUIRE(version);
    CHECK(*version == program.version());
    compare(program, runtime);

    program.tell("spawn 5000");
    compare(program, runtime);
    program.tell("end 4990");  // allglen stays: they are on the free lists now
    compare(program, runtime);

    program.tell("hold 40");
    program.tell("gc 2");
    compare(program, runtime);
    const auto live = runtime.read().heap_live;
    REQUIRE(live);
    CHECK(*live > 40U << 20U);
    CHECK(*live < 45U << 20U);

    program.tell("procs 1");
    compare(program, runtime);
    program.tell("procs 7");
    compare(program, runtime);
    program.tell("procs 2");
    compare(program, runtime);

    program.tell("gc 300");  // more pauses than the runtime keeps
    compare(program, runtime);
    program.tell("drop 0");
    program.tell("release 0");
    compare(program, runtime);
    program.tell("limit 100000000");
    compare(program, runtime);
    program.tell("hold 60");
    program.tell("gc 1");
    compare(program, runtime);
    program.tell("percent -1");
    compare(program, runtime);
    program.tell("limit 9223372036854775807");
    {
        const GoRuntimeValues values = runtime.read();
        REQUIRE(values.heap_goal);
        CHECK(*values.heap_goal == GoRuntimeValues::never);
    }
    program.tell("percent 100");
    compare(program, runtime);
}

void says_why_not(const std::string& path) {
    State program(path);
    GoRuntime runtime = reader(program.pid());
    const GoRuntimeValues values = runtime.read();
    REQUIRE_FALSE(values.gomaxprocs);
    CHECK(values.gomaxprocs.absent() ==
          Absent{Absence::not_supported, "the executable is stripped: it has no symbol table"});
    CHECK(values.goroutines.absent() == values.gomaxprocs.absent());
    CHECK(values.total_alloc.absent() == values.gomaxprocs.absent());
}

bool known(const std::string& path) {
    State program(path);
    const auto version = program.version();
    const auto layout = find_go_layout(version, EM_X86_64);
    if (!layout)
        std::printf("SKIPPED: %s: %s; scripts/go-layouts learns it\n", version.c_str(), layout.absent().detail.c_str());
    return layout.present();
}

}  // namespace

TEST_CASE("what is read of a Go program's runtime is what the program says of itself") {
    for (const char* series : {"1.15", "installed", "1.23", "1.24", "newest"}) {
        for (const char* variant : {"plain", "pie", "cgo", "cgo-pie"}) {
            const std::string path = program(series, variant);
            if (path.empty() || !known(path)) continue;
            INFO(path);
            follow(path);
        }
    }
}

TEST_CASE("of a stripped program nothing is read, and it is said why") {
    for (const char* series : {"1.15", "installed", "1.23", "1.24", "newest"}) {
        for (const char* variant : {"stripped", "pie-stripped", "cgo-stripped", "cgo-pie-stripped"}) {
            const std::string path = program(series, variant);
            if (path.empty()) continue;
            INFO(path);
            says_why_not(path);
        }
    }
}

TEST_CASE("the collector's CPU time and the bytes allocated grow as the program says") {
    for (const char* series : {"1.15", "installed", "newest"}) {
        const std::string path = program(series, "plain");
        if (path.empty() || !known(path)) continue;
        INFO(path);
        State program(path);
        GoRuntime runtime = reader(program.pid());
        program.tell("hold 100");
        const Truth before = program.state();
        const GoRuntimeValues first = runtime.read();
        program.tell("churn 2000");
        program.tell("gc 5");
        const Truth after = program.state();
        const GoRuntimeValues second = runtime.read();
        const double by_us = static_cast<double>(*second.gc_cpu_ns - *first.gc_cpu_ns) * 1e-9;
        const double by_it = gc_cpu(after) - gc_cpu(before);
        INFO(by_us << " s of collecting by us, " << by_it << " s by the program");
        CHECK(by_us > 0);
        CHECK(by_us == Approx(by_it).epsilon(0.05).margin(0.02));
        if (!second.total_alloc) continue;
        const double bytes = static_cast<double>(*second.total_alloc - *first.total_alloc);
        CHECK(bytes == Approx(static_cast<double>(after.at("alloc") - before.at("alloc"))).epsilon(0.001));
        CHECK(bytes > 2000.0 * 1048576);
    }
}

TEST_CASE("memory that C took shows as off-heap, the heap's own does not") {
    const std::string path = program("installed", "cgo");
    if (path.empty() || !known(path)) return;
    State program(path);
    GoRuntime runtime = reader(program.pid());
    const auto off_heap = [&] {
        const auto status = parse_proc_status(*read_file("/proc/" + std::to_string(program.pid()) + "/status"));
        const auto value = memory_off_heap(status.anon, status.swap, runtime.read().in_use);
        REQUIRE(value);
        return std::get<Quantity>(*value).value / 1048576;
    };
    const double before = off_heap();
    program.tell("hold 64");
    CHECK(off_heap() <= before + 8);
    const double held = off_heap();
    program.tell("leak 200");
    CHECK(off_heap() - held > 180);
    CHECK(off_heap() - held < 210);
}

TEST_CASE("a program that runs at full speed is read again and again without one value that cannot be true") {
    const std::string path = program("newest", "plain");
    if (path.empty() || !known(path)) return;
    State program(path);
    GoRuntime runtime = reader(program.pid());
    program.tell("spawn 100");
    std::thread busy([&] { program.tell("churn 20000"); });
    GoRuntimeValues last = runtime.read();
    int readings = 0, without_goal = 0;
    for (const auto until = MonoClock::now() + 2s; MonoClock::now() < until; ++readings) {
        GoRuntimeValues now = runtime.read();
        REQUIRE(now.gomaxprocs);
        REQUIRE(now.goroutines);
        CHECK(*now.goroutines >= 101);
        CHECK(*now.goroutines <= 110);
        REQUIRE(now.gc_cpu_ns);
        CHECK(*now.gc_count >= *last.gc_count);
        CHECK(*now.gc_cpu_ns >= *last.gc_cpu_ns);
        CHECK(*now.total_alloc >= *last.total_alloc);
        for (std::uint64_t i = *last.gc_count; i < *now.gc_count; ++i) {
            CHECK(now.pauses_ns[i % 256] > 0);
            CHECK(now.pauses_ns[i % 256] < 2'000'000'000);
        }
        REQUIRE(now.sys);
        CHECK(*now.sys < 1U << 30U);
        if (!now.heap_goal) ++without_goal;
        last = std::move(now);
    }
    busy.join();
    std::printf("%d readings in 2 s, %d of them without a goal\n", readings, without_goal);
    CHECK(without_goal * 10 <= readings);
}

TEST_CASE("another process's symbols are found out by the version they do not lead to") {
    const std::string one = program("installed", "plain");
    const std::string other = program("newest", "plain");
    if (one.empty() || other.empty()) return;
    State program(one);
    State stranger(other);
    GoProcess process = found(program.pid());
    process.build.symbols = found(stranger.pid()).build.symbols;
    const GoRuntimeValues values = GoRuntime(process, "/proc", std::make_shared<ProcessMemory>()).read();
    REQUIRE_FALSE(values.gomaxprocs);
    CHECK(values.gomaxprocs.absent().reason == Absence::malformed);
}

TEST_CASE("of a process that ended, and of one that may not be read, nothing is read, and it is said why") {
    const std::string path = program("installed", "plain");
    if (path.empty()) return;
    GoProcess process;
    {
        State program(path);
        process = found(program.pid());
        GoRuntime runtime(process, "/proc", std::make_shared<ProcessMemory>());
        REQUIRE(runtime.read().gomaxprocs);
        // Without CAP_SYS_PTRACE: in a child that is another user and has no capability.
        std::array<int, 2> ends{};
        REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
        const pid_t child = ::fork();
        if (child == 0) {
            if (::setresuid(65534, 65534, 65534) != 0) ::_exit(1);
            const auto refused = GoRuntime(process, "/proc", std::make_shared<ProcessMemory>()).read();
            const std::string text = refused.gomaxprocs ? "read" : to_string(refused.gomaxprocs.absent());
            (void)!::write(ends[1], text.data(), text.size());
            ::_exit(0);
        }
        ::close(ends[1]);
        std::array<char, 256> text{};
        const ssize_t got = ::read(ends[0], text.data(), text.size());
        ::close(ends[0]);
        ::waitpid(child, nullptr, 0);
        CHECK(std::string(text.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))) ==
              "not_permitted: CAP_SYS_PTRACE is missing: reading another process's memory needs it");
    }
    const auto gone = GoRuntime(process, "/proc", std::make_shared<ProcessMemory>()).read();
    REQUIRE_FALSE(gone.gomaxprocs);
    CHECK(gone.gomaxprocs.absent().reason == Absence::vanished);
}

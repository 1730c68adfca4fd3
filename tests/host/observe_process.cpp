// The signals of real processes against what these processes know of themselves.
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <thread>
#include <vector>

#include "catch.h"
#include "child.h"
#include "given_probes.h"
#include "observe/observer.h"
#include "observe/process_reader.h"

using namespace gotuned;
using namespace std::chrono_literals;

namespace {

/// One Observer that follows one process. Without probes it is read at every look.
class Watch {
public:
    explicit Watch(const ProcessId& id, Probes* probes = nullptr)
        : observer_(Observer::make(ObserverOptions{}, probes)), id_(id) {
        GoProcess process;
        process.id = id;
        observer_->found(std::make_shared<const GoProcess>(process), MonoClock::now());
    }
    std::shared_ptr<const ProcessState> look() {
        return observer_->observe(MonoClock::now(), std::chrono::system_clock::now(), {})->processes.at(id_);
    }
    double value(Signal id) {
        const auto state = look();
        const auto reading = state->signals.get(id).value;
        INFO(info(id).name << (reading ? "" : " is absent: " + to_string(reading.absent())));
        REQUIRE(reading);
        return std::get<Quantity>(*reading).value;
    }

private:
    std::unique_ptr<Observer> observer_;
    ProcessId id_;
};

double cpu_seconds(const rusage& used) {
    return static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}
double own_cpu_seconds() {
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    return cpu_seconds(used);
}
/// Burns CPU until this thread has used `amount`.
void burn(Duration amount) {
    timespec time{};
    do {
        ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    } while (std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec) < amount);
}
void* map_and_touch(std::size_t bytes, int flags) {
    void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    REQUIRE(memory != MAP_FAILED);
    return memory;
}
constexpr std::size_t mebibyte = 1U << 20U;

}  // namespace

TEST_CASE("the descriptors of a process are those that it opened") {
    const Child child([](const auto& ready) {
        ready();
        ::close_range(0, ~0U, 0);
        for (int i = 0; i < 43; ++i)
            if (::open("/dev/null", O_RDONLY) < 0) ::_exit(1);
        ::raise(SIGSTOP);
    });
    ::waitpid(child.pid(), nullptr, WUNTRACED);
    CHECK(Watch(child.id()).value(Signal::fd_used) == 43);
    ::kill(child.pid(), SIGCONT);
}

TEST_CASE("a descriptor more is one more, in this very process") {
    Watch self(Child::identity_of(::getpid()));
    const double before = self.value(Signal::fd_used);
    std::vector<Fd> opened;
    for (int i = 0; i < 100; ++i) opened.emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    CHECK(self.value(Signal::fd_used) == before + 100);
    opened.clear();
    CHECK(self.value(Signal::fd_used) == before);
}

TEST_CASE("the limits of a process are those that it was given") {
    rlimit nofile{};
    rlimit nproc{};
    ::getrlimit(RLIMIT_NOFILE, &nofile);
    ::getrlimit(RLIMIT_NPROC, &nproc);
    const rlimit fewer_files{nofile.rlim_cur / 2, nofile.rlim_max - 1};
    const rlimit fewer_processes{nproc.rlim_cur == RLIM_INFINITY ? 4000 : nproc.rlim_cur - 1, nproc.rlim_max};
    const Child child([&](const auto& ready) {
        if (::setrlimit(RLIMIT_NOFILE, &fewer_files) != 0 || ::setrlimit(RLIMIT_NPROC, &fewer_processes) != 0)
            ::_exit(1);
        ready();
    });
    Watch watch(child.id());
    CHECK(watch.value(Signal::fd_limit) == static_cast<double>(fewer_files.rlim_cur));
    CHECK(watch.value(Signal::fd_hard) == static_cast<double>(fewer_files.rlim_max));
    CHECK(watch.value(Signal::nproc_limit) == static_cast<double>(fewer_processes.rlim_cur));
}

TEST_CASE("memory that a process touched is resident, and what it mapped from nowhere shared is shared memory") {
    Watch self(Child::identity_of(::getpid()));
    const double anon = self.value(Signal::mem_anon);
    const double rss = self.value(Signal::mem_rss);
    const double shmem = self.value(Signal::mem_shmem);
    // The kernel adds up per-CPU counts only now and then: to some pages a CPU.
    const double slack = 3.0 * mebibyte;
    void* secret = map_and_touch(64 * mebibyte, MAP_PRIVATE);
    void* shared = map_and_touch(16 * mebibyte, MAP_SHARED);
    CHECK(self.value(Signal::mem_anon) == Approx(anon + 64.0 * mebibyte).margin(slack));
    CHECK(self.value(Signal::mem_shmem) == Approx(shmem + 16.0 * mebibyte).margin(slack));
    CHECK(self.value(Signal::mem_rss) == Approx(rss + 80.0 * mebibyte).margin(slack));
    ::munmap(secret, 64 * mebibyte);
    ::munmap(shared, 16 * mebibyte);
    CHECK(self.value(Signal::mem_anon) == Approx(anon).margin(slack));
}

TEST_CASE("the threads of a process are those that it started") {
    const Child child([](const auto& ready) {
        for (int i = 0; i < 20; ++i) std::thread([] { ::pause(); }).detach();
        ready();
    });
    Watch watch(child.id());
    CHECK(watch.value(Signal::proc_threads) == 21);
    CHECK(watch.value(Signal::proc_threads_ratio) == Approx(0.0021));
}

TEST_CASE("the CPUs that a process may use are what sched_getaffinity says") {
    cpu_set_t all;
    CPU_ZERO(&all);
    REQUIRE(::sched_getaffinity(0, sizeof all, &all) == 0);
    std::vector<int> cpus;
    for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu)
        if (CPU_ISSET(cpu, &all)) cpus.push_back(static_cast<int>(cpu));
    const int last = cpus.back();
    const Child child([last](const auto& ready) {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(static_cast<std::size_t>(last), &one);
        if (::sched_setaffinity(0, sizeof one, &one) != 0) ::_exit(1);
        ready();
    });
    const auto allowed = [](const ProcessId& id) {
        return std::get<CpuSet>(*Watch(id).look()->signals.get(Signal::cpu_allowed).value);
    };
    CHECK(allowed(child.id()) == CpuSet({last}));
    CHECK(allowed(Child::identity_of(::getpid())) == CpuSet(cpus));
}

TEST_CASE("CPU usage is the CPU time that getrusage tells, threads that ended included") {
    Watch self(Child::identity_of(::getpid()));
    self.look();
    const double used_before = own_cpu_seconds();
    const MonoTime begin = self.look()->read_at;
    burn(100ms);
    std::thread([] { burn(300ms); }).join();
    std::thread([] { burn(300ms); }).join();
    const auto state = self.look();
    const double used = own_cpu_seconds() - used_before;
    const double usage = std::get<Quantity>(*state->signals.get(Signal::cpu_usage).value).value;
    const double told = usage * seconds(state->read_at - begin);
    CHECK(used >= 0.6);
    // Both looks belong to what was used, each by a part that is not known; a scheduler tick for the clocks.
    CHECK(told == Approx(used).margin(0.05));
}

TEST_CASE("a process that does a little is read when it adds up, and nothing that it counted is lost") {
    std::array<int, 2> orders{};
    std::array<int, 2> answers{};
    REQUIRE(::pipe2(orders.data(), O_CLOEXEC) == 0);
    REQUIRE(::pipe2(answers.data(), O_CLOEXEC) == 0);
    const Child child([&](const auto& ready) {
        ready();
        for (char order = 0; ::read(orders[0], &order, 1) == 1;) {
            if (order == 'o')
                for (int i = 0; i < 10; ++i)
                    if (::open("/dev/null", O_RDONLY) < 0) ::_exit(1);
            if (order == 'b') burn(10ms);
            (void)!::write(answers[1], &order, 1);
        }
    });
    const auto tell = [&](char order) {
        REQUIRE(::write(orders[1], &order, 1) == 1);
        REQUIRE(::read(answers[0], &order, 1) == 1);
    };
    GivenProbes probes;
    probes.otherwise.elapsed = probes.otherwise.scheduler_observed = 1s;
    Watch watch(child.id(), &probes);
    tell('n');  // all is closed that it began with
    const double before = watch.value(Signal::fd_used);
    probes.otherwise.switches = 3;
    tell('o');
    const auto state = watch.look();
    CHECK(state->active);
    CHECK(std::get<Quantity>(*state->signals.get(Signal::fd_used).value).value == before);
    CHECK(std::get<Quantity>(*state->signals.get(Signal::cpu_usage).value).value > 0);
    CHECK(state->signals.get(Signal::fault_major).value.absent().reason == Absence::not_observed);
    tell('b');
    const auto read = watch.look();
    CHECK(std::get<Quantity>(*read->signals.get(Signal::fd_used).value).value == before + 10);
    CHECK(std::get<Quantity>(*read->signals.get(Signal::fault_major).value).value == 0);
    // Who switches often is read, however little CPU that takes; so is who reclaims.
    tell('o');
    probes.otherwise.switches = 64;
    CHECK(watch.value(Signal::fd_used) == before + 20);
    tell('o');
    probes.otherwise.switches = 3;
    probes.otherwise.reclaim.record(1ms);
    CHECK(watch.value(Signal::fd_used) == before + 30);
    for (const int end : {orders[0], orders[1], answers[0], answers[1]}) ::close(end);
}

TEST_CASE("the threads of a user are those of all its processes") {
    if (::geteuid() != 0) {
        WARN("SKIPPED: not root, cannot become another user");
        return;
    }
    constexpr uid_t stranger = 54321;
    const auto three_threads = [](const auto& ready) {
        if (::setresuid(stranger, stranger, stranger) != 0) ::_exit(1);
        for (int i = 0; i < 2; ++i) std::thread([] { ::pause(); }).detach();
        ready();
    };
    const Child one(three_threads);
    const Child two(three_threads);
    CHECK(Watch(one.id()).value(Signal::nproc_used) == 6);
}

TEST_CASE("a process that ended has vanished, and so has one that executed another file") {
    Child child([](const auto& ready) { ready(); });
    const ProcessId id = child.id();
    ProcessId other = id;
    other.exe_inode += 1;
    CHECK(Watch(other).look()->signals.get(Signal::fd_used).value.absent().reason == Absence::vanished);
    Watch watch(id);
    CHECK(watch.value(Signal::proc_threads) == 1);
    child.end();
    CHECK(watch.look()->signals.get(Signal::proc_threads).value.absent().reason == Absence::vanished);
}

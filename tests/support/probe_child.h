// Processes that know their own numbers, for the tests of the probes: each test holds what the kernel's programs
// counted against what the process did, or measured itself.
#pragma once

#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "base/files.h"
#include "catch.h"
#include "optional_probes.h"
#include "probe/probes.h"

namespace gotuned {

/// Ends this executable with the reason when one of the needed probes is not attached.
template <typename Needed>
std::unique_ptr<Probes> probes_or_skip(std::unique_ptr<Probes> probes, Needed needed) {
    for (const auto& report : probes->reports()) {
        if (report.attached || !needed(report)) continue;
        std::printf("SKIPPED: %s is not attached: %s\n", report.probe.c_str(), report.reason.c_str());
        std::fflush(stdout);
        std::_Exit(77);
    }
    return probes;
}
/// Real probes, or the end of this executable with the reason: without them nothing here can be tested. Tests of those
/// that may be missing look for themselves.
inline std::unique_ptr<Probes> load_probes(const ProbeOptions& options = {}) {
    return probes_or_skip(Probes::load(options), [](const ProbeReport& report) { return !may_be_missing(report); });
}
/// The same, with these of those that may be missing.
inline std::unique_ptr<Probes> load_probes_with(const std::set<std::string>& needed) {
    return probes_or_skip(load_probes(), [&](const ProbeReport& report) { return needed.contains(report.probe); });
}

/// A child that runs `work` on memory shared with the test, and dies with the test.
template <typename Shared>
class Child {
public:
    explicit Child(const std::function<void(Shared&)>& work) {
        void* memory = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        REQUIRE(memory != MAP_FAILED);
        shared_ = new (memory) Shared;
        pid_ = ::fork();
        REQUIRE(pid_ >= 0);
        if (pid_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            work(*shared_);
            ::_exit(0);
        }
    }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child() {
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
        ::munmap(shared_, sizeof(Shared));
    }
    Shared* operator->() { return shared_; }
    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] ProcessId id() const { return {pid_, 1, 1}; }
    /// waitpid(2)'s status.
    int wait() {
        int status = 0;
        REQUIRE(::waitpid(std::exchange(pid_, 0), &status, 0) > 0);
        return status;
    }

private:
    Shared* shared_ = nullptr;
    pid_t pid_ = 0;
};

/// Steps that test and child take in turn. The child waits without a system call, so that none is counted.
struct Steps {
    std::atomic<int> allowed{0};
    std::atomic<int> reached{0};
    /// Child: says that it got to `step` and waits until the test lets it go on.
    void stop_at(int step) {
        reached = step;
        while (allowed < step) {
        }
    }
    /// Test: lets the child pass `step`.
    void pass(int step) { allowed = step; }
    void await(int step) {
        while (reached < step) ::usleep(200);
    }
};

inline void pin_to(int cpu, pid_t tid = 0) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<std::size_t>(cpu), &set);
    REQUIRE(::sched_setaffinity(tid, sizeof set, &set) == 0);
}

/// The last CPU that this process may use, and the number of those it may use.
struct Cpus {
    int first = 0, last = 0, count = 0;
};
inline Cpus cpus_here() {
    cpu_set_t set;
    CPU_ZERO(&set);
    REQUIRE(::sched_getaffinity(0, sizeof set, &set) == 0);
    Cpus cpus{-1, -1, 0};
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (!CPU_ISSET(static_cast<std::size_t>(cpu), &set)) continue;
        if (cpus.first < 0) cpus.first = cpu;
        cpus.last = cpu;
        ++cpus.count;
    }
    return cpus;
}

/// Waits until the kernel shows the thread asleep ('S' in /proc/TID/stat).
inline void await_sleep(pid_t tid) {
    for (;;) {
        const auto text = read_file("/proc/" + std::to_string(tid) + "/stat");
        REQUIRE(text);
        const auto end = text->rfind(") ");
        REQUIRE(end != std::string::npos);
        if ((*text)[end + 2] == 'S') return;
        ::usleep(100);
    }
}

/// The same for a thread that was told to stop ('T'), which it does when it leaves the kernel.
inline void await_stop(pid_t tid) {
    for (;;) {
        const auto text = read_file("/proc/" + std::to_string(tid) + "/stat");
        REQUIRE(text);
        const auto end = text->rfind(") ");
        REQUIRE(end != std::string::npos);
        if ((*text)[end + 2] == 'T') return;
        ::usleep(100);
    }
}

/// The log2 bucket in which the quantile lies.
inline int bucket_at(const Distribution& distribution, double q) {
    const double wanted = q * distribution.count();
    double below = 0;
    for (std::size_t i = 0; i < Distribution::bucket_count; ++i) {
        below += distribution.buckets[i];
        if (below >= wanted && below > 0) return static_cast<int>(i);
    }
    return -1;
}

/// A kernel may run no program while certain tasks of its own choice are current (a guest's agent): a switch from one
/// of those is not seen. So few may be missing, and none is ever made up.
inline void require_nearly_all(double seen, double truth) {
    INFO("seen " << seen << " of " << truth);
    REQUIRE(seen <= truth);
    REQUIRE(seen >= truth - std::max(2.0, truth * 0.1));
}

/// "Within a bucket": what two clocks read a few microseconds apart can differ by.
inline void require_same_within_a_bucket(const Distribution& probe, const Distribution& truth) {
    for (const double q : {0.1, 0.5, 0.9}) {
        INFO("quantile " << q << ": probe's bucket " << bucket_at(probe, q) << ", truth's " << bucket_at(truth, q));
        REQUIRE(std::abs(bucket_at(probe, q) - bucket_at(truth, q)) <= 1);
    }
}

}  // namespace gotuned

// A real process that does as it is told: opens descriptors, forks, starts threads, changes its own limits, executes
// another program. Killed with the test.
#pragma once

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <vector>

#include "catch.h"
#include "fork_alone.h"
#include "tune/process.h"

namespace gotuned::test {

class Child {
public:
    explicit Child(rlim_t soft = 256) {
        int to[2];
        int from[2];
        REQUIRE(::pipe2(to, O_CLOEXEC) == 0);
        REQUIRE(::pipe2(from, O_CLOEXEC) == 0);
        pid_ = fork_alone();
        if (pid_ == 0) {
            const rlimit limit{soft, hard};
            ::setrlimit(RLIMIT_NOFILE, &limit);
            ::dup2(to[0], 200);
            ::dup2(from[1], 201);
            ::syscall(SYS_close_range, 202U, ~0U, 0U);
            ::syscall(SYS_close_range, 3U, 199U, 0U);
            ::fcntl(200, F_SETFD, FD_CLOEXEC);
            ::fcntl(201, F_SETFD, FD_CLOEXEC);
            obey();
        }
        to_ = Fd(to[1]);
        from_ = Fd(from[0]);
        ::close(to[0]);
        ::close(from[1]);
        tell('?');  // it has set itself up
        const auto identified = identify("/proc", pid_);
        REQUIRE(identified);
        id_ = *identified;
    }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child() { end(); }

    static constexpr rlim_t hard = 4096;

    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] const ProcessId& id() const { return id_; }
    void open_descriptors(int number) { tell('o', number); }
    void close_descriptors() { tell('c'); }
    pid_t fork_child() { return tell('f'); }
    pid_t start_thread() { return tell('t'); }
    void set_own_soft(int soft) { tell('s', soft); }
    /// Of its main thread.
    void pin_itself(int cpu) { tell('a', cpu); }
    /// Of its main thread.
    void renice_itself(int nice) { tell('n', nice); }
    void set_own_oom_score_adj(int score) { tell('m', score); }
    /// As a service of that user: it changes to it and executes a program.
    void become(uid_t user) {
        tell('u', static_cast<std::int32_t>(user));
        execute_another();
        const auto identified = identify("/proc", pid_);
        REQUIRE(identified);
        id_ = *identified;
    }
    /// Errno, 0 when it is in a network namespace of its own now.
    int leave_the_network() { return tell('w'); }
    int join_the_network_of(pid_t pid) { return tell('j', pid); }
    void execute_another() {
        tell('x');
        // The answer came before execve(2): wait until the executable is another.
        for (int i = 0; i < 2000; ++i) {
            const auto inode = exe_inode("/proc", pid_);
            if (inode && *inode != id_.exe_inode) return;
            ::usleep(1000);
        }
        FAIL("the child did not execute");
    }
    void end() {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        pid_ = 0;
    }

    static rlimit nofile(pid_t pid) {
        rlimit limit{};
        REQUIRE(::prlimit(pid, RLIMIT_NOFILE, nullptr, &limit) == 0);
        return limit;
    }
    [[nodiscard]] rlim_t soft() const { return nofile(pid_).rlim_cur; }

private:
    struct Order {
        char what;
        std::int32_t number;
    };
    std::int32_t tell(char what, std::int32_t number = 0) {
        const Order order{what, number};
        REQUIRE(::write(to_.get(), &order, sizeof order) == sizeof order);
        std::int32_t answer = -1;
        REQUIRE(::read(from_.get(), &answer, sizeof answer) == sizeof answer);
        return answer;
    }

    static void* wait_for_ever(void* reply) {
        const auto tid = static_cast<std::int32_t>(::syscall(SYS_gettid));
        static_cast<void>(!::write(*static_cast<int*>(reply), &tid, sizeof tid));
        for (;;) ::pause();
    }

    [[noreturn]] static void obey() {
        static int reply = 201;
        static int first_opened = 0;
        static int opened = 0;
        for (;;) {
            Order order{};
            if (::read(200, &order, sizeof order) != sizeof order) ::_exit(0);
            std::int32_t answer = 0;
            switch (order.what) {
                case 'o':
                    for (int i = 0; i < order.number; ++i) {
                        const int fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
                        if (first_opened == 0) first_opened = fd;
                        if (fd >= 0) ++opened;
                    }
                    answer = opened;
                    break;
                case 'c':
                    ::syscall(SYS_close_range, 3U, 199U, 0U);
                    ::syscall(SYS_close_range, 202U, ~0U, 0U);
                    opened = 0;
                    break;
                case 'f': {
                    const pid_t parent = ::getpid();
                    answer = ::fork();
                    if (answer == 0) {
                        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
                        if (::getppid() != parent) ::_exit(0);  // it ended before that was in force
                        for (;;) ::pause();
                    }
                    break;
                }
                case 't': {
                    pthread_t thread{};
                    ::pthread_create(&thread, nullptr, wait_for_ever, &reply);
                    continue;  // the thread answers
                }
                case 's': {
                    const rlimit limit{static_cast<rlim_t>(order.number), nofile_hard()};
                    answer = ::setrlimit(RLIMIT_NOFILE, &limit);
                    break;
                }
                case 'a': {
                    cpu_set_t set;
                    CPU_ZERO(&set);
                    CPU_SET(static_cast<unsigned>(order.number), &set);
                    answer = ::sched_setaffinity(0, sizeof set, &set);
                    break;
                }
                case 'n':
                    answer = ::setpriority(PRIO_PROCESS, 0, order.number);
                    break;
                case 'm': {
                    const int file = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
                    const std::string score = std::to_string(order.number);
                    answer = ::write(file, score.data(), score.size()) > 0 ? 0 : -1;
                    ::close(file);
                    break;
                }
                case 'u':
                    answer = ::setresuid(static_cast<uid_t>(order.number), static_cast<uid_t>(order.number),
                                         static_cast<uid_t>(order.number));
                    break;
                case 'w':
                    answer = ::unshare(CLONE_NEWNET) == 0 ? 0 : errno;
                    break;
                case 'j': {
                    const std::string path = "/proc/" + std::to_string(order.number) + "/ns/net";
                    const int space = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
                    answer = ::setns(space, CLONE_NEWNET) == 0 ? 0 : errno;
                    ::close(space);
                    break;
                }
                case 'x':
                    static_cast<void>(!::write(201, &answer, sizeof answer));
                    ::execl("/bin/sleep", "sleep", "1000", nullptr);
                    ::_exit(1);
                default:
                    break;
            }
            static_cast<void>(!::write(201, &answer, sizeof answer));
        }
    }
    static rlim_t nofile_hard() {
        rlimit limit{};
        ::getrlimit(RLIMIT_NOFILE, &limit);
        return limit.rlim_max;
    }

    pid_t pid_ = 0;
    ProcessId id_{};
    Fd to_{};
    Fd from_{};
};

}  // namespace gotuned::test

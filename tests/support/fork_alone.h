// fork(2) for tests whose child goes on with code of the daemon.
#pragma once

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "base/files.h"
#include "catch.h"

namespace gotuned::test {

/// Each thread of this process but the caller's own waits for something.
inline bool other_threads_wait() {
    const std::string own = std::to_string(::gettid());
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
        if (task.path().filename() == own) continue;
        const auto stat = read_file((task.path() / "stat").string());  // absent: it has ended meanwhile
        if (stat && stat->find(") S ") == std::string::npos) return false;
    }
    return true;
}

/// fork(2), once no other thread runs. A worker's thread outlives its worker by a moment, and a child that is forked in
/// that moment may find the address sanitizer's locks taken, by a thread that it does not have, and wait for them for
/// ever: GCC 12's sanitizer does not hold them over a fork(2) as the C library holds its own. The child is killed with
/// its parent.
inline pid_t fork_alone() {
    // One look decides: a sanitizer's own thread wakes now and then.
    bool alone = other_threads_wait();
    for (int i = 0; i < 10000 && !alone; ++i) {
        ::usleep(1000);
        alone = other_threads_wait();
    }
    REQUIRE(alone);
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != parent) ::_exit(0);
    }
    return pid;
}

}  // namespace gotuned::test

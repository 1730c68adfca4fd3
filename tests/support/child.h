// A child process of a test: it runs a function, says when it is ready, and is killed and waited for with the object.
#pragma once

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <stdexcept>
#include <string>

#include "base/fd.h"
#include "base/files.h"
#include "base/target.h"
#include "observe/proc_files.h"

namespace gotuned {

class Child {
public:
    /// Runs `work` in a new process; it is handed a function that it must call when it is ready. When `work`
    /// returns the child waits to be killed. The constructor returns when the child is ready.
    explicit Child(const std::function<void(const std::function<void()>& ready)>& work) {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
        Fd reading(ends[0]);
        Fd writing(ends[1]);
        pid_ = ::fork();
        if (pid_ < 0) throw std::runtime_error("cannot fork");
        if (pid_ == 0) {
            reading.reset();
            work([&writing] {
                if (::write(writing.get(), "r", 1) != 1) ::_exit(1);
                writing.reset();
            });
            for (;;) ::pause();
        }
        writing.reset();
        char byte = 0;
        if (::read(reading.get(), &byte, 1) != 1) {
            end();
            throw std::runtime_error("the child ended before it was ready");
        }
    }
    ~Child() { end(); }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] ProcessId id() const { return identity_of(pid_); }
    /// Kills and waits; what it used in all. The second call gives zeros.
    rusage end() {
        rusage used{};
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            ::wait4(pid_, nullptr, 0, &used);
            pid_ = 0;
        }
        return used;
    }

    static ProcessId identity_of(pid_t pid) {
        const std::string folder = "/proc/" + std::to_string(pid);
        const auto text = read_file(folder + "/stat");
        const auto stat = text ? parse_proc_stat(*text) : Reading<ProcStat>();
        struct stat exe{};
        if (!stat || ::stat((folder + "/exe").c_str(), &exe) != 0) throw std::runtime_error("no identity of " + folder);
        return {pid, stat->start_ticks, exe.st_ino};
    }

private:
    pid_t pid_ = 0;
};

}  // namespace gotuned

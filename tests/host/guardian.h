// Puts a file of this kernel back whatever happens to the test: a process of its own sees the test end, by SIGKILL too,
// and writes what was there.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "base/files.h"
#include "catch.h"

namespace gotuned::test {

inline std::string present(const std::string& path) {
    const auto content = read_file(path);
    REQUIRE(content);
    return std::string(trim(*content));
}

class Guardian {
public:
    explicit Guardian(const std::string& path) : Guardian(path, present(path)) {}
    /// `found` is what must be written to have the file as it is now.
    Guardian(std::string path, std::string found) : path_(std::move(path)), found_(std::move(found)) {
        int ends[2];
        REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
        pid_ = ::fork();
        REQUIRE(pid_ >= 0);
        if (pid_ == 0) {
            ::close(ends[1]);
            ::setsid();  // a signal for the group of the test is not for this one
            char ignored = 0;
            while (::read(ends[0], &ignored, 1) < 0 && errno == EINTR) continue;
            const int fd = ::open(path_.c_str(), O_WRONLY | O_CLOEXEC);
            static_cast<void>(!::write(fd, found_.data(), found_.size()));
            ::_exit(0);
        }
        ::close(ends[0]);
        alive_ = Fd(ends[1]);
    }
    Guardian(const Guardian&) = delete;
    Guardian& operator=(const Guardian&) = delete;
    ~Guardian() {
        alive_.reset();
        ::waitpid(pid_, nullptr, 0);
    }
    [[nodiscard]] const std::string& found() const { return found_; }

private:
    std::string path_;
    std::string found_;
    pid_t pid_ = 0;
    Fd alive_{};
};

}  // namespace gotuned::test

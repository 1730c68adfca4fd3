// Owners of kernel handles. They move and do not copy; nothing turns into an int by itself.
#pragma once

#include <sys/types.h>

#include <utility>

#include "base/result.h"

namespace gotuned {

/// Owns a file descriptor and closes it.
class Fd {
public:
    Fd() = default;
    explicit Fd(int fd) : fd_(fd) {}
    Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Fd& operator=(Fd&& other) noexcept {
        if (this != &other) reset(std::exchange(other.fd_, -1));
        return *this;
    }
    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;
    ~Fd() { reset(); }

    [[nodiscard]] int get() const { return fd_; }
    [[nodiscard]] bool valid() const { return fd_ >= 0; }
    int release() { return std::exchange(fd_, -1); }
    void reset(int fd = -1);

private:
    int fd_ = -1;
};

/// A process held by pidfd_open(2), so that a reused pid is never mistaken for it.
/// Errors of open(): ESRCH when the process is gone.
class Pidfd {
public:
    static Result<Pidfd> open(pid_t pid);
    [[nodiscard]] int get() const { return fd_.get(); }
    [[nodiscard]] pid_t pid() const { return pid_; }
    /// False once the process has ended (poll(2) on the pidfd).
    [[nodiscard]] bool alive() const;

private:
    Pidfd(Fd fd, pid_t pid) : fd_(std::move(fd)), pid_(pid) {}
    Fd fd_;
    pid_t pid_ = 0;
};

}  // namespace gotuned

#include "base/fd.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace gotuned {

void Fd::reset(int fd) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
}

Result<Pidfd> Pidfd::open(pid_t pid) {
    const auto fd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U));
    if (fd < 0) return fail("cannot open the process", errno, "pid " + std::to_string(pid));
    return Pidfd(Fd(fd), pid);
}

bool Pidfd::alive() const {
    pollfd waiter{fd_.get(), POLLIN, 0};
    return ::poll(&waiter, 1, 0) == 0;
}

}  // namespace gotuned

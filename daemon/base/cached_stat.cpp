#include "base/cached_stat.h"

#include <fcntl.h>
#include <sys/sysmacros.h>

#include <cerrno>

namespace gotuned {

Result<struct stat> cached_stat(int directory, const std::string& path) {
    struct statx status{};
    constexpr unsigned wanted = STATX_TYPE | STATX_MODE | STATX_INO | STATX_SIZE | STATX_MTIME;
    if (::statx(directory, path.c_str(), AT_STATX_DONT_SYNC, wanted, &status) != 0)
        return fail("cannot look at " + path, errno);
    struct stat out{};
    out.st_dev = makedev(status.stx_dev_major, status.stx_dev_minor);
    out.st_ino = status.stx_ino;
    out.st_mode = status.stx_mode;
    out.st_size = static_cast<off_t>(status.stx_size);
    out.st_mtim = {static_cast<time_t>(status.stx_mtime.tv_sec), static_cast<long>(status.stx_mtime.tv_nsec)};
    return out;
}

}  // namespace gotuned

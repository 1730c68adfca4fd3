#include "tune/cgroup_directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace gotuned {

Result<Fd> open_cgroup(const Roots& roots, const CgroupId& cgroup, const std::string& place) {
    if (roots.cgroup2.empty()) return fail("there is no unified cgroup hierarchy", ENOTSUP, "cgroup " + place);
    const std::string path = roots.cgroup2 + place;
    Fd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    if (!directory.valid()) return fail("cannot open the cgroup", errno == ENODEV ? ENOENT : errno, "cgroup " + place);
    struct stat status{};
    if (::fstat(directory.get(), &status) != 0) return fail("cannot look at the cgroup", errno, "cgroup " + place);
    if (status.st_ino != cgroup.inode) return fail("another cgroup has its name now", ENOENT, "cgroup " + place);
    return directory;
}

Status write_cgroup_file(int directory, const std::string& name, const std::string& content) {
    const Fd file(::openat(directory, name.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!file.valid()) return fail("cannot open " + name + " for writing", errno);
    const ssize_t put = ::write(file.get(), content.data(), content.size());
    if (put < 0) return fail("cannot write " + content + " to " + name, errno);
    static_cast<void>(!::ftruncate(file.get(), put));  // only of meaning in a tree of plain files
    if (static_cast<std::size_t>(put) != content.size())
        return fail("cannot write " + name + ": only a part was taken", EIO);
    return {};
}

}  // namespace gotuned

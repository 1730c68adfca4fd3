#include "observe/held_directory.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>

#include "base/files.h"

namespace gotuned {

Absent absent_of(const Error& error) {
    switch (error.code) {
        case ESRCH:
        case ENODEV:
            return {Absence::vanished, {}};
        case EACCES:
        case EPERM:
            return {Absence::not_permitted, error.what};
        case ENOENT:
            return {Absence::not_supported, "this kernel has no such file: " + error.what};
        case EOPNOTSUPP:
            return {Absence::not_supported, "turned off in this kernel: " + error.what};
        default:
            return {Absence::no_data, to_string(error)};
    }
}

Reading<HeldDirectory> HeldDirectory::open(const std::string& path, std::string witness) {
    Fd fd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!fd.valid()) {
        if (errno == ENOENT || errno == ENOTDIR) return Absence::vanished;
        return absent_of(Error{"cannot open " + path, {}, errno, {}});
    }
    return HeldDirectory(std::move(fd), path, std::move(witness));
}

Reading<std::string> HeldDirectory::read(const std::string& name) const {
    auto content = read_file_at(fd_.get(), name);
    if (!content) return reason(content.error());
    return std::move(*content);
}

bool HeldDirectory::gone() const {
    return ::faccessat(fd_.get(), witness_.c_str(), F_OK, 0) != 0 &&
           (errno == ENOENT || errno == ESRCH || errno == ENODEV);
}

Absent HeldDirectory::reason(const Error& error) const {
    if (error.code == ENOENT && gone()) return {Absence::vanished, {}};
    return absent_of(error);
}

std::uint64_t HeldDirectory::inode() const {
    struct stat status{};
    return ::fstat(fd_.get(), &status) == 0 ? status.st_ino : 0;
}

std::uint64_t HeldDirectory::links() const {
    struct stat status{};
    return ::fstat(fd_.get(), &status) == 0 ? status.st_nlink : 0;
}

bool HeldDirectory::is_procfs() const {
    struct statfs status{};
    return ::fstatfs(fd_.get(), &status) == 0 && status.f_type == PROC_SUPER_MAGIC;
}

}  // namespace gotuned

// A directory of PROC or of the cgroup file system, held open, so that all files of one reading are of the same
// process or cgroup: a reused pid or a recreated name has another directory.
#pragma once

#include <cstdint>
#include <string>

#include "base/fd.h"
#include "base/reading.h"

namespace gotuned {

/// Why there is no reading, from an error of the kernel: ESRCH and ENODEV are vanished, EACCES and EPERM are
/// not_permitted, ENOENT and EOPNOTSUPP are not_supported, all others are no_data with the error in words.
Absent absent_of(const Error& error);

class HeldDirectory {
public:
    /// `witness` is a file that is there as long as the directory lives ("stat", "cgroup.controllers"): it tells
    /// a kernel that has no such file from a directory that is gone.
    static Reading<HeldDirectory> open(const std::string& path, std::string witness);

    /// Absent: vanished, not_supported (no such file), not_permitted.
    [[nodiscard]] Reading<std::string> read(const std::string& name) const;
    [[nodiscard]] bool gone() const;
    /// The same reason, but vanished when the directory is gone by now.
    [[nodiscard]] Absent reason(const Error& error) const;
    [[nodiscard]] int fd() const { return fd_.get(); }
    [[nodiscard]] std::uint64_t inode() const;
    /// Its hard links; 0: gone.
    [[nodiscard]] std::uint64_t links() const;
    /// True when it is of the kernel's procfs, false in a test's tree.
    [[nodiscard]] bool is_procfs() const;

private:
    HeldDirectory(Fd fd, std::string path, std::string witness)
        : fd_(std::move(fd)), path_(std::move(path)), witness_(std::move(witness)) {}
    Fd fd_;
    std::string path_;
    std::string witness_;
};

}  // namespace gotuned

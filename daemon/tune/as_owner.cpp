#include "tune/as_owner.h"

#include <fcntl.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace gotuned {
namespace {

/// The user that this thread's file accesses are made as, until it is destroyed.
class FileUser {
public:
    explicit FileUser(uid_t user) : dumpable_(::prctl(PR_GET_DUMPABLE)), before_(::setfsuid(user)) {}
    FileUser(const FileUser&) = delete;
    FileUser& operator=(const FileUser&) = delete;
    ~FileUser() {
        ::setfsuid(static_cast<uid_t>(before_));
        // A change of it takes the right to be dumped from the whole process (commit_creds in kernel/cred.c).
        if (dumpable_ == 1) ::prctl(PR_SET_DUMPABLE, 1);
    }

private:
    int dumpable_;
    int before_;
};

}  // namespace

Result<Fd> open_as_owner(const std::string& path, int flags) {
    Fd file(::open(path.c_str(), flags | O_CLOEXEC));
    if (file.valid()) return file;
    int code = errno;
    struct stat status{};
    if (code == EACCES && ::stat(path.c_str(), &status) == 0 && status.st_uid != ::geteuid()) {
        const FileUser owner(status.st_uid);
        file = Fd(::open(path.c_str(), flags | O_CLOEXEC));
        if (file.valid()) return file;
        code = errno;
    }
    return fail("cannot open " + path, code, {},
                code == EACCES ? "a file of another user needs CAP_SETUID or CAP_DAC_OVERRIDE" : "");
}

}  // namespace gotuned

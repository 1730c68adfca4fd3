#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/log.h"
#include "base/text.h"
#include "tune/journal.h"

namespace gotuned {

Result<RunLock> RunLock::take(const std::string& run_dir) {
    if (::mkdir(run_dir.c_str(), 0755) != 0 && errno != EEXIST) return fail("cannot make " + run_dir, errno);
    const std::string path = run_dir + "/lock";
    // Never unlinked: a second one could else hold a lock on a file that nobody finds any more.
    Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd.valid()) return fail("cannot open " + path, errno);
    // flock(2) needs no more than a readable file: whoever could open it could keep us from starting and undoing.
    if (::fchmod(fd.get(), 0600) != 0) return fail("cannot close " + path + " to others", errno);
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
        const int code = errno;
        if (code != EWOULDBLOCK) return fail("cannot lock " + path, code);
        const auto holder = read_file(path, 64);
        const std::string pid = holder ? clean_text(trim(*holder)) : "";
        return fail(fmt::format("another gotuned ({}) holds {}", pid.empty() ? "unknown" : "pid " + pid, path), code,
                    {}, "stop it first, or ask it with gotunectl");
    }
    // For people. On a full disk the lock is as good without it, and what there is to undo must be undone.
    const std::string pid = fmt::format("{}\n", ::getpid());
    const bool told = ::ftruncate(fd.get(), 0) == 0 && ::pwrite(fd.get(), pid.data(), pid.size(), 0) >= 0;
    if (!told) log_warning("cannot write {}: {}", path, errno_words(errno));
    return RunLock(std::move(fd));
}

}  // namespace gotuned

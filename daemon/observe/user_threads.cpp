#include "observe/user_threads.h"

#include <dirent.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>

#include "observe/held_directory.h"
#include "observe/proc_files.h"

namespace gotuned {

void UserThreads::walk() {
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(roots_.proc.c_str()), ::closedir);
    if (directory == nullptr) {
        threads_ = absent_of(Error{"cannot open " + roots_.proc, {}, errno, {}});
        return;
    }
    std::map<std::uint64_t, std::uint64_t> threads;
    for (errno = 0; const dirent* entry = ::readdir(directory.get()); errno = 0) {
        std::uint64_t pid = 0;
        if (!parse_u64(entry->d_name, pid)) continue;
        const auto text = read_file(roots_.proc + "/" + entry->d_name + "/status");
        if (!text) continue;  // ended since the name was read: it counts no more
        const ProcStatus status = parse_proc_status(*text);
        if (status.uid && status.threads) threads[*status.uid] += *status.threads;
    }
    if (errno != 0) {
        threads_ = absent_of(Error{"cannot read " + roots_.proc, {}, errno, {}});
        return;
    }
    threads_ = std::move(threads);
}

Reading<std::uint64_t> UserThreads::of(std::uint64_t uid, MonoTime now, const Clock& clock) {
    if (now >= next_) {
        const MonoTime before = clock.mono();
        walk();
        next_ = now + std::max(at_least_, (clock.mono() - before) * 2000);
    }
    if (!threads_) return threads_.absent();
    const auto found = threads_->find(uid);
    if (found == threads_->end()) return Absent{Absence::no_data, "the user had no process when last looked at"};
    return found->second;
}

}  // namespace gotuned

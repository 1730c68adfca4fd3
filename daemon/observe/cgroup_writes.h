// Tells when somebody wrote to a setting of a cgroup (its limits), though nothing runs in it: inotify on the cgroup's
// directory, which the kernel tells of every write(2) to a file in it (fs/notify/fsnotify.c; inotify(7)). It wakes
// nobody: what happened is asked for once a tick.
#pragma once

#include <map>
#include <set>
#include <string>

#include "base/fd.h"
#include "base/target.h"

namespace gotuned {

class CgroupWrites {
public:
    CgroupWrites();

    /// Whether it is told of this one from now on. False: the kernel grants no more watches
    /// (fs.inotify.max_user_watches) or none at all; the cgroup has to be looked at.
    bool follow(const CgroupId& cgroup, const std::string& directory);
    void forget(const CgroupId& cgroup);
    /// Those whose settings were written to since the last time; all that are followed when there were too many events.
    std::set<CgroupId> take();

private:
    Fd inotify_;
    std::map<int, CgroupId> watched_{};  ///< by watch descriptor
    std::map<CgroupId, int> watches_{};  ///< the same, the other way round
};

}  // namespace gotuned

#include "observe/cgroup_writes.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/inotify.h"

namespace gotuned {
namespace {

/// Limits alone. The kernel tells of memory.events and cgroup.events as well, and PSI triggers are written to
/// memory.pressure.
bool is_setting(std::string_view file) {
    constexpr std::array ends{".max", ".high", ".low", ".min"};
    return std::ranges::any_of(ends, [file](const char* end) { return file.ends_with(end); });
}

}  // namespace

CgroupWrites::CgroupWrites() : inotify_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {}

bool CgroupWrites::follow(const CgroupId& cgroup, const std::string& directory) {
    if (!inotify_.valid()) return false;
    forget(cgroup);
    const int watch = ::inotify_add_watch(inotify_.get(), directory.c_str(), IN_MODIFY | IN_ONLYDIR);
    if (watch < 0) return false;
    watched_.insert_or_assign(watch, cgroup);  // a directory has one watch, also when its name went to another cgroup
    watches_.emplace(cgroup, watch);
    return true;
}

void CgroupWrites::forget(const CgroupId& cgroup) {
    const auto known = watches_.find(cgroup);
    if (known == watches_.end()) return;
    if (const auto mine = watched_.find(known->second); mine != watched_.end() && mine->second == cgroup) {
        // EINVAL: the directory is gone, and the watch with it.
        (void)::inotify_rm_watch(inotify_.get(), known->second);
        watched_.erase(mine);
    }
    watches_.erase(known);
}

std::set<CgroupId> CgroupWrites::take() {
    std::set<CgroupId> out;
    drain_inotify(inotify_, [&](const inotify_event& event, std::string_view file) {
        if (event.mask & IN_Q_OVERFLOW)
            for (const auto& [watch, cgroup] : watched_) out.insert(cgroup);
        const auto known = watched_.find(event.wd);
        if (known != watched_.end() && is_setting(file)) out.insert(known->second);
    });
    return out;
}

}  // namespace gotuned

// Who wrote what we hold, told by the kernel as it happens. That it was written is no drift yet: the kernel may refuse
// the value, or it may be ours. So it is looked at, and the writer is named when something else is found.
#include <fmt/format.h>
#include <sys/stat.h>

#include "base/text.h"
#include "observe/sysctl.h"
#include "tune/engine_impl.h"
#include "tune/net_namespace.h"

namespace gotuned {
namespace {

constexpr std::string_view prefix = "sysctl.";

/// The kernel says one thing of the writes to net/… of all network namespaces.
bool same_namespace(const Roots& roots, const std::string& place, const SysctlWrite& write) {
    if (is_net_place(place)) return net_inode(place) == std::to_string(write.net_namespace);
    if (!write.path.starts_with("net/") || write.net_namespace == 0) return true;
    struct stat ours{};
    const std::string path = roots.proc + "/self/ns/net";
    return ::stat(path.c_str(), &ours) != 0 || ours.st_ino == write.net_namespace;
}

/// "sysctl (pid 4711, user 0, in cron.service), 10 → 42".
std::string words(const SysctlWrite& write) {
    const std::string place = write.cgroup.empty() ? "" : ", in " + write.cgroup;
    return clean_text(fmt::format("{} (pid {}, user {}{}), {} → {}", write.command, write.pid, write.uid, place,
                                  write.from, write.to));
}

}  // namespace

void EngineImpl::foreign_write(const SysctlWrite& write) {
    bool ours = false;
    for (auto& [id, live] : live_) {
        const JournalEntry& entry = live.entry;
        if (!entry.knob.starts_with(prefix) || entry.state == AdjustmentState::drifted) continue;
        const auto path = sysctl_path(entry.knob.substr(prefix.size()));
        if (!path || *path != write.path || !same_namespace(options_.roots, entry.place, write)) continue;
        live.writer = words(write);
        ours = true;
    }
    if (!ours) return;
    look_again_ = looking_;
    look_at_all();
}

}  // namespace gotuned

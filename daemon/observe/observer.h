// Builds the Snapshot of each tick: takes the probes' differences, reads PROC, cgroup v2 and SYS for what was
// active. Owned and called by main; publishes nothing by itself.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/files.h"
#include "base/time.h"
#include "discover/go_process.h"
#include "observe/clock_watch.h"
#include "observe/goroutine_watch.h"
#include "observe/held_directory.h"
#include "observe/remote_memory.h"
#include "observe/snapshot.h"
#include "probe/probes.h"

namespace gotuned {

struct ObserverOptions {
    Roots roots{};
    /// A process that does nothing, or little, is read this often; where many are due at once, some ticks later.
    Duration idle_reread = std::chrono::minutes(1);
    /// nproc.used walks all of PROC: not more often than this, and seldom enough to cost less than 0.1% of a CPU.
    Duration nproc_reread = std::chrono::seconds(15);
    std::shared_ptr<const Clock> clock = std::make_shared<SystemClock>();
    std::shared_ptr<const RemoteMemory> memory = std::make_shared<ProcessMemory>();
    /// How long a tick waits for the memory of all processes; reading one takes some microseconds.
    Duration memory_patience = std::chrono::milliseconds(100);
    GoroutineOptions goroutines{};
};

class Observer {
public:
    /// `probes` may be null (no BPF): its signals are then absent, not_attached.
    static std::unique_ptr<Observer> make(const ObserverOptions& options, Probes* probes);
    virtual ~Observer() = default;

    virtual void found(std::shared_ptr<const GoProcess> process, MonoTime now) = 0;
    /// A process ended with this status (gt_event::exit_code of GT_EXIT): said before lost(). A process that is lost
    /// without it has not ended but executed another file, or nobody saw its end.
    virtual void ended(pid_t pid, std::uint32_t status) = 0;
    /// Takes the last differences; they are in the next Snapshot, marked exited.
    virtual void lost(const ProcessId& process, MonoTime now) = 0;
    /// Something was written to this process: /proc is read again at the next tick, idle or not.
    virtual void touch(const ProcessId& process) = 0;
    /// The same for the files of a cgroup.
    virtual void touch(const CgroupId& cgroup) = 0;
    /// The sysctls that host.sysctl() and sysctl.* knobs name.
    virtual void want_sysctls(std::set<std::string> names) = 0;
    /// Names a process's service (operator's target names come first); asked once for each process and after a reload.
    virtual void name_services(std::function<std::string(const GoProcess&)> name) = 0;

    /// What was read outside, for the next Snapshots.
    virtual void outside(std::shared_ptr<const OutsideReadings> readings) = 0;

    /// `scheduled` is the tick's planned time.
    virtual SnapshotPtr observe(MonoTime scheduled, WallTime wall, std::vector<LiveAdjustment> adjustments) = 0;

    /// Between two ticks, because a PSI trigger fired: `last` with memory and pressure of the host and of these cgroups
    /// read anew (Snapshot::woken_for; those that cannot be read are left out). `now` must be past last.at.
    virtual SnapshotPtr refresh(const Snapshot& last, const std::set<CgroupId>& cgroups, MonoTime now, WallTime wall,
                                std::vector<LiveAdjustment> adjustments) = 0;
    /// Steps of the wall clock: readable fd, and what to do then (ClockWatch).
    [[nodiscard]] virtual ClockWatch& clock() = 0;
    /// Which of these were stalled on memory since they were last read: one small file each.
    virtual std::set<CgroupId> stalled(const std::set<CgroupId>& among) const = 0;
    /// The directory of a watched cgroup, held open, so that its files are this cgroup's. Absent: it is not watched, or
    /// why it cannot be opened.
    [[nodiscard]] virtual Reading<HeldDirectory> directory(const CgroupId& cgroup) const = 0;
};

}  // namespace gotuned

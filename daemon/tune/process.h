// The process behind a ProcessId, looked at afresh: is it still the one that was meant, what does it use. For the
// knobs of processes; never from a Snapshot, which may be a tick old.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/capability.h"
#include "base/fd.h"
#include "base/files.h"
#include "base/result.h"
#include "base/target.h"

namespace gotuned {

/// What /proc/PID/stat says, as far as it is needed (proc(5)).
struct ProcessStat {
    pid_t parent = 0;
    std::uint64_t start_ticks = 0;
};
/// Errors: ENOENT or ESRCH when there is no such process, EPROTO when the line makes no sense.
Result<ProcessStat> read_stat(const std::string& proc, pid_t pid);

/// st_ino of what a process executes. Errors: ENOENT for a zombie or kernel thread.
Result<std::uint64_t> exe_inode(const std::string& proc, pid_t pid);

/// Reads an identity; for tests and for children that were just forked.
Result<ProcessId> identify(const std::string& proc, pid_t pid);

/// A process that was checked to be the one meant and is held, so that its pid is not reused as long as it is
/// alive. check() after the deed says whether it was alive all the time.
class HeldProcess {
public:
    /// Errors: ESRCH when it is gone or its pid is another's. The exe inode is not compared: what a process was
    /// given stays with it over exec(2).
    static Result<HeldProcess> open(const std::string& proc, const ProcessId& id);
    [[nodiscard]] Status check() const;
    [[nodiscard]] pid_t pid() const { return pidfd_.pid(); }

private:
    explicit HeldProcess(Pidfd pidfd) : pidfd_(std::move(pidfd)) {}
    Pidfd pidfd_;
};

/// Descriptors in use now.
Result<std::uint64_t> descriptors_in_use(const std::string& proc, pid_t pid);
/// A number of a line "Key:  123 kB" in /proc/PID/status, as it stands there.
Result<std::uint64_t> status_number(const std::string& proc, pid_t pid, std::string_view key);
/// Threads of all processes of a real user, which RLIMIT_NPROC counts (getrlimit(2)).
Result<std::uint64_t> tasks_of_user(const std::string& proc, std::uint64_t uid);

/// The numbers that are directories' names: pids of PROC, threads of PROC/PID/task.
Result<std::vector<pid_t>> numbered_entries(const std::string& directory);

/// Visits every thread of a process once, and lists them again until none is new: a thread made meanwhile by one that
/// was not visited yet has its maker's old settings. ESRCH of a visit is a thread that ended since it was listed.
/// Errors: ESRCH when the process is gone or another's; EAGAIN when threads appear faster than they can be visited.
Status visit_threads(const std::string& proc, const ProcessId& id, const std::function<Status(pid_t)>& visit);

/// Children of any depth of `ancestor` that started at `since` (clock ticks since boot) or later, by the parents
/// that PROC shows now: a child whose parent has ended is not among them.
std::vector<ProcessId> descendants_since(const std::string& proc, pid_t ancestor, std::uint64_t since);

/// Now, in the clock ticks since boot that field 22 of /proc/PID/stat counts (CLOCK_BOOTTIME).
std::uint64_t boot_ticks();

}  // namespace gotuned

// The CPU masks of all threads of a process, as they are kept to be put back: the mask of most threads, and by number
// those that have another. A thread on all CPUs of its cpuset is unpinned: put back as the full mask, not as the
// CPUs of that day.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/value.h"

namespace gotuned {

struct ThreadMask {
    bool full = false;
    CpuSet cpus{};  ///< empty when full
    friend bool operator==(const ThreadMask&, const ThreadMask&) = default;
    /// "full" or a CPU list.
    [[nodiscard]] std::string text() const { return full ? "full" : cpus.list(); }
};

struct ThreadMasks {
    ThreadMask common{};
    std::map<pid_t, ThreadMask> others{};

    [[nodiscard]] const ThreadMask& of(pid_t thread) const;
    /// "full;0-1=4711+4712": the common one, then each other mask with its threads.
    [[nodiscard]] std::string encode() const;
    static Result<ThreadMasks> decode(std::string_view text);
    static ThreadMasks from(const std::map<pid_t, ThreadMask>& masks);
};

/// sched_getaffinity(2) of one thread. Errors: ESRCH.
Result<CpuSet> thread_cpus(pid_t thread);
/// sched_setaffinity(2): a full mask has every bit, which the kernel narrows to the cpuset. Errors: ESRCH, EPERM;
/// EINVAL when no CPU of the mask is in the cpuset.
Status set_thread_mask(pid_t thread, const ThreadMask& mask);

}  // namespace gotuned

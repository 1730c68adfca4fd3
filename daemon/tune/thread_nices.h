// The nice values of all threads of a process, as they are kept to be put back: that of most threads, and by number
// those that have another (on Linux nice is a thread's own: setpriority(2), "C library/kernel differences").
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace gotuned {

struct ThreadNices {
    int common = 0;
    std::map<pid_t, int> others{};

    [[nodiscard]] int of(pid_t thread) const;
    /// "0;-5=4711+4712": the common one, then each other value with its threads.
    [[nodiscard]] std::string encode() const;
    static Result<ThreadNices> decode(std::string_view text);
    static ThreadNices from(const std::map<pid_t, int>& nices);
};

/// Errors: ESRCH.
Result<int> thread_nice(pid_t thread);
/// Errors: ESRCH; EPERM of another user's thread and EACCES of a lower value, without CAP_SYS_NICE.
Status set_thread_nice(pid_t thread, int nice);

}  // namespace gotuned

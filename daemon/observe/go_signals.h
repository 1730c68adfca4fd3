// Turns what was read of a process's Go runtime into its signals: gauges as they are, counters as differences. One of
// them for each process. Used by WatchedProcess.
#pragma once

#include <cstdint>
#include <optional>

#include "observe/counter.h"
#include "observe/go_runtime.h"
#include "observe/snapshot.h"

namespace gotuned {

class GoSignals {
public:
    /// Sets all go.* signals but go.version.
    void set(SignalTable& table, const GoRuntimeValues& values, MonoTime now);
    /// A process that did nothing since `last` was made: the gauges are what they were, nothing was counted.
    void keep(SignalTable& table, const SignalTable& last, MonoTime now);
    /// The same where nobody looks: the next differences begin here.
    void idle(MonoTime now);
    /// Of one that did something since the last set() and was not read: the gauges are what they were, and until the
    /// next set() nobody knows what was counted.
    void skip(SignalTable& table, const SignalTable& last);
    /// The last set(), keep() or skip() counted nothing, and the next would say the same.
    [[nodiscard]] bool settled() const { return settled_; }
    static void set_absent(SignalTable& table, const Absent& why);

private:
    void set_counters(SignalTable& table, const GoRuntimeValues& values, MonoTime now);

    Counter collections_{};
    Counter gc_cpu_{};
    Counter allocated_{};
    struct Counted {
        Reading<std::uint64_t> collections{}, gc_cpu_ns{}, allocated{}, gomaxprocs{};
    };
    std::optional<Counted> last_{};  ///< as last read
    bool settled_ = false;
};

/// Anonymous memory, resident or swapped out, that the Go runtime does not know of: C's, by cgo, and what was mapped by
/// hand. Never below zero: the runtime also counts pages that it has not touched yet.
Reading<SignalValue> memory_off_heap(const Reading<std::uint64_t>& anonymous, const Reading<std::uint64_t>& swapped,
                                     const Reading<std::uint64_t>& in_use);

/// GOMAXPROCS less the CPUs that the process can have: the smaller of those that it may run on and of the quota. Below
/// zero when it leaves some to others.
Reading<SignalValue> gomaxprocs_excess(const Reading<std::uint64_t>& gomaxprocs, const Reading<CpuSet>& allowed,
                                       double quota);

}  // namespace gotuned

// The probes: loads bpf/, attaches what this kernel lets attach, opens and closes the system-call windows, and
// hands out what the slots counted. Used by observe (differences) and main (events, the loop); decides nothing.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/distribution.h"
#include "base/result.h"
#include "base/sysctl_write.h"
#include "base/target.h"
#include "base/time.h"
#include "bpf/gotuned.h"
#include "bpf/irq.h"
#include "probe/governor.h"

namespace gotuned {

/// What became of one BPF program: exported as gotuned_probe_attached{probe,tier,reason}.
struct ProbeReport {
    std::string probe{};    ///< "sched_switch"
    std::string tier{};     ///< "tp_btf", "fexit", "iterator", "cgroup", "none"
    bool attached = false;  ///< windowed programs: could be attached when last tried
    bool windowed = false;
    std::string reason{};        ///< why not, in words; empty when attached
    std::uint64_t runs = 0;      ///< as far as sampled (BPF_ENABLE_STATS), 0 when not
    double cpu_seconds = 0;      ///< estimated: events × sampled cost a run; never falls
    double seconds_per_run = 0;  ///< in the last sample; 0 before it
};

/// What an exec, exit or fork event says (bpf/gotuned.h, gt_event).
using ProbeEvent = gt_event;

/// What a slot counted since it was last taken. All counts are raw: those of `window`, `jitter`, `polls` and `failed`
/// (with calls_observed only what gt_errno_of_calls() leaves, bpf/errnos.h) stand for `observed`, netpoll_wait for
/// `network_observed`, the others for `scheduler_observed`.
struct SlotDelta {
    std::uint64_t switches = 0;
    std::uint64_t migrations = 0;
    std::uint64_t swapins = 0;  ///< page faults that read their page from swap, for `swap_observed`
    Distribution epoll_wake{}, netpoll_sleep{}, timer_late{}, runq{}, netpoll_wait{}, reclaim{};
    std::array<Distribution, GT_CLASSES> blocked{};
    std::array<Distribution, GT_CLASSES> window{};
    struct Jitter {
        double count = 0, sum = 0, sum_of_squares = 0;
    };  ///< seconds, seconds²
    std::array<Jitter, GT_CLASSES> jitter{};
    std::array<std::uint64_t, GT_ERRNOS> failed{};
    struct Polls {
        std::uint64_t polls[2]{}, empty[2]{}, events[2]{};
    } polls{};
    /// TCP: what happened, and what the last sweep over the sockets found.
    struct Tcp {
        Distribution connect_time{}, lifetime{};
        std::uint64_t connects_failed = 0, resets = 0, established = 0, ended = 0, ended_here = 0, time_waits = 0;
        /// Only when a sweep came since the slot was last taken: what all sockets sent since the sweep before.
        struct Sent {
            std::uint64_t segments = 0, retransmitted = 0;
            Duration over{};
            friend bool operator==(const Sent&, const Sent&) = default;
        };
        std::optional<Sent> sent{};
        /// Of the last sweep; none before the first one met the process.
        struct Open {
            std::uint32_t open = 0, close_wait = 0, stale = 0;
            friend bool operator==(const Open&, const Open&) = default;
        };
        std::optional<Open> now{};
    } tcp{};
    Duration elapsed{};             ///< since the slot was last taken (or watched)
    Duration observed{};            ///< of it, time with the system-call window open
    Duration scheduler_observed{};  ///< of it, time with the scheduler probes attached
    Duration calls_observed{};      ///< of it, time with the failed calls seen always: elapsed or 0
    Duration tcp_observed{};        ///< of it, time with the TCP probes attached: elapsed or 0
    Duration network_observed{};    ///< of it, time with sk_data_ready and sock_recv_length attached
    Duration reclaim_observed{};    ///< of it, time with the probes of direct reclaim attached: elapsed or 0
    Duration swap_observed{};       ///< of it, time with the probe of swap-ins attached: elapsed or 0
};

/// A process whose goroutines are to be looked into, and where its executable (a Go program of 1.17 or newer) has what
/// that needs. Offsets are those in the file.
struct GoroutineTarget {
    ProcessId process{};
    std::uint64_t netpoll_ready = 0;  ///< runtime.netpollready
    std::uint64_t execute = 0;        ///< runtime.execute
    std::uint32_t rg_offset = 0;      ///< of the reading goroutine in runtime.pollDesc; the writing one is right behind
};
struct GoroutineDelta {
    Distribution wait{};     ///< from ready to running
    std::uint64_t hits = 0;  ///< of the probes
    Duration elapsed{};      ///< 0: not watched
    /// CPU time of a hit: the breakpoint, the kernel's emulation of the instruction, our program (measured: 440 ns and
    /// some 150). The kernel's statistics know of the last alone.
    static constexpr double hit_seconds = 600e-9;
};

/// What the windows saw of the host's interrupts since it was last taken: raw, it stands for `observed`.
struct InterruptDelta {
    std::array<Distribution, GT_SOFTIRQS> softirqs{};
    std::map<std::string, Distribution> handlers{};  ///< by the name that /proc/interrupts shows
    std::map<std::string, Distribution> drivers{};   ///< polls of network devices; "backlog": this host to itself
    bool sees_softirqs = false, sees_handlers = false, sees_drivers = false;
    Duration elapsed{}, observed{};
};

/// What the kernel allows, found by looking and by trying.
struct ProbeFeatures {
    std::string lockdown{};  ///< "none", "integrity", "confidentiality", "unknown"
    bool kernel_btf = false;
    bool task_storage = false;
    bool task_pt_regs_helper = false;
    bool trampolines = false;  ///< fexit may be taken off a call in which tasks sleep
    std::string kernel{};      ///< uname release
};

/// Programs that are attached all the time, or for the part of it that the budget allows.
enum class PartTime : unsigned char {
    scheduler,  ///< of context switches and wake-ups
    sockets,    ///< of arrivals at sockets and reads from them
};

struct ProbeOptions {
    std::size_t max_processes = 2048;  ///< slots
    bool system_call_windows = true;
    bool copies = true;  ///< the busiest processes count into copies of their slots; false: to measure what that saves
    std::string cgroup2{};  ///< the unified hierarchy, whose processes' writes to sysctls are seen; empty: none
};

class Probes {
public:
    /// Loads and attaches. A program that cannot attach is reported, not fatal; only a kernel with no BPF at
    /// all still gives a Probes that reports everything as not attached.
    static std::unique_ptr<Probes> load(const ProbeOptions& options);
    virtual ~Probes() = default;

    /// Starts counting for a process; errors: no free slot (ENOSPC), the map refused.
    virtual Status watch(const ProcessId& process) = 0;
    /// Stops, and gives the slot's last differences.
    virtual SlotDelta unwatch(const ProcessId& process) = 0;
    /// Differences since the last take; zero elapsed when not watched.
    virtual SlotDelta take(const ProcessId& process, MonoTime now) = 0;
    /// Of the whole host, since the last call.
    virtual InterruptDelta take_interrupts(MonoTime now) = 0;
    /// Cheap look without taking: context switches since the last take.
    virtual std::uint64_t switches_since(const ProcessId& process) const = 0;

    /// Processes whose children inherit what was adjusted: forks of these (and of their children) give GT_FORK.
    virtual Status add_heir(pid_t pid) = 0;
    virtual void remove_heir(pid_t pid) = 0;

    /// Opens or closes the window of the system-call probes. Attaching costs about 0.4 ms.
    virtual Status open_window() = 0;
    virtual void close_window() = 0;
    [[nodiscard]] virtual bool window_open() const = 0;
    /// The same for what looks at interrupts, of the whole host; what cannot be attached is in reports(). A sample of
    /// costs has both windows when this one opens first, or while the other is open.
    virtual void open_interrupts() = 0;
    virtual void close_interrupts() = 0;

    /// For the loop: readable when events wait; -1 when there is no ring buffer. Exits and forks always wake, an exec
    /// not within GT_EXEC_WAKE_NS of the last event that did: drain once more when that has passed, and once a tick.
    [[nodiscard]] virtual int event_fd() const = 0;
    /// Calls back for each event that waits.
    virtual void drain_events(const std::function<void(const ProbeEvent&)>& callback) = 0;

    /// The sysctls (paths below /proc/sys) of which to hear when somebody else writes them; none: nothing is attached.
    /// Errors: not all can be watched.
    virtual Status watch_sysctls(const std::set<std::string>& paths) = 0;
    /// For the loop: readable when such writes wait; -1 when they cannot be seen.
    [[nodiscard]] virtual int sysctl_fd() const = 0;
    virtual void drain_sysctl_writes(const std::function<void(const SysctlWrite&)>& callback) = 0;

    /// Opt-in: uprobes in the process's executable. Errors: they cannot be attached, and why.
    virtual Status watch_goroutines(const GoroutineTarget& /*target*/) { return fail("goroutines cannot be probed"); }
    virtual void unwatch_goroutines(const ProcessId& /*process*/) {}
    virtual GoroutineDelta take_goroutines(const ProcessId& /*process*/, MonoTime /*now*/) { return {}; }

    [[nodiscard]] virtual std::vector<ProbeReport> reports() const = 0;
    [[nodiscard]] virtual const ProbeFeatures& features() const = 0;
    /// Lost events by reason, never falling: {probe, reason, count}.
    struct Drop {
        std::string probe, reason;
        std::uint64_t count;
    };
    [[nodiscard]] virtual std::vector<Drop> drops() const = 0;
    /// Runs BPF_ENABLE_STATS for `duration` from now (the loop calls it now and then), so reports() can tell costs.
    /// The system-call probes are sampled over the next whole window instead. The formula is in costs.h.
    virtual void sample_costs(Duration duration) = 0;

    /// Looks at the sockets of all watched processes: what take() gives as `tcp.now` and `tcp.sent` is of the last
    /// sweep. One walk over the descriptors of the host, inside the kernel. Gives the CPU time it took; zero when it
    /// cannot be.
    virtual Duration sweep_sockets(MonoTime now) = 0;
    /// What was measured last; what is not in it was not sampled yet.
    [[nodiscard]] virtual ProbeCosts costs() const = 0;
    /// Takes the programs off, or puts them on again: what happens between is not in any slot.
    virtual void pause(PartTime part) = 0;
    virtual void resume(PartTime part) = 0;
    /// Once a tick, after the takes: the processes that were busiest count in the cheapest way from now on.
    virtual void tick(MonoTime now) = 0;
};

}  // namespace gotuned

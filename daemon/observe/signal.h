// The catalogue of signals: each has one name, one unit, one source (`gotunectl signals` prints this table).
// Everything that names a signal (rules, metrics, docs) goes through it. host.sysctl("name") and env("NAME") are no
// rows of it: they are functions of the rulebook's language and read HostState::sysctls and ::environment.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/target.h"
#include "base/value.h"

namespace gotuned {

/// Signals that this version measures. The order is that of the table signals().
// clang-format off
enum class Signal : std::uint16_t {
    // process, latency
    netpoll_wait, epoll_wake, netpoll_timer_late, netpoll_sleep, netpoll_poll_rate, netpoll_empty_ratio, netpoll_events_mean, runq,
    syscall_read, syscall_write, syscall_accept, syscall_connect, syscall_open, syscall_close, syscall_fsync,
    syscall_mmap, syscall_futex, syscall_sleep, syscall_wait, syscall_clone, syscall_other, syscall_jitter,
    errors_emfile, errors_enfile, errors_eagain, errors_enomem, errors_econnrefused, errors_etimedout,
    errors_eaddrnotavail, goroutine_netpoll,
    // process, network
    tcp_segments, tcp_retransmit_ratio, tcp_connect, tcp_connect_success, tcp_connect_time, tcp_reset,
    conn_open, conn_rate, conn_lifetime, conn_close, conn_active_close, conn_close_wait, conn_time_wait, conn_stale,
    udp_rcvbuf_errors,
    reclaim_direct, reclaim_stall, fault_major, swapin,
    exit_panic, exit_oom, exit_killed, exit_total, restarts,
    // process, gauges
    go_version, go_gomaxprocs, go_goroutines, go_gc_count, go_gc_pause, go_gc_cpu, go_heap_live, go_heap_goal,
    go_memlimit, go_mem_sys, go_alloc, proc_threads, proc_threads_ratio,
    mem_rss, mem_anon, mem_file, mem_shmem, mem_swap, mem_offheap,
    fd_used, fd_limit, fd_hard, nproc_used, nproc_limit, cpu_usage, cpu_allowed, cpu_gomaxprocs_excess,
    cpu_migrations,
    // cgroup
    cg_memory_current, cg_memory_high, cg_memory_max, cg_memory_low, cg_memory_min, cg_memory_swap_current,
    cg_memory_working_set, cg_memory_anon, cg_memory_file, cg_memory_inactive_file, cg_memory_shmem, cg_memory_sock,
    cg_memory_kernel, cg_memory_psi_some, cg_memory_psi_full, cg_memory_stall_rate, cg_memory_events_high,
    cg_memory_events_max, cg_memory_events_oom_kill, cg_memory_refault, cg_memory_swapin, cg_cpu_quota, cg_cpu_throttled,
    cg_cpu_psi_some, cg_io_psi_full, cg_pids_current, cg_pids_max,
    // host
    host_memory_available, host_memory_psi_some, host_memory_psi_some_60s, host_memory_psi_some_300s,
    host_memory_psi_full, host_memory_psi_full_60s, host_memory_psi_full_300s, host_memory_stall, host_swap_used,
    host_swap_in, host_swap_out, host_cpu_psi_some, host_cpu_steal, host_cpu_irq, host_cpu_softirq,
    host_cpu_context_switch, host_softirq, host_irq, host_napi, host_block_await, host_block_inflight, host_block_util, host_tcp_listen_overflow, host_tcp_syn_drop, host_tcp_timewait, host_tcp_memory,
    host_conntrack_used, host_clock_step, host_clock_offset, host_clock_source, host_clock_synchronised, host_thp,
    host_kernel,
    end_of_signals
};
// clang-format on

enum class SignalKind : std::uint8_t {
    quantity,
    distribution,  ///< read through a statistic: p50 p90 p99 max mean stddev count rate
    text,
    cpus,
};

/// What a signal becomes in the metrics.
enum class Export : std::uint8_t {
    gauge,      ///< as it is; of a CPU set its size
    counter,    ///< a rate: what it counted is added up, so that the counter never falls
    histogram,  ///< a distribution
    label,      ///< a text: a label of an info metric
};

struct SignalInfo {
    Signal id;
    std::string_view name;  ///< dotted, with its prefix: "epoll.wake", "cgroup.memory.high", "host.swap.used"
    Scope scope;            ///< whose signal it is: a process rule reads cgroup.… and host.… too
    SignalKind kind;
    Unit unit;     ///< of the quantity, or of the distribution's values
    bool sampled;  ///< looked at in windows: carries its exposure
    Export exported;
    std::string_view meaning;
    std::string_view source;
    /// What there is one of each of, on this host: "device". A rule names which: host.block.await("sda"). Empty: one.
    std::string_view key{};
};
/// The whole table, in the order of Signal.
std::span<const SignalInfo> signals();
const SignalInfo& info(Signal id);
std::optional<Signal> find_signal(std::string_view name);

/// Signals of a process that say the same of all processes of its service: exit.… and restarts.rate.
bool is_of_service(Signal id);

/// Memory and pressure: what is read again at once when a PSI trigger wakes the loop between two ticks. All other
/// signals keep their last value then.
bool answers_pressure(Signal id);

/// Statistics of a distribution, as they are written behind its name.
enum class Statistic : std::uint8_t { p50, p90, p99, max, mean, stddev, count, rate };
std::string_view to_string(Statistic statistic);
std::optional<Statistic> parse_statistic(std::string_view name);
/// count → count, rate → count/s, the others → the distribution's unit.
Unit unit_of(const SignalInfo& signal, Statistic statistic);

}  // namespace gotuned

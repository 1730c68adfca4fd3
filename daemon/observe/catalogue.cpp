// The table of all signals. A new signal is one line here, one name in enum Signal and a reader that sets it.
#include <algorithm>
#include <array>

#include "observe/signal.h"

namespace gotuned {
namespace {

using enum Signal;

constexpr bool sampled = true;

constexpr SignalInfo histogram(Signal id, std::string_view name, std::string_view meaning, std::string_view source) {
    return {id, name, Scope::process, SignalKind::distribution, unit::time, false, Export::histogram, meaning, source};
}
constexpr SignalInfo system_call(Signal id, std::string_view name, std::string_view meaning) {
    return {id,
            name,
            Scope::process,
            SignalKind::distribution,
            unit::time,
            sampled,
            Export::histogram,
            meaning,
            "BPF: tracepoints sys_enter and sys_exit in windows; sched_switch for calls of 20 ms and more"};
}
constexpr SignalInfo failed_call(Signal id, std::string_view name, std::string_view meaning,
                                 std::string_view source = "BPF: tracepoint sys_exit in windows; errno(3)") {
    return {id,      name,  Scope::process, SignalKind::quantity, unit::per_second, sampled, Export::counter,
            meaning, source};
}
constexpr std::string_view always =
    "BPF: fexit on the calls that can fail so, where the kernel has it, and else tracepoint sys_exit in windows; "
    "errno(3)";
constexpr SignalInfo gauge(Signal id, std::string_view name, Scope scope, Unit unit, std::string_view meaning,
                           std::string_view source) {
    return {id, name, scope, SignalKind::quantity, unit, false, Export::gauge, meaning, source};
}
constexpr SignalInfo counted(Signal id, std::string_view name, Scope scope, Unit unit, std::string_view meaning,
                             std::string_view source) {
    return {id, name, scope, SignalKind::quantity, unit, false, Export::counter, meaning, source};
}
constexpr SignalInfo polled(Signal id, std::string_view name, Unit unit, Export exported, std::string_view meaning) {
    return {id,
            name,
            Scope::process,
            SignalKind::quantity,
            unit,
            sampled,
            exported,
            meaning,
            "BPF: returns of epoll_wait, epoll_pwait and epoll_pwait2 in windows; epoll_wait(2)"};
}
constexpr std::string_view state_change = "BPF: tracepoint inet_sock_set_state";
constexpr std::string_view swept = "BPF: a walk over the descriptors of the watched processes (bpf_iter task_file)";
constexpr std::string_view fetched =
    "tcp_sock.segs_out and total_retrans, fetched by BPF at each walk and at each close";
constexpr SignalInfo of_each_device(Signal id, std::string_view name, Unit unit, std::string_view meaning,
                                    std::string_view source) {
    return {id, name, Scope::host, SignalKind::quantity, unit, false, Export::gauge, meaning, source, "device"};
}
constexpr SignalInfo interrupt(Signal id, std::string_view name, std::string_view key, std::string_view meaning,
                               std::string_view source) {
    return {id,      name,   Scope::host, SignalKind::distribution, unit::time, sampled, Export::histogram,
            meaning, source, key};
}
constexpr Scope process = Scope::process;
constexpr Scope cgroup = Scope::cgroup;
constexpr Scope host = Scope::host;

constexpr std::array table{
    // process, latency
    histogram(
        netpoll_wait, "netpoll.wait",
        "from data arriving at a socket of the process to the process reading it: kernel wake-up, netpoller and "
        "goroutine scheduling together, and whatever else the program did first. One arrival a socket is followed "
        "at a time: the first since the last was read",
        "BPF: tracepoints sk_data_ready and sock_recv_length (Linux 6.3 and newer)"),
    histogram(epoll_wake, "epoll.wake",
              "from the kernel waking a thread that sleeps in epoll, for an event and not for its timeout, to that "
              "thread running: what a ready connection waits before Go can see it",
              "BPF: tracepoints sched_waking and sched_switch"),
    histogram(
        netpoll_timer_late, "netpoll.timer_late",
        "how late a poller that slept for a timer got to run: the delay that time.After, tickers and deadlines see",
        "BPF: tracepoints sched_waking and sched_switch"),
    histogram(netpoll_sleep, "netpoll.sleep",
              "time that a thread of a Go process slept in epoll: how idle the netpoller was; no trouble by itself",
              "BPF: tracepoints sched_waking and sched_switch"),
    polled(netpoll_poll_rate, "netpoll.poll.rate", unit::per_second, Export::counter, "polls of epoll a second"),
    polled(netpoll_empty_ratio, "netpoll.empty.ratio", unit::ratio, Export::gauge,
           "the share of polls that returned no event"),
    polled(netpoll_events_mean, "netpoll.events.mean", unit::count, Export::gauge,
           "events that a poll returned, on average"),
    histogram(runq, "runq", "run-queue delay of all threads: from being ready to run to running",
              "BPF: tracepoints sched_waking, sched_wakeup_new and sched_switch"),
    system_call(syscall_read, "syscall.read",
                "duration of system calls that read: read, recvfrom, recvmsg, pread64, …"),
    system_call(syscall_write, "syscall.write",
                "duration of system calls that write: write, sendto, sendmsg, pwrite64, …"),
    system_call(syscall_accept, "syscall.accept", "duration of accept and accept4"),
    system_call(syscall_connect, "syscall.connect", "duration of connect"),
    system_call(syscall_open, "syscall.open", "duration of open, openat and openat2"),
    system_call(syscall_close, "syscall.close", "duration of close"),
    system_call(syscall_fsync, "syscall.fsync",
                "duration of fsync, fdatasync and their like; sleeps of 20 ms and more are counted one by one, and one "
                "call may sleep more than once"),
    system_call(syscall_mmap, "syscall.mmap", "duration of mmap, munmap, madvise and mprotect"),
    system_call(syscall_futex, "syscall.futex", "duration of futex: mostly threads that wait for work"),
    system_call(syscall_sleep, "syscall.sleep", "duration of nanosleep and clock_nanosleep"),
    system_call(syscall_wait, "syscall.wait",
                "duration of calls that wait on purpose: epoll, poll, select, wait4, waitid, pause, rt_sigtimedwait"),
    system_call(syscall_clone, "syscall.clone", "duration of clone, clone3, fork and vfork"),
    system_call(syscall_other, "syscall.other", "duration of all other system calls"),
    SignalInfo{
        syscall_jitter, "syscall.jitter", process, SignalKind::quantity, unit::time, sampled, Export::gauge,
        "standard deviation, pooled over the classes that should not block on purpose, of the time that the kernel "
        "took for a system call, time off the CPU taken out",
        "BPF: tracepoints sys_enter, sys_exit and sched_switch in windows"},
    failed_call(errors_emfile, "errors.emfile.rate",
                "system calls that failed because the process is at its descriptor limit", always),
    failed_call(errors_enfile, "errors.enfile.rate", "system calls that failed because the host is at fs.file-max",
                always),
    failed_call(errors_eagain, "errors.eagain.rate",
                "clones that failed with EAGAIN: a limit on processes or threads was met", always),
    failed_call(errors_enomem, "errors.enomem.rate", "system calls that failed for want of memory"),
    failed_call(errors_econnrefused, "errors.econnrefused.rate", "system calls that failed because the peer refused"),
    failed_call(errors_etimedout, "errors.etimedout.rate",
                "system calls that failed by a timeout; futex is not counted"),
    failed_call(errors_eaddrnotavail, "errors.eaddrnotavail.rate",
                "system calls that failed because no local address or port was free", always),
    histogram(
        goroutine_netpoll, "goroutine.netpoll",
        "from a goroutine becoming ready by the netpoller to it running, in services that probes.goroutines names",
        "BPF: uprobes on runtime.netpollready and runtime.execute"),
    // process, network
    counted(tcp_segments, "tcp.segments.rate", process, unit::per_second,
            "TCP segments sent on all sockets, those sent again included", fetched),
    gauge(tcp_retransmit_ratio, "tcp.retransmit.ratio", process, unit::ratio,
          "TCP segments sent again, of all sent; of failed connects too", fetched),
    counted(tcp_connect, "tcp.connect.rate", process, unit::per_second,
            "TCP connects that ended, well or not; those that the process gave up itself are not counted",
            state_change),
    gauge(tcp_connect_success, "tcp.connect.success.ratio", process, unit::ratio,
          "TCP connects that were established, of those that ended (tcp.connect.rate)", state_change),
    histogram(tcp_connect_time, "tcp.connect.time", "from connect to established, of TCP connects that succeeded",
              state_change),
    counted(tcp_reset, "tcp.reset.rate", process, unit::per_second,
            "TCP connections that the peer reset; refused connects are in tcp.connect.success.ratio",
            "BPF: tracepoint tcp_receive_reset"),
    gauge(conn_open, "conn.open", process, unit::count,
          "TCP connections that the process holds: established, or closed by one side alone", swept),
    counted(conn_rate, "conn.rate", process, unit::per_second, "TCP connections established, in and out", state_change),
    histogram(conn_lifetime, "conn.lifetime",
              "how long TCP connections lived, of those that ended; all above 17 s is one bucket", state_change),
    counted(conn_close, "conn.close.rate", process, unit::per_second,
            "TCP connections that ended: closed by one side, reset or timed out", state_change),
    gauge(conn_active_close, "conn.active_close.ratio", process, unit::ratio,
          "TCP connections that this side ended first, of those that ended (conn.close.rate)", state_change),
    gauge(conn_close_wait, "conn.close_wait", process, unit::count,
          "TCP connections that the peer has closed and the process has not", swept),
    gauge(conn_time_wait, "conn.time_wait", process, unit::count,
          "TCP connections of the process that went into TIME_WAIT in the last 60 s, which is how long they stay there "
          "unless their port is needed sooner; sockets in TIME_WAIT have no owner any more",
          state_change),
    gauge(conn_stale, "conn.stale.ratio", process, unit::ratio,
          "connections whose retransmission timer has run out since the peer last acknowledged anything, of conn.open",
          swept),
    counted(udp_rcvbuf_errors, "udp.rcvbuf_errors.rate", process, unit::per_second,
            "datagrams dropped because a receive buffer was full, of the whole network namespace of the process",
            "/proc/PID/net/snmp and snmp6, RcvbufErrors"),
    histogram(reclaim_direct, "reclaim.direct",
              "how long a thread was made to free memory itself before it got some, because the host or its cgroup ran "
              "short",
              "BPF: tracepoints mm_vmscan_direct_reclaim_* and mm_vmscan_memcg_reclaim_*"),
    gauge(
        reclaim_stall, "reclaim.stall.ratio", process, unit::ratio,
        "time that all threads spent in direct reclaim against the time that passed: 200% is two threads all the time",
        "BPF: tracepoints mm_vmscan_direct_reclaim_* and mm_vmscan_memcg_reclaim_*"),
    counted(fault_major, "fault.major.rate", process, unit::per_second,
            "page faults that had to wait for a disk: pages of files, and pages that came back from swap",
            "/proc/PID/stat, majflt"),
    counted(swapin, "swapin.rate", process, unit::per_second,
            "page faults that had to wait for a page in swap (where the kernel allows fexit; "
            "cgroup.memory.swapin.rate counts what readahead brought in as well)",
            "BPF: fexit of do_swap_page(), VM_FAULT_MAJOR"),
    counted(exit_panic, "exit.panic.rate", process, unit::per_second,
            "processes of the service that ended with status 2: a Go panic, a fatal error of the runtime, SIGQUIT",
            "BPF: tracepoint sched_process_exit; wait(2)"),
    counted(
        exit_oom, "exit.oom.rate", process, unit::per_second,
        "processes of the service that the kernel's OOM killer ended, for want of memory on the host or in a cgroup",
        "BPF: tracepoint sched_process_exit; signal_struct.oom_mm"),
    counted(exit_killed, "exit.killed.rate", process, unit::per_second,
            "processes of the service that ended by SIGKILL, those of the OOM killer left out",
            "BPF: tracepoint sched_process_exit; wait(2)"),
    counted(exit_total, "exit.total.rate", process, unit::per_second, "processes of the service that ended, however",
            "BPF: tracepoint sched_process_exit"),
    counted(restarts, "restarts.rate", process, unit::per_second,
            "processes of the service that began within 5 minutes after another had ended",
            "BPF: tracepoints sched_process_exit and sched_process_exec"),
    // process, gauges
    SignalInfo{go_version, "go.version", process, SignalKind::text, unit::count, false, Export::label,
               "the Go version that built the binary", "the binary's .go.buildinfo"},
    gauge(go_gomaxprocs, "go.gomaxprocs", process, unit::count,
          "threads that may run Go code at once, as the runtime has it", "the process's memory: runtime.gomaxprocs"),
    gauge(go_goroutines, "go.goroutines", process, unit::count,
          "goroutines that live, the runtime's own left out: runtime.NumGoroutine()",
          "the process's memory: runtime.allglen less those on the free lists of runtime.sched and of each P"),
    counted(go_gc_count, "go.gc.count.rate", process, unit::per_second, "garbage collections that ended",
            "the process's memory: runtime.memstats, numgc"),
    SignalInfo{go_gc_pause, "go.gc.pause", process, SignalKind::distribution, unit::time, false, Export::histogram,
               "how long a garbage collection stopped the whole program, its two pauses together: MemStats.PauseNs",
               "the process's memory: runtime.memstats, pause_ns"},
    gauge(go_gc_cpu, "go.gc.cpu.ratio", process, unit::ratio,
          "share of the CPU time that GOMAXPROCS allows which the collections took that ended in this tick; CPUs that "
          "had nothing else to do left out",
          "the process's memory: runtime.work, totaltime or cpuStats"),
    gauge(go_heap_live, "go.heap.live", process, unit::bytes, "heap that the last garbage collection found in use",
          "the process's memory: runtime.gcController, heapMarked"),
    gauge(go_heap_goal, "go.heap.goal", process, unit::bytes,
          "size of the heap at which the next garbage collection shall have ended: MemStats.NextGC",
          "the process's memory: runtime.gcController, as heapGoal() reckons it"),
    gauge(go_memlimit, "go.memlimit", process, unit::bytes,
          "GOMEMLIMIT or debug.SetMemoryLimit(), as the runtime has it; Go 1.19 and newer",
          "the process's memory: runtime.gcController, memoryLimit"),
    gauge(go_mem_sys, "go.mem.sys", process, unit::bytes,
          "memory that the runtime has from the system, what it gave back for now included: MemStats.Sys",
          "the process's memory: runtime.gcController, mappedReady and heapReleased"),
    counted(go_alloc, "go.alloc.rate", process, unit::bytes_per_second,
            "bytes allocated on the heap, as of the last span that was filled: MemStats.TotalAlloc; Go 1.19 and newer",
            "the process's memory: runtime.gcController, totalAlloc"),
    gauge(proc_threads, "proc.threads", process, unit::count, "threads of the process", "/proc/PID/status, Threads"),
    gauge(proc_threads_ratio, "proc.threads.ratio", process, unit::ratio,
          "threads against Go's own limit of 10,000, at which the runtime aborts (unless debug.SetMaxThreads moved it)",
          "/proc/PID/status, Threads; runtime/debug.SetMaxThreads"),
    gauge(mem_rss, "mem.rss", process, unit::bytes, "resident memory, exact to some pages a CPU",
          "/proc/PID/status, VmRSS"),
    gauge(mem_anon, "mem.anon", process, unit::bytes, "resident anonymous memory", "/proc/PID/status, RssAnon"),
    gauge(mem_file, "mem.file", process, unit::bytes, "resident memory mapped from files", "/proc/PID/status, RssFile"),
    gauge(mem_shmem, "mem.shmem", process, unit::bytes, "resident shared memory", "/proc/PID/status, RssShmem"),
    gauge(mem_swap, "mem.swap", process, unit::bytes, "anonymous memory swapped out", "/proc/PID/status, VmSwap"),
    gauge(
        mem_offheap, "mem.offheap", process, unit::bytes,
        "anonymous memory, resident or swapped out, beyond what the Go runtime has in use: C's (cgo), mappings made by "
        "hand; the garbage collector does not see it",
        "mem.anon and mem.swap less go.mem.sys without what the runtime gave back"),
    gauge(fd_used, "fd.used", process, unit::count, "open descriptors", "/proc/PID/fd"),
    gauge(fd_limit, "fd.limit", process, unit::count, "soft limit of open descriptors: the next one fails with EMFILE",
          "/proc/PID/limits, Max open files; getrlimit(2)"),
    gauge(fd_hard, "fd.hard", process, unit::count, "hard limit of open descriptors: how far the soft one may rise",
          "/proc/PID/limits, Max open files; getrlimit(2)"),
    gauge(nproc_used, "nproc.used", process, unit::count,
          "threads of all processes with the same real user id; looked at every 15 s or less often, other user "
          "namespaces' processes of that id included (the kernel shows its own count nowhere)",
          "/proc/*/status, Uid and Threads"),
    gauge(nproc_limit, "nproc.limit", process, unit::count,
          "soft limit of threads of this user id; not enforced for CAP_SYS_RESOURCE or CAP_SYS_ADMIN",
          "/proc/PID/limits, Max processes; getrlimit(2)"),
    gauge(cpu_usage, "cpu.usage", process, unit::ratio, "CPU time of all threads against one CPU: 200% is two CPUs",
          "the process's CPU-time clock, clock_getcpuclockid(3)"),
    SignalInfo{cpu_allowed, "cpu.allowed", process, SignalKind::cpus, unit::count, false, Export::gauge,
               "online CPUs that the first thread may run on (affinity within its cpuset)",
               "/proc/PID/status, Cpus_allowed_list; sched_getaffinity(2)"},
    gauge(cpu_gomaxprocs_excess, "cpu.gomaxprocs_excess", process, unit::count,
          "GOMAXPROCS less the CPUs that the process can have: the smaller of cpu.allowed and of the CPU quotas of its "
          "cgroup and those above; below zero when it leaves some to others",
          "go.gomaxprocs, cpu.allowed, cpu.max"),
    counted(cpu_migrations, "cpu.migrations.rate", process, unit::per_second,
            "a thread started running on another CPU than the one before", "BPF: tracepoint sched_switch"),
    // cgroup
    gauge(cg_memory_current, "cgroup.memory.current", cgroup, unit::bytes, "memory charged to the cgroup",
          "memory.current"),
    gauge(cg_memory_high, "cgroup.memory.high", cgroup, unit::bytes,
          "above it the cgroup's threads are made to reclaim and are throttled", "memory.high"),
    gauge(cg_memory_max, "cgroup.memory.max", cgroup, unit::bytes, "the limit: above it the OOM killer", "memory.max"),
    gauge(cg_memory_low, "cgroup.memory.low", cgroup, unit::bytes, "protected as long as others have something to give",
          "memory.low"),
    gauge(cg_memory_min, "cgroup.memory.min", cgroup, unit::bytes, "protected always", "memory.min"),
    gauge(cg_memory_swap_current, "cgroup.memory.swap_current", cgroup, unit::bytes, "memory of the cgroup in swap",
          "memory.swap.current"),
    gauge(cg_memory_working_set, "cgroup.memory.working_set", cgroup, unit::bytes,
          "current less inactive_file: what the cgroup needs, old page cache is not need",
          "memory.current, memory.stat"),
    gauge(cg_memory_anon, "cgroup.memory.anon", cgroup, unit::bytes, "anonymous memory", "memory.stat, anon"),
    gauge(cg_memory_file, "cgroup.memory.file", cgroup, unit::bytes, "page cache, with shared memory",
          "memory.stat, file"),
    gauge(cg_memory_inactive_file, "cgroup.memory.inactive_file", cgroup, unit::bytes,
          "page cache that was not used lately: the first to be reclaimed", "memory.stat, inactive_file"),
    gauge(cg_memory_shmem, "cgroup.memory.shmem", cgroup, unit::bytes, "shared memory and tmpfs", "memory.stat, shmem"),
    gauge(cg_memory_sock, "cgroup.memory.sock", cgroup, unit::bytes, "network buffers", "memory.stat, sock"),
    gauge(cg_memory_kernel, "cgroup.memory.kernel", cgroup, unit::bytes,
          "kernel memory: slab, stacks, page tables (5.18+)", "memory.stat, kernel"),
    gauge(cg_memory_psi_some, "cgroup.memory.psi.some_10s", cgroup, unit::ratio,
          "share of the last 10 s in which some thread waited for memory", "memory.pressure, some avg10"),
    gauge(cg_memory_psi_full, "cgroup.memory.psi.full_10s", cgroup, unit::ratio,
          "share of the last 10 s in which all threads that had work waited for memory", "memory.pressure, full avg10"),
    counted(cg_memory_stall_rate, "cgroup.memory.stall.rate", cgroup, unit::ratio,
            "seconds a second, in this tick, in which some thread waited for memory", "memory.pressure, some total"),
    counted(cg_memory_events_high, "cgroup.memory.events.high.rate", cgroup, unit::per_second,
            "times that threads were throttled above memory.high", "memory.events, high"),
    counted(cg_memory_events_max, "cgroup.memory.events.max.rate", cgroup, unit::per_second,
            "times that the cgroup met memory.max", "memory.events, max"),
    counted(cg_memory_events_oom_kill, "cgroup.memory.events.oom_kill.rate", cgroup, unit::per_second,
            "processes of the cgroup killed by the OOM killer", "memory.events, oom_kill"),
    counted(cg_memory_refault, "cgroup.memory.workingset.refault.rate", cgroup, unit::per_second,
            "pages that were needed again soon after they had been reclaimed",
            "memory.stat, workingset_refault_anon and workingset_refault_file"),
    counted(cg_memory_swapin, "cgroup.memory.swapin.rate", cgroup, unit::per_second,
            "pages that came back from swap (6.13+)", "memory.stat, pswpin"),
    gauge(cg_cpu_quota, "cgroup.cpu.quota", cgroup, unit::count, "CPUs that the cgroup may use: quota / period",
          "cpu.max"),
    gauge(cg_cpu_throttled, "cgroup.cpu.throttled.ratio", cgroup, unit::ratio,
          "share of this tick's quota periods in which the cgroup used up its quota; 0 when no period ended",
          "cpu.stat, nr_throttled and nr_periods"),
    gauge(cg_cpu_psi_some, "cgroup.cpu.psi.some_10s", cgroup, unit::ratio,
          "share of the last 10 s in which some thread waited for a CPU", "cpu.pressure, some avg10"),
    gauge(cg_io_psi_full, "cgroup.io.psi.full_10s", cgroup, unit::ratio,
          "share of the last 10 s in which all threads that had work waited for I/O", "io.pressure, full avg10"),
    gauge(cg_pids_current, "cgroup.pids.current", cgroup, unit::count, "threads in the cgroup", "pids.current"),
    gauge(cg_pids_max, "cgroup.pids.max", cgroup, unit::count, "limit of threads in the cgroup", "pids.max"),
    // host
    gauge(host_memory_available, "host.memory.available", host, unit::bytes, "memory that can be had without swapping",
          "/proc/meminfo, MemAvailable"),
    gauge(host_memory_psi_some, "host.memory.psi.some_10s", host, unit::ratio,
          "share of the last 10 s in which some thread waited for memory", "/proc/pressure/memory, some avg10"),
    gauge(host_memory_psi_some_60s, "host.memory.psi.some_60s", host, unit::ratio,
          "share of the last minute in which some thread waited for memory", "/proc/pressure/memory, some avg60"),
    gauge(host_memory_psi_some_300s, "host.memory.psi.some_300s", host, unit::ratio,
          "share of the last 5 minutes in which some thread waited for memory", "/proc/pressure/memory, some avg300"),
    gauge(host_memory_psi_full, "host.memory.psi.full_10s", host, unit::ratio,
          "share of the last 10 s in which all threads that had work waited for memory",
          "/proc/pressure/memory, full avg10"),
    gauge(host_memory_psi_full_60s, "host.memory.psi.full_60s", host, unit::ratio,
          "share of the last minute in which all threads that had work waited for memory",
          "/proc/pressure/memory, full avg60"),
    gauge(host_memory_psi_full_300s, "host.memory.psi.full_300s", host, unit::ratio,
          "share of the last 5 minutes in which all threads that had work waited for memory",
          "/proc/pressure/memory, full avg300"),
    counted(host_memory_stall, "host.memory.stall.rate", host, unit::ratio,
            "seconds a second, in this tick, in which some thread waited for memory",
            "/proc/pressure/memory, some total"),
    gauge(host_swap_used, "host.swap.used", host, unit::bytes, "swap in use", "/proc/meminfo, SwapTotal and SwapFree"),
    counted(host_swap_in, "host.swap.in.rate", host, unit::bytes_per_second, "bytes swapped in",
            "/proc/vmstat, pswpin"),
    counted(host_swap_out, "host.swap.out.rate", host, unit::bytes_per_second, "bytes swapped out",
            "/proc/vmstat, pswpout"),
    gauge(host_cpu_psi_some, "host.cpu.psi.some_10s", host, unit::ratio,
          "share of the last 10 s in which some thread waited for a CPU", "/proc/pressure/cpu, some avg10"),
    gauge(host_cpu_steal, "host.cpu.steal.ratio", host, unit::ratio,
          "share of CPU time that the hypervisor gave to others", "/proc/stat, steal"),
    gauge(host_cpu_irq, "host.cpu.irq.ratio", host, unit::ratio,
          "share of CPU time that hardware interrupts took, as far as this kernel accounts for it", "/proc/stat, irq"),
    gauge(host_cpu_softirq, "host.cpu.softirq.ratio", host, unit::ratio,
          "share of CPU time that softirqs took: received packets above all", "/proc/stat, softirq"),
    counted(host_cpu_context_switch, "host.cpu.context_switch.rate", host, unit::per_second, "context switches",
            "/proc/stat, ctxt"),
    interrupt(
        host_softirq, "host.softirq", "vector",
        "how long a softirq ran at a time, by vector: hi timer net_tx net_rx block irq_poll tasklet sched hrtimer "
        "rcu; what interrupted it is in its time",
        "BPF: tracepoints softirq_entry and softirq_exit in windows"),
    interrupt(host_irq, "host.irq", "handler", "how long an interrupt's handler ran at a time, by the handler's name",
              "BPF: tracepoints irq_handler_entry and irq_handler_exit in windows; /proc/interrupts"),
    interrupt(host_napi, "host.napi", "driver",
              "how long a poll of a network device took within the receive softirq, by driver; backlog: packets that "
              "this host sends itself",
              "BPF: tracepoints napi_poll and softirq_entry in windows"),
    of_each_device(host_block_await, "host.block.await", unit::time,
                   "what a request took, on average, from being queued to being completed: tells saturation also where "
                   "the device works on many at once",
                   "/proc/diskstats"),
    of_each_device(host_block_inflight, "host.block.inflight", unit::count, "requests under way", "/proc/diskstats"),
    of_each_device(
        host_block_util, "host.block.util.ratio", unit::ratio,
        "share of the time in which any request was under way; of a device that works on many at once it says "
        "little",
        "/proc/diskstats"),
    counted(host_tcp_listen_overflow, "host.tcp.listen_overflow.rate", host, unit::per_second,
            "connections that found the accept queue of their listener full; of the daemon's network namespace",
            "/proc/net/netstat, ListenOverflows"),
    counted(host_tcp_syn_drop, "host.tcp.syn_drop.rate", host, unit::per_second,
            "SYNs dropped because too many connections were half open and no cookie was sent; of the daemon's network "
            "namespace",
            "/proc/net/netstat, TCPReqQFullDrop"),
    gauge(host_tcp_timewait, "host.tcp.timewait", host, unit::count,
          "sockets in TIME_WAIT; of the daemon's network namespace", "/proc/net/sockstat, TCP tw"),
    gauge(host_tcp_memory, "host.tcp.memory.ratio", host, unit::ratio,
          "memory of all TCP buffers against the limit above which the kernel refuses more",
          "/proc/net/sockstat, TCP mem; net.ipv4.tcp_mem"),
    gauge(host_conntrack_used, "host.conntrack.used.ratio", host, unit::ratio,
          "tracked connections against their limit, at which new ones are dropped",
          "net.netfilter.nf_conntrack_count and nf_conntrack_max"),
    counted(host_clock_step, "host.clock.step.rate", host, unit::per_second,
            "steps of the wall clock: time.Now() jumps (differences of two time.Now() do not)",
            "a timerfd with TFD_TIMER_CANCEL_ON_SET; CLOCK_REALTIME against CLOCK_BOOTTIME"),
    gauge(host_clock_offset, "host.clock.offset", host, unit::time,
          "what the kernel's own clock discipline still has to slew; 0 where a daemon steers by frequency alone",
          "adjtimex(2), offset"),
    SignalInfo{host_clock_source, "host.clock.source", host, SignalKind::text, unit::count, false, Export::label,
               "the kernel's clock source: one that user space cannot read (hpet, acpi_pm) makes time.Now() a system "
               "call",
               "/sys/devices/system/clocksource/clocksource0/current_clocksource"},
    gauge(host_clock_synchronised, "host.clock.synchronised", host, unit::count,
          "1 when somebody keeps the clock in step with a source of time, else 0", "adjtimex(2), STA_UNSYNC"),
    SignalInfo{host_thp, "host.thp", host, SignalKind::text, unit::count, false, Export::label,
               "transparent huge pages: always, madvise or never", "/sys/kernel/mm/transparent_hugepage/enabled"},
    SignalInfo{host_kernel, "host.kernel", host, SignalKind::text, unit::count, false, Export::label,
               "the kernel's release", "/proc/sys/kernel/osrelease"},
};

constexpr bool in_order() {
    for (std::size_t i = 0; i < table.size(); ++i)
        if (table[i].id != static_cast<Signal>(i)) return false;
    return true;
}
static_assert(table.size() == static_cast<std::size_t>(end_of_signals), "every signal has one line in the table");
static_assert(in_order(), "the table is in the order of enum Signal");

struct StatisticName {
    Statistic statistic;
    std::string_view name;
};
constexpr std::array statistics{
    StatisticName{Statistic::p50, "p50"},     StatisticName{Statistic::p90, "p90"},
    StatisticName{Statistic::p99, "p99"},     StatisticName{Statistic::max, "max"},
    StatisticName{Statistic::mean, "mean"},   StatisticName{Statistic::stddev, "stddev"},
    StatisticName{Statistic::count, "count"}, StatisticName{Statistic::rate, "rate"},
};

}  // namespace

std::span<const SignalInfo> signals() { return table; }

const SignalInfo& info(Signal id) { return table.at(static_cast<std::size_t>(id)); }

std::optional<Signal> find_signal(std::string_view name) {
    const auto found =
        std::find_if(table.begin(), table.end(), [name](const SignalInfo& entry) { return entry.name == name; });
    if (found == table.end()) return std::nullopt;
    return found->id;
}

bool is_of_service(Signal id) { return id >= exit_panic && id <= restarts; }

bool answers_pressure(Signal id) {
    const std::string_view name = info(id).name;
    if (info(id).scope == Scope::process) return false;
    return name.starts_with("cgroup.memory.") || name.starts_with("host.memory.") || name.starts_with("host.swap.") ||
           name.find(".psi.") != std::string_view::npos;
}

std::string_view to_string(Statistic statistic) {
    for (const StatisticName& entry : statistics)
        if (entry.statistic == statistic) return entry.name;
    return "unknown";
}

std::optional<Statistic> parse_statistic(std::string_view name) {
    for (const StatisticName& entry : statistics)
        if (entry.name == name) return entry.statistic;
    return std::nullopt;
}

Unit unit_of(const SignalInfo& signal, Statistic statistic) {
    if (statistic == Statistic::count) return unit::count;
    if (statistic == Statistic::rate) return unit::per_second;
    return signal.unit;
}

}  // namespace gotuned

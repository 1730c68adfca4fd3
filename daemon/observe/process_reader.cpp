#include "observe/process_reader.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <ctime>
#include <memory>
#include <optional>

namespace gotuned {
namespace {

using enum Signal;

/// exec(2) keeps pid and start time. Where the link may not be followed (ptrace rules) the start time has to do.
bool executes_another(const HeldDirectory& directory, std::uint64_t inode) {
    struct stat status{};
    return inode != 0 && ::fstatat(directory.fd(), "exe", &status, 0) == 0 && status.st_ino != inode;
}

SignalReading reading(const Reading<std::uint64_t>& number, Unit unit) {
    return {number.map([unit](std::uint64_t value) { return SignalValue(Quantity{static_cast<double>(value), unit}); }),
            {}};
}
SignalReading reading(const Reading<Limit>& limit, Quantity Limit::* part) {
    return {limit.map([part](const Limit& value) { return SignalValue(value.*part); }), {}};
}

/// One call, where PROC/PID/limits is a file of 16 lines. prlimit(2) is not permitted for the process of another
/// user without CAP_SYS_RESOURCE.
std::optional<Limit> ask_limit(pid_t pid, __rlimit_resource resource) {
    const auto quantity = [](rlim_t number) {
        return count(number == RLIM_INFINITY ? unlimited_value : static_cast<double>(number));
    };
    rlimit limit{};
    if (::prlimit(pid, resource, nullptr, &limit) != 0) return std::nullopt;
    return Limit{quantity(limit.rlim_cur), quantity(limit.rlim_max)};
}

Reading<std::uint64_t> count_entries(const HeldDirectory& process) {
    const int fd = ::openat(process.fd(), "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return process.reason(Error{"cannot open fd", {}, errno, {}});
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::fdopendir(fd), ::closedir);
    if (directory == nullptr) {
        ::close(fd);
        return Absence::no_data;
    }
    std::uint64_t entries = 0;
    for (errno = 0; const dirent* entry = ::readdir(directory.get());)
        if (entry->d_name[0] != '.') ++entries;
    if (errno != 0) return process.reason(Error{"cannot read fd", {}, errno, {}});
    if (process.gone()) return Absence::vanished;  // a process that ended lists nothing: that is not zero
    return entries;
}

}  // namespace

Reading<std::uint64_t> process_cpu_time(pid_t pid) {
    // What clock_getcpuclockid(3) gives, which asks the kernel once more whether there is such a process:
    // MAKE_PROCESS_CPUCLOCK(pid, CPUCLOCK_SCHED), include/linux/posix-timers_types.h.
    constexpr std::uint32_t sched = 2;
    const auto clock = static_cast<clockid_t>((~static_cast<std::uint32_t>(pid) << 3U) | sched);
    timespec time{};
    if (::clock_gettime(clock, &time) != 0) return Absence::vanished;
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(time.tv_nsec);
}

Reading<std::uint64_t> count_descriptors(const HeldDirectory& process) {
    struct stat status{};
    if (::fstatat(process.fd(), "fd", &status, 0) != 0)
        return process.reason(Error{"cannot look at fd", {}, errno, {}});
    // Before 6.2 procfs says 0; on other file systems (a test's) the size means something else.
    if (process.is_procfs() && status.st_size > 0) return static_cast<std::uint64_t>(status.st_size);
    return count_entries(process);
}

Reading<ProcessFiles> read_process(const Roots& roots, const ProcessId& id) {
    const auto directory = HeldDirectory::open(roots.proc + "/" + std::to_string(id.pid), "stat");
    if (!directory) return directory.absent();
    ProcessFiles out;
    out.cpu_clock = directory->is_procfs();
    if (out.cpu_clock) out.cpu_time_ns = process_cpu_time(id.pid);
    // Read after the CPU clock: what the held directory still answers was alive then, so the pid was this process's.
    const auto stat = directory->read("stat");
    if (!stat) return stat.absent();
    const auto parsed = parse_proc_stat(*stat);
    if (!parsed) return parsed.absent();
    if (parsed->start_ticks != id.start_ticks) return Absent{Absence::vanished, "the pid is another process's now"};
    // A zombie has no memory and no descriptors any more: that is not zero of them.
    if (parsed->state == 'Z' || parsed->state == 'X') return Absent{Absence::vanished, "its first thread has ended"};
    if (executes_another(*directory, id.exe_inode)) return Absent{Absence::vanished, "it executes another file now"};
    if (!out.cpu_clock) out.cpu_time_ns = static_cast<std::uint64_t>(parsed->cpu_time.count());

    out.major_faults = parsed->major_faults;
    // By pid, but between two readings of the held directory: it was this process's.
    const auto nofile = out.cpu_clock ? ask_limit(id.pid, RLIMIT_NOFILE) : std::nullopt;
    const auto nproc = out.cpu_clock ? ask_limit(id.pid, RLIMIT_NPROC) : std::nullopt;
    const auto status = directory->read("status");
    if (!status) return status.absent();
    out.status = parse_proc_status(*status);
    out.descriptors = count_descriptors(*directory);
    if (nofile && nproc) {
        out.nofile = *nofile;
        out.nproc = *nproc;
        return out;
    }
    const auto limits = directory->read("limits");
    out.nofile = limits ? parse_limit(*limits, "Max open files") : limits.absent();
    out.nproc = limits ? parse_limit(*limits, "Max processes") : limits.absent();
    return out;
}

void set_process_signals(SignalTable& table, const ProcessFiles& files, const Reading<CpuSet>& online) {
    constexpr double go_thread_limit = 10000;  // runtime/debug.SetMaxThreads
    table.set(proc_threads, reading(files.status.threads, unit::count));
    table.set(proc_threads_ratio, {files.status.threads.map([](std::uint64_t threads) {
                                       return SignalValue(ratio(static_cast<double>(threads) / go_thread_limit));
                                   }),
                                   {}});
    table.set(mem_rss, reading(files.status.rss, unit::bytes));
    table.set(mem_anon, reading(files.status.anon, unit::bytes));
    table.set(mem_file, reading(files.status.file, unit::bytes));
    table.set(mem_shmem, reading(files.status.shmem, unit::bytes));
    table.set(mem_swap, reading(files.status.swap, unit::bytes));
    table.set(fd_used, reading(files.descriptors, unit::count));
    table.set(fd_limit, reading(files.nofile, &Limit::soft));
    table.set(fd_hard, reading(files.nofile, &Limit::hard));
    table.set(nproc_limit, reading(files.nproc, &Limit::soft));
    table.set(cpu_allowed, {files.status.cpus_allowed.map([&online](const CpuSet& allowed) {
                                return SignalValue(online ? allowed.intersect(*online) : allowed);
                            }),
                            {}});
}

void set_process_absent(SignalTable& table, const Absent& why) {
    constexpr std::array all{fault_major,
                             proc_threads,
                             proc_threads_ratio,
                             mem_rss,
                             mem_anon,
                             mem_file,
                             mem_shmem,
                             mem_swap,
                             mem_offheap,
                             fd_used,
                             fd_limit,
                             fd_hard,
                             nproc_used,
                             nproc_limit,
                             cpu_usage,
                             cpu_allowed,
                             cpu_gomaxprocs_excess};
    for (const Signal id : all) table.set(id, why);
}

}  // namespace gotuned

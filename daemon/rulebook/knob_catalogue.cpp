#include "rulebook/knob_catalogue.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "base/text.h"

namespace gotuned {
namespace {

using Takes = KnobInfo::Takes;

/// A limit of prlimit(2). Never below what a Go program needs to go on (its runtime, a few threads, a few descriptors).
constexpr KnobInfo rlimit(std::string_view name, Takes takes, double least, double most, std::string_view meaning) {
    return {.name = name, .scope = Scope::process, .takes = takes, .least = least, .most = most, .meaning = meaning};
}
constexpr KnobInfo memory(std::string_view name, double least, std::string_view meaning) {
    return {.name = name, .scope = Scope::cgroup, .takes = Takes::bytes, .least = least, .meaning = meaning};
}
/// Below /sys/kernel/mm/transparent_hugepage (Documentation/admin-guide/mm/transhuge.rst of Linux).
constexpr KnobInfo huge_pages(std::string_view name, double least, double most, std::string_view meaning) {
    return {.name = name,
            .scope = Scope::host,
            .takes = Takes::count,
            .least = least,
            .most = most,
            .shared = true,
            .meaning = meaning};
}
constexpr KnobInfo huge_pages(std::string_view name, std::string_view words, std::string_view meaning) {
    return {
        .name = name, .scope = Scope::host, .takes = Takes::word, .shared = true, .words = words, .meaning = meaning};
}
constexpr KnobInfo shared(KnobInfo knob) {
    knob.shared = true;
    return knob;
}

constexpr double kib = 1024;
constexpr double mib = 1024 * kib;

constexpr std::array catalogue = {
    KnobInfo{.name = "sysctl.",
             .prefix = true,
             .scope = Scope::host,
             .takes = Takes::sysctl,
             .shared = true,
             .meaning = "a file below /proc/sys, by its dotted name"},

    // 1048576 is the kernel's default fs.nr_open, above which prlimit is refused; the real one is looked at when it is
    // set.
    rlimit("rlimit.nofile", Takes::count, 64, 1048576, "open file descriptors (RLIMIT_NOFILE)"),
    rlimit("rlimit.nproc", Takes::count, 64, 4194304, "processes and threads of the user (RLIMIT_NPROC)"),
    rlimit("rlimit.memlock", Takes::bytes, 0, unlimited_value, "memory locked into RAM (RLIMIT_MEMLOCK)"),
    rlimit("rlimit.as", Takes::bytes, 1024 * mib, unlimited_value,
           "address space (RLIMIT_AS); Go reserves far more than it uses"),
    rlimit("rlimit.core", Takes::bytes, 0, unlimited_value, "size of a core dump (RLIMIT_CORE)"),
    rlimit("rlimit.cpu", Takes::count, 60, unlimited_value,
           "CPU time in seconds, after which SIGXCPU comes (RLIMIT_CPU)"),
    rlimit("rlimit.data", Takes::bytes, 256 * mib, unlimited_value, "data segment and anonymous maps (RLIMIT_DATA)"),
    rlimit("rlimit.fsize", Takes::bytes, mib, unlimited_value, "largest file that may be written (RLIMIT_FSIZE)"),
    rlimit("rlimit.locks", Takes::count, 0, unlimited_value, "file locks (RLIMIT_LOCKS, unused since Linux 2.4.25)"),
    rlimit("rlimit.msgqueue", Takes::bytes, 0, unlimited_value, "POSIX message queues of the user (RLIMIT_MSGQUEUE)"),
    rlimit("rlimit.nice", Takes::count, 0, 40, "ceiling of nice: 20 minus it (RLIMIT_NICE)"),
    rlimit("rlimit.rss", Takes::bytes, 0, unlimited_value,
           "resident set (RLIMIT_RSS, without effect since Linux 2.4.30)"),
    rlimit("rlimit.rtprio", Takes::count, 0, 99, "ceiling of the real-time priority (RLIMIT_RTPRIO)"),
    rlimit("rlimit.rttime", Takes::count, 0, unlimited_value, "real-time CPU time in microseconds (RLIMIT_RTTIME)"),
    rlimit("rlimit.sigpending", Takes::count, 0, unlimited_value, "queued signals of the user (RLIMIT_SIGPENDING)"),
    rlimit("rlimit.stack", Takes::bytes, mib, unlimited_value,
           "stack of the main thread and of new C threads (RLIMIT_STACK)"),

    KnobInfo{.name = "cpu.affinity",
             .scope = Scope::process,
             .takes = Takes::cpus,
             .shared = true,
             .meaning = "CPUs that every thread of the process may run on: a list, pack(n) or spread(n)"},

    // Below 16 MiB a Go program cannot start its runtime; the live working set is looked at when it is set.
    memory("cgroup.memory.high", 16 * mib, "above it the cgroup is throttled and reclaimed"),
    memory("cgroup.memory.max", 16 * mib, "above it the cgroup's processes are killed"),
    shared(memory("cgroup.memory.low", 0, "memory that is protected as long as others have some to give")),
    shared(memory("cgroup.memory.min", 0, "memory that is protected without condition")),
    memory("cgroup.memory.swap.max", 0, "swap that the cgroup may use"),
    memory("cgroup.memory.reclaim", 0, "reclaims so many bytes once; nothing is left to undo"),

    // A tenth of a CPU: with less a Go server's garbage collection alone is throttled for seconds.
    KnobInfo{.name = "cgroup.cpu.max",
             .scope = Scope::cgroup,
             .takes = Takes::count,
             .least = 0.1,
             .meaning = "CPUs that the cgroup may use: quota / period; the period stays"},
    shared(KnobInfo{.name = "cgroup.cpu.weight",
                    .scope = Scope::cgroup,
                    .takes = Takes::count,
                    .least = 1,
                    .most = 10000,
                    .meaning = "share of the CPUs when they are short, beside its siblings; the default is 100"}),
    // The kernel's own: no more than the quota, of a period of at most a second, which is looked at when it is set.
    KnobInfo{.name = "cgroup.cpu.max.burst",
             .scope = Scope::cgroup,
             .takes = Takes::time,
             .meaning = "CPU time that the cgroup may save up in idle periods and use above its quota (Linux 5.14)"},
    KnobInfo{.name = "cgroup.pids.max",
             .scope = Scope::cgroup,
             .takes = Takes::count,
             .least = 64,
             .meaning = "processes and threads in the cgroup"},
    shared(KnobInfo{.name = "cgroup.cpuset.cpus",
                    .scope = Scope::cgroup,
                    .takes = Takes::cpus,
                    .meaning = "CPUs that the cgroup may run on: a list, pack(n) or spread(n)"}),

    huge_pages("sysfs.thp.enabled", "always madvise never", "who gets transparent huge pages"),
    huge_pages("sysfs.thp.defrag", "always defer defer+madvise madvise never",
               "whether a page fault waits until memory is compacted into a huge page"),
    // Not its two other words: deny is for emergencies, force for tests.
    huge_pages("sysfs.thp.shmem_enabled", "always within_size advise never", "huge pages of tmpfs and shared memory"),
    huge_pages("sysfs.thp.use_zero_page", 0, 1, "reading untouched memory maps a huge page of zeros"),
    huge_pages("sysfs.thp.shrink_underused", 0, 1, "huge pages that are mostly zeros are split under pressure"),
    huge_pages("sysfs.thp.khugepaged.defrag", 0, 1, "khugepaged may compact memory"),
    huge_pages("sysfs.thp.khugepaged.pages_to_scan", 64, 65536, "pages that khugepaged looks at in one pass"),
    huge_pages("sysfs.thp.khugepaged.scan_sleep_millisecs", 100, 3600000, "pause between its passes"),
    huge_pages("sysfs.thp.khugepaged.alloc_sleep_millisecs", 1000, 3600000, "pause after it found no huge page"),
    // 511 is all but one page of 4 KiB in a huge page of 2 MiB; the kernel's own most is looked at when it is set.
    huge_pages("sysfs.thp.khugepaged.max_ptes_none", 0, 8191,
               "untouched pages that it may fill with zeros to make a huge page: what makes RSS grow"),
    huge_pages("sysfs.thp.khugepaged.max_ptes_swap", 0, 8191, "swapped pages that it may bring in for a huge page"),
    huge_pages("sysfs.thp.khugepaged.max_ptes_shared", 0, 8191, "shared pages that it may take into a huge page"),
    KnobInfo{
        .name = "sysfs.block.",
        .prefix = true,
        .scope = Scope::host,
        .takes = Takes::word,
        .shared = true,
        .meaning = "sysfs.block.DEVICE.scheduler: the I/O scheduler of a disk, of those that the kernel has loaded"},

    // -1000 would leave it out altogether: its memory could then only be had by killing everything else.
    shared(KnobInfo{.name = "process.oom_score_adj",
                    .scope = Scope::process,
                    .takes = Takes::count,
                    .least = -900,
                    .most = 1000,
                    .meaning = "how readily the process is killed when memory runs out: higher is sooner"}),
    // Further down it competes with the kernel's own threads.
    shared(KnobInfo{.name = "process.nice",
                    .scope = Scope::process,
                    .takes = Takes::count,
                    .least = -10,
                    .most = 19,
                    .meaning = "weight of every thread against others of its cgroup: higher is less"}),

    KnobInfo{.name = "advise",
             .scope = Scope::host,
             .takes = Takes::text,
             .meaning = "changes nothing: says what only a person can change"},
};

struct NamedBounds {
    std::string_view name;
    SysctlBounds bounds;
};
/// By name. Narrower than the kernel's own where a legal value is known to harm the host.
constexpr std::array sysctls = {
    NamedBounds{"fs.aio-max-nr", {65536, 16777216}},
    NamedBounds{"fs.file-max", {65536, unlimited_value}},
    NamedBounds{"fs.inotify.max_user_instances", {128, 65536}},
    NamedBounds{"fs.inotify.max_user_watches", {8192, 16777216}},
    NamedBounds{"fs.nr_open", {65536, 2147483584}},  // the kernel's own: INT_MAX rounded down to 64
    NamedBounds{"kernel.numa_balancing", {0, 2}},
    NamedBounds{"kernel.pid_max", {32768, 4194304}},
    NamedBounds{"kernel.threads-max", {16384, 4194304}},
    NamedBounds{"net.core.busy_poll", {0, 200}},  // µs of spinning; more burns a CPU
    NamedBounds{"net.core.busy_read", {0, 200}},
    NamedBounds{"net.core.netdev_budget", {100, 3000}},
    NamedBounds{"net.core.netdev_budget_usecs", {1000, 20000}},
    NamedBounds{"net.core.netdev_max_backlog", {300, 300000}},
    NamedBounds{"net.core.optmem_max", {20480, 16777216}},
    NamedBounds{"net.core.rmem_default", {65536, 16777216}},
    NamedBounds{"net.core.rmem_max", {131072, 268435456}},
    NamedBounds{"net.core.somaxconn", {128, 65535}},
    NamedBounds{"net.core.wmem_default", {65536, 16777216}},
    NamedBounds{"net.core.wmem_max", {131072, 268435456}},
    NamedBounds{"net.ipv4.tcp_fin_timeout", {5, 120}},
    NamedBounds{"net.ipv4.tcp_keepalive_intvl", {5, 75}},
    NamedBounds{"net.ipv4.tcp_keepalive_probes", {2, 20}},
    NamedBounds{"net.ipv4.tcp_keepalive_time", {30, 7200}},
    NamedBounds{"net.ipv4.tcp_max_orphans", {4096, 1048576}},
    NamedBounds{"net.ipv4.tcp_max_syn_backlog", {128, 262144}},
    NamedBounds{"net.ipv4.tcp_max_tw_buckets", {4096, 4194304}},
    NamedBounds{"net.ipv4.tcp_mtu_probing", {0, 2}},
    NamedBounds{"net.ipv4.tcp_slow_start_after_idle", {0, 1}},
    NamedBounds{"net.ipv4.tcp_syn_retries", {2, 10}},
    NamedBounds{"net.ipv4.tcp_syncookies", {1, 2}},  // 0 takes the defence against SYN floods away
    NamedBounds{"net.ipv4.tcp_tw_reuse", {0, 2}},
    NamedBounds{"net.netfilter.nf_conntrack_max", {16384, 16777216}},
    NamedBounds{"vm.compaction_proactiveness", {0, 100}},
    NamedBounds{"vm.dirty_background_bytes", {1048576, 4294967296}},
    NamedBounds{"vm.dirty_background_ratio", {1, 50}},
    NamedBounds{"vm.dirty_bytes", {4194304, 17179869184}},
    NamedBounds{"vm.dirty_expire_centisecs", {100, 30000}},
    NamedBounds{"vm.dirty_ratio", {5, 60}},
    NamedBounds{"vm.dirty_writeback_centisecs", {50, 6000}},
    NamedBounds{"vm.max_map_count", {65530, 16777216}},
    NamedBounds{"vm.min_free_kbytes", {1024, 4194304}},
    NamedBounds{"vm.overcommit_memory", {0, 1}},  // 2 fails the large reservations of Go's runtime
    NamedBounds{"vm.page-cluster", {0, 5}},
    NamedBounds{"vm.swappiness", {0, 200}},
    NamedBounds{"vm.vfs_cache_pressure", {10, 500}},
    NamedBounds{"vm.watermark_scale_factor", {10, 1000}},
    NamedBounds{"vm.zone_reclaim_mode", {0, 7}},
};

constexpr std::array<std::string_view, 3> unbuilt = {"go.gc", "capture", "notify"};

/// Dotted parts of letters, digits, '_', '-' and '/' (an interface name with a dot in it is written with a slash:
/// sysctl.d(5)); never a path that climbs.
bool sysctl_name(std::string_view name) {
    const std::vector<std::string_view> parts = split(name, '.');
    return parts.size() >= 2 && std::all_of(parts.begin(), parts.end(), [](std::string_view part) {
               return !part.empty() && part.front() != '/' && std::all_of(part.begin(), part.end(), [](char c) {
                   return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '/';
               });
           });
}

/// A device's name as below /sys/block (some drivers have a '!' for the slash), and the one file that is a knob.
bool scheduler_name(std::string_view name) {
    constexpr std::string_view file = ".scheduler";
    if (!name.ends_with(file)) return false;
    name.remove_suffix(file.size());
    return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '!';
    });
}

}  // namespace

std::span<const KnobInfo> knob_catalogue() { return catalogue; }

const KnobInfo* find_knob_info(std::string_view name) {
    for (const KnobInfo& knob : catalogue) {
        if (!knob.prefix && knob.name == name) return &knob;
        if (!knob.prefix || !name.starts_with(knob.name)) continue;
        const std::string_view rest = name.substr(knob.name.size());
        if (knob.takes == Takes::sysctl ? sysctl_name(rest) : scheduler_name(rest)) return &knob;
    }
    return nullptr;
}

std::optional<SysctlBounds> sysctl_bounds(std::string_view name) {
    const auto* const found =
        std::find_if(sysctls.begin(), sysctls.end(), [&](const NamedBounds& entry) { return entry.name == name; });
    if (found == sysctls.end()) return std::nullopt;
    return found->bounds;
}

std::vector<std::string_view> bounded_sysctls() {
    std::vector<std::string_view> names;
    for (const NamedBounds& entry : sysctls) names.push_back(entry.name);
    return names;
}

std::string_view sysctl_myth(std::string_view name) {
    if (name == "net.ipv4.tcp_delack_min") {
        return "no Linux has it: delayed ACK is set by route (quickack) or by socket (TCP_QUICKACK)";
    }
    if (name == "net.ipv4.tcp_tw_recycle") return "it broke clients behind NAT and was removed in Linux 4.12";
    return {};
}

std::string sysfs_file(std::string_view knob) {
    constexpr std::string_view disks = "sysfs.block.";
    constexpr std::string_view pages = "sysfs.thp.";
    if (knob.starts_with(disks)) {
        const std::size_t end = knob.rfind('.');
        return std::string("block/") + std::string(knob.substr(disks.size(), end - disks.size())) + "/queue" +
               (end == std::string_view::npos ? "" : "/" + std::string(knob.substr(end + 1)));
    }
    std::string path = "kernel/mm/transparent_hugepage/";
    for (const char c : knob.substr(std::min(knob.size(), pages.size()))) path += c == '.' ? '/' : c;
    return path;
}

std::span<const std::string_view> unbuilt_knobs() { return unbuilt; }

}  // namespace gotuned

#include "tune/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <map>
#include <memory>
#include <set>

#include "base/cached_stat.h"
#include "base/text.h"

namespace gotuned {
namespace {

/// A process that makes threads faster than they can be listed would keep us for ever.
constexpr int most_passes = 100;

std::string name_of(const std::string& proc, pid_t pid) { return proc + "/" + std::to_string(pid); }

/// A process that disappears while one of its files is read answers ESRCH, its directory ENOENT.
bool means_gone(int code) { return code == ENOENT || code == ESRCH; }

}  // namespace

Result<ProcessStat> read_stat(const std::string& proc, pid_t pid) {
    const std::string path = name_of(proc, pid) + "/stat";
    const auto line = read_file(path);
    if (!line) return fail(line.error());
    // The name in parentheses may hold anything, also parentheses and spaces: the fields begin behind the last one.
    const std::size_t close = line->rfind(')');
    if (close == std::string::npos || close + 2 > line->size()) return fail("cannot understand " + path, EPROTO);
    const auto fields = split(trim(std::string_view(*line).substr(close + 1)), ' ');  // fields[0] is field 3, state
    std::uint64_t parent = 0;
    ProcessStat stat;
    if (fields.size() < 20 || !parse_u64(fields[1], parent) || !parse_u64(fields[19], stat.start_ticks)) {
        return fail("cannot understand " + path, EPROTO);
    }
    stat.parent = static_cast<pid_t>(parent);
    return stat;
}

Result<std::uint64_t> exe_inode(const std::string& proc, pid_t pid) {
    const std::string path = name_of(proc, pid) + "/exe";
    const auto status = cached_stat(AT_FDCWD, path);
    if (!status) return fail(status.error());
    return static_cast<std::uint64_t>(status->st_ino);
}

Result<ProcessId> identify(const std::string& proc, pid_t pid) {
    const auto stat = read_stat(proc, pid);
    if (!stat) return fail(stat.error());
    const auto inode = exe_inode(proc, pid);
    if (!inode) return fail(inode.error());
    return ProcessId{pid, stat->start_ticks, *inode};
}

Result<HeldProcess> HeldProcess::open(const std::string& proc, const ProcessId& id) {
    auto pidfd = Pidfd::open(id.pid);
    if (!pidfd) return fail(pidfd.error());
    const auto stat = read_stat(proc, id.pid);
    const std::string target = "pid " + std::to_string(id.pid);
    if (!stat)
        return fail("cannot identify the process", means_gone(stat.error().code) ? ESRCH : stat.error().code, target);
    if (stat->start_ticks != id.start_ticks) return fail("another process has its number now", ESRCH, target);
    if (!pidfd->alive()) return fail("the process has ended", ESRCH, target);
    return HeldProcess(std::move(*pidfd));
}

Status HeldProcess::check() const {
    if (!pidfd_.alive()) return fail("the process ended meanwhile", ESRCH, "pid " + std::to_string(pid()));
    return {};
}

Result<std::vector<pid_t>> numbered_entries(const std::string& directory) {
    const std::unique_ptr<DIR, int (*)(DIR*)> opened(::opendir(directory.c_str()), ::closedir);
    if (!opened) return fail("cannot list " + directory, errno);
    std::vector<pid_t> numbers;
    for (;;) {
        errno = 0;
        const dirent* const entry = ::readdir(opened.get());
        if (entry == nullptr) {
            if (errno != 0) return fail("cannot list " + directory, errno);
            return numbers;
        }
        std::uint64_t number = 0;
        if (parse_u64(entry->d_name, number)) numbers.push_back(static_cast<pid_t>(number));
    }
}

Result<std::uint64_t> descriptors_in_use(const std::string& proc, pid_t pid) {
    const std::string path = name_of(proc, pid) + "/fd";
    // Since Linux 6.2 the size of the directory is the number of descriptors; before it is 0.
    struct stat status{};
    if (::stat(path.c_str(), &status) == 0 && status.st_size > 0) return static_cast<std::uint64_t>(status.st_size);
    const auto entries = numbered_entries(path);
    if (!entries) return fail(entries.error());
    return entries->size();
}

Result<std::uint64_t> status_number(const std::string& proc, pid_t pid, std::string_view key) {
    const std::string path = name_of(proc, pid) + "/status";
    const auto content = read_file(path);
    if (!content) return fail(content.error());
    for (const std::string_view line : split(*content, '\n')) {
        if (!line.starts_with(key) || line.size() <= key.size() || line[key.size()] != ':') continue;
        const std::string_view rest = trim(line.substr(key.size() + 1));
        std::uint64_t number = 0;
        if (parse_u64(rest.substr(0, rest.find_first_of(" \t")), number)) return number;
        return fail("cannot understand " + path, EPROTO);
    }
    return fail(path + " has no " + std::string(key), EPROTO);
}

Result<std::uint64_t> tasks_of_user(const std::string& proc, std::uint64_t uid) {
    const auto pids = numbered_entries(proc);
    if (!pids) return fail(pids.error());
    std::uint64_t tasks = 0;
    for (const pid_t pid : *pids) {
        const auto owner = status_number(proc, pid, "Uid");
        if (!owner || *owner != uid) continue;  // ended meanwhile, or another's
        if (const auto threads = status_number(proc, pid, "Threads"); threads) tasks += *threads;
    }
    return tasks;
}

Status visit_threads(const std::string& proc, const ProcessId& id, const std::function<Status(pid_t)>& visit) {
    const auto held = HeldProcess::open(proc, id);
    if (!held) return fail(held.error());
    const std::string directory = name_of(proc, id.pid) + "/task";
    std::set<pid_t> visited;
    for (int pass = 0; pass < most_passes; ++pass) {
        const auto threads = numbered_entries(directory);
        if (!threads)
            return fail("cannot list the threads", means_gone(threads.error().code) ? ESRCH : threads.error().code,
                        directory);
        bool any_new = false;
        for (const pid_t thread : *threads) {
            if (!visited.insert(thread).second) continue;
            any_new = true;
            if (auto done = visit(thread); !done && done.error().code != ESRCH) return done;
        }
        if (!any_new) return held->check();
    }
    return fail("new threads appear faster than they can be visited", EAGAIN, "pid " + std::to_string(id.pid));
}

std::vector<ProcessId> descendants_since(const std::string& proc, pid_t ancestor, std::uint64_t since) {
    const auto pids = numbered_entries(proc);
    if (!pids) return {};
    std::multimap<pid_t, ProcessId> children;
    for (const pid_t pid : *pids) {
        if (const auto stat = read_stat(proc, pid); stat)
            children.emplace(stat->parent, ProcessId{pid, stat->start_ticks, 0});
    }
    std::vector<ProcessId> found;
    std::vector<pid_t> parents{ancestor};
    std::set<pid_t> seen{ancestor};  // pids reused during the walk could form a circle
    while (!parents.empty()) {
        const pid_t parent = parents.back();
        parents.pop_back();
        const auto [first, last] = children.equal_range(parent);
        for (auto child = first; child != last; ++child) {
            // A child older than that has only older parents' values, but may have younger children.
            if (child->second.start_ticks >= since) found.push_back(child->second);
            if (seen.insert(child->second.pid).second) parents.push_back(child->second.pid);
        }
    }
    return found;
}

std::uint64_t boot_ticks() {
    timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    const auto hertz = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
    return static_cast<std::uint64_t>(now.tv_sec) * hertz +
           static_cast<std::uint64_t>(now.tv_nsec) * hertz / 1'000'000'000U;
}

}  // namespace gotuned

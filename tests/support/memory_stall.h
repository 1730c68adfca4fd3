// A real memory stall, on demand: a cgroup of the unified hierarchy in which a child reads more page cache than it may
// keep, so that the kernel makes it reclaim: a quarter of the time or more, whatever the disk does, since the file is
// one hole. The limit is the unified hierarchy's, or cgroup v1's where the memory controller is still there (the child
// is in both). No test library here: the bench uses it, too.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "base/files.h"
#include "observe/psi.h"

namespace gotuned::test {

class MemoryStall {
public:
    /// page_cache: it reclaims and goes on; anonymous: it cannot, and the OOM killer ends it (without swap).
    enum class With : std::uint8_t { page_cache, anonymous };
    /// Null, with the reason, where no such cgroup can be made. `folder` is on a disk: its file's pages are what is
    /// reclaimed; those of a tmpfs could not be.
    static std::unique_ptr<MemoryStall> make(const std::string& folder, std::string& why,
                                             With with = With::page_cache) {
        std::unique_ptr<MemoryStall> made(new MemoryStall);
        made->with_ = with;
        const std::string unified = find_cgroup2("/proc");
        if (unified.empty()) return why = "no unified hierarchy", nullptr;
        made->path_ = "/gotuned-stall-" + std::to_string(::getpid());
        made->folder_ = unified + made->path_;
        if (::mkdir(made->folder_.c_str(), 0755) != 0) return why = "no cgroup can be made in it", nullptr;
        made->folders_.push_back(made->folder_);
        if (!made->pressure()) return why = "the kernel tells no pressure of a cgroup", nullptr;
        if (!made->limit()) return why = "no memory limit can be set", nullptr;
        made->start(folder);
        return made;
    }
    MemoryStall(const MemoryStall&) = delete;
    MemoryStall& operator=(const MemoryStall&) = delete;
    ~MemoryStall() {
        if (child_ > 0) {
            ::kill(child_, SIGKILL);
            ::waitpid(child_, nullptr, 0);
        }
        if (go_ >= 0) ::close(go_);
        for (const std::string& folder : folders_)
            for (int i = 0; ::rmdir(folder.c_str()) != 0 && errno == EBUSY && i < 500; ++i) ::usleep(10000);
    }

    /// In the unified hierarchy.
    [[nodiscard]] const std::string& path() const { return path_; }
    /// Puts a process beside the one that will stall, without its limit.
    [[nodiscard]] bool join(pid_t pid) const { return put(folder_ + "/cgroup.procs", std::to_string(pid)); }
    /// Who will stall, in one thread.
    [[nodiscard]] pid_t pid() const { return child_; }
    /// From now on it stalls, until the object goes.
    void begin() const {
        if (::write(go_, "g", 1) != 1) std::abort();
    }
    /// Waits until it has ended; waitpid(2)'s status.
    int wait() {
        int status = 0;
        ::waitpid(child_, &status, 0);
        child_ = -1;
        return status;
    }
    /// Time in which some thread of it was stalled, as the kernel has it now; nothing: it cannot be read.
    [[nodiscard]] Reading<std::uint64_t> pressure() const {
        const auto text = read_file(folder_ + "/memory.pressure");
        if (!text) return Absence::not_supported;
        return parse_pressure(*text).some.map([](const PressureLine& line) { return line.total_us; });
    }

private:
    MemoryStall() = default;
    static constexpr std::size_t megabyte = 1U << 20U;
    static constexpr std::size_t limit_megabytes = 32;

    static bool put(const std::string& file, const std::string& text) {
        return write_kernel_file(file, text).has_value();
    }
    bool limit() {
        if (put(folder_ + "/memory.max", std::to_string(limit_megabytes * megabyte))) {
            put(folder_ + "/memory.swap.max", "0");
            return true;
        }
        // cgroup v1: below the cgroup that this process is in, or the root of what is mounted.
        const std::string mounted = "/sys/fs/cgroup/memory";
        std::string own;
        std::ifstream table("/proc/self/cgroup");
        for (std::string line; std::getline(table, line);)
            if (const auto at = line.find(":memory:"); at != std::string::npos) own = line.substr(at + 8);
        for (const std::string& parent : {mounted + own, mounted}) {
            limited_ = parent + path_;
            if (::mkdir(limited_.c_str(), 0755) != 0) continue;
            folders_.push_back(limited_);
            return put(limited_ + "/memory.limit_in_bytes", std::to_string(limit_megabytes * megabyte));
        }
        limited_.clear();
        return false;
    }
    void start(const std::string& folder) {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
        child_ = ::fork();
        if (child_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            ::close(ends[1]);
            work(folder, ends[0]);
        }
        ::close(ends[0]);
        go_ = ends[1];
    }
    [[noreturn]] void work(const std::string& folder, int told) const {
        if (!put(folder_ + "/cgroup.procs", "0") || (!limited_.empty() && !put(limited_ + "/cgroup.procs", "0")))
            ::_exit(1);
        const int file = ::open(folder.c_str(), O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
        char go = 0;
        if (file < 0 || ::read(told, &go, 1) != 1) ::_exit(1);
        for (std::size_t i = 0; with_ == With::anonymous && i < 4 * limit_megabytes; ++i) {
            const auto* volatile kept = new std::vector<char>(megabyte, 'x');
            (void)kept;
        }
        // Mapped pages are the dearest to take back.
        constexpr std::size_t size = 4 * limit_megabytes * megabyte;
        void* mapped =
            ::ftruncate(file, size) == 0 ? ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file, 0) : MAP_FAILED;
        if (mapped == MAP_FAILED) ::_exit(1);
        ::madvise(mapped, size, MADV_RANDOM);
        for (std::size_t i = 0;; i = (i + 4096) % size) (void)static_cast<const volatile char*>(mapped)[i];
    }

    With with_ = With::page_cache;
    std::string path_{}, folder_{}, limited_{};
    std::vector<std::string> folders_{};
    pid_t child_ = -1;
    int go_ = -1;
};

}  // namespace gotuned::test

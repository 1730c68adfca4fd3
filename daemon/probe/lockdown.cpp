// Lockdown decides which BPF programs load, and the kernel's refusal names it nowhere: a plain EPERM or EINVAL.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/fd.h"
#include "base/files.h"
#include "probe/features.h"

namespace gotuned {
namespace {

/// Mounts securityfs where only this child sees it and copies the file into the pipe. Between fork and _exit only
/// async-signal-safe calls.
[[noreturn]] void read_in_child(int pipe_end) {
    static constexpr const char* place = "/sys/kernel/security";
    std::array<char, 128> text{};
    if (::unshare(CLONE_NEWNS) != 0) ::_exit(1);
    if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) ::_exit(1);
    if (::mount("securityfs", place, "securityfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY, nullptr) != 0)
        ::_exit(1);
    const int file = ::open("/sys/kernel/security/lockdown", O_RDONLY | O_CLOEXEC);
    if (file < 0) ::_exit(errno == ENOENT ? 2 : 1);
    const ssize_t size = ::read(file, text.data(), text.size());
    if (size <= 0 || ::write(pipe_end, text.data(), static_cast<std::size_t>(size)) != size) ::_exit(1);
    ::_exit(0);
}

std::string read_through_private_mount() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return {};
    const Fd reading(ends[0]);
    Fd writing(ends[1]);
    const pid_t child = ::fork();
    if (child < 0) return {};
    if (child == 0) read_in_child(writing.get());
    writing.reset();
    std::array<char, 128> text{};
    const ssize_t size = ::read(reading.get(), text.data(), text.size());
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 2) return "[none]";  // securityfs there, and no lockdown in it
    return size > 0 ? std::string(text.data(), static_cast<std::size_t>(size)) : std::string();
}

}  // namespace

std::string parse_lockdown(const std::string& text) {
    const auto open = text.find('[');
    const auto close = text.find(']', open == std::string::npos ? 0 : open);
    if (open == std::string::npos || close == std::string::npos) return {};
    std::string chosen = text.substr(open + 1, close - open - 1);
    if (chosen != "none" && chosen != "integrity" && chosen != "confidentiality") return {};
    return chosen;
}

std::string detect_lockdown(const std::string& sys) {
    if (const auto text = read_file(sys + "/kernel/security/lockdown", 256)) {
        if (auto chosen = parse_lockdown(*text); !chosen.empty()) return chosen;
    }
    if (auto chosen = parse_lockdown(read_through_private_mount()); !chosen.empty()) return chosen;
    return "unknown";
}

}  // namespace gotuned

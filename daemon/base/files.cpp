#include "base/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "base/text.h"

namespace gotuned {
namespace {

Result<std::string> read_all(int fd, const std::string& path, std::size_t limit) {
    std::string content;
    char buffer[16384];
    for (;;) {
        const ssize_t got = ::read(fd, buffer, sizeof buffer);
        if (got < 0) {
            if (errno == EINTR) continue;
            return fail("cannot read " + path, errno);
        }
        if (got == 0) return content;
        content.append(buffer, static_cast<std::size_t>(got));
        if (content.size() > limit)
            return fail("cannot read " + path + ": more than " + std::to_string(limit) + " bytes", EFBIG);
    }
}

Status write_all(int fd, const std::string& path, std::string_view content) {
    while (!content.empty()) {
        const ssize_t put = ::write(fd, content.data(), content.size());
        if (put < 0) {
            if (errno == EINTR) continue;
            return fail("cannot write " + path, errno);
        }
        content.remove_prefix(static_cast<std::size_t>(put));
    }
    return {};
}

/// mountinfo escapes space, tab, newline and backslash as octal (Documentation/filesystems/proc.rst).
std::string unescape_mount(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\' && i + 3 < text.size()) {
            int code = 0;
            const auto [end, error] = std::from_chars(text.data() + i + 1, text.data() + i + 4, code, 8);
            if (error == std::errc{} && end == text.data() + i + 4) {
                out += static_cast<char>(code);
                i += 3;
                continue;
            }
        }
        out += text[i];
    }
    return out;
}

}  // namespace

std::string find_cgroup2(const std::string& proc) {
    const auto mounts = read_file(proc + "/self/mountinfo", 8U << 20U);
    if (!mounts) return {};
    for (const std::string_view line : split(*mounts, '\n')) {
        const std::size_t dash = line.find(" - ");
        if (dash == std::string_view::npos || !line.substr(dash + 3).starts_with("cgroup2 ")) continue;
        const auto fields = split(line.substr(0, dash), ' ');
        if (fields.size() >= 5 && fields[3] == "/") return unescape_mount(fields[4]);
    }
    return {};
}

Result<std::string> read_file(const std::string& path, std::size_t limit) {
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.valid()) return fail("cannot open " + path, errno);
    return read_all(fd.get(), path, limit);
}

Result<std::string> read_file_at(int directory, const std::string& name, std::size_t limit) {
    const Fd fd(::openat(directory, name.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.valid()) return fail("cannot open " + name, errno);
    return read_all(fd.get(), name, limit);
}

Status write_kernel_file(const std::string& path, std::string_view content) {
    const Fd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd.valid()) return fail("cannot open " + path + " for writing", errno);
    const ssize_t put = ::write(fd.get(), content.data(), content.size());
    if (put < 0) return fail("cannot write " + path, errno);
    if (static_cast<std::size_t>(put) != content.size())
        return fail("cannot write " + path + ": only a part was taken", EIO);
    return {};
}

Status replace_file(const std::string& path, std::string_view content, unsigned mode) {
    const std::string temporary = path + ".new";
    {
        const Fd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
        if (!fd.valid()) return fail("cannot create " + temporary, errno);
        if (auto written = write_all(fd.get(), temporary, content); !written) return written;
        if (::fsync(fd.get()) != 0) return fail("cannot flush " + temporary, errno);
    }
    if (std::rename(temporary.c_str(), path.c_str()) != 0) return fail("cannot replace " + path, errno);
    return {};
}

std::string_view trim(std::string_view text) {
    constexpr std::string_view blank = " \t\r\n";
    const std::size_t first = text.find_first_not_of(blank);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

bool parse_u64(std::string_view text, std::uint64_t& out) {
    if (text.ends_with('\n')) text.remove_suffix(1);
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return false;
    out = value;
    return true;
}

bool parse_double(std::string_view text, double& out) {
    if (text.ends_with('\n')) text.remove_suffix(1);
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) return false;
    out = value;
    return true;
}

}  // namespace gotuned

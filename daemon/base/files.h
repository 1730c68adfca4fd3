// Small files of /proc, /sys and cgroup, and our own: reading whole, writing at once.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace gotuned {

/// Where the kernel's file systems are: a test hands in a fake tree.
struct Roots {
    std::string proc = "/proc";
    std::string sys = "/sys";
    /// The cgroup v2 mount; empty when there is none. find_cgroup2() fills it from PROC/self/mountinfo.
    std::string cgroup2{};
    /// Where systemd keeps its drop-ins of this boot, and listens; without its folder "system" there is none
    /// (sd_booted(3)).
    std::string systemd = "/run/systemd";
};
/// The mount point of the unified hierarchy as PROC/self/mountinfo has it; empty when there is none.
std::string find_cgroup2(const std::string& proc);

/// Reads a whole file, at most `limit` bytes (more is an error: EFBIG). Works on files without a size.
Result<std::string> read_file(const std::string& path, std::size_t limit = 1U << 20U);
Result<std::string> read_file_at(int directory, const std::string& name, std::size_t limit = 1U << 20U);

/// Writes to an existing kernel file with one write(2); never creates. A short write is an error.
Status write_kernel_file(const std::string& path, std::string_view content);

/// Replaces a regular file by writing a temporary one beside it and renaming it (fsync before rename).
Status replace_file(const std::string& path, std::string_view content, unsigned mode = 0644);

/// Decimal with nothing before or behind it but one trailing newline. False leaves `out` unchanged.
bool parse_u64(std::string_view text, std::uint64_t& out);
bool parse_double(std::string_view text, double& out);

std::string_view trim(std::string_view text);

}  // namespace gotuned

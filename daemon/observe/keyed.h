// Flat keyed files of the kernel, one "KEY VALUE" a line: memory.stat, memory.events, cpu.stat, /proc/vmstat; and
// "KEY: VALUE kB" of /proc/meminfo and /proc/PID/status.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/reading.h"

namespace gotuned {

/// The rest of the line that begins with `key` and a separator (blank, tab or colon), trimmed; nullopt: no such line.
std::optional<std::string_view> find_line(std::string_view text, std::string_view key);
/// A decimal number; absent: not_supported (no such key) or malformed.
Reading<std::uint64_t> keyed_number(std::string_view text, std::string_view key);
/// "123 kB" as bytes.
Reading<std::uint64_t> keyed_kilobytes(std::string_view text, std::string_view key);

}  // namespace gotuned

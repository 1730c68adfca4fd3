// Names of sysctls and where they are below PROC/sys. The names are an operator's text: none leads elsewhere.
#pragma once

#include <string>
#include <string_view>

#include "base/files.h"
#include "base/reading.h"
#include "base/result.h"

namespace gotuned {

/// "net.core.somaxconn" → "net/core/somaxconn". As sysctl.d(5) has it: when the first separator is a dot, slashes stand
/// for dots within a part ("net.ipv4.conf.eth0/1.forwarding" → "net/ipv4/conf/eth0.1/forwarding"); when it is a slash,
/// the name is the path already. Errors: an empty part, "." or "..", a leading slash, a character that is not
/// printable.
Result<std::string> sysctl_path(std::string_view name);

/// The value as text without the newline; several values stay one text with the kernel's tabs.
/// Absent: not_supported (no such sysctl, or the name is none), not_permitted.
Reading<std::string> read_sysctl(const Roots& roots, std::string_view name);

}  // namespace gotuned

// Takes everything from a child process that parses files of strangers: identity, capabilities, descriptors, memory and
// nearly all system calls. Used by the inspector's child right after fork(2).
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <vector>

#include "base/result.h"

namespace gotuned {

/// The system-call filter, made in the parent: libseccomp allocates, and a child forked beside other threads must not.
/// Allowed: reading a descriptor at an offset, receiving and sending on the socket, closing, ending. All else kills.
Result<std::vector<sock_filter>> make_inspector_filter();

struct Confinement {
    const std::vector<sock_filter>* filter = nullptr;  ///< not null
    std::uint32_t uid = 65534;                         ///< taken, with the same gid, when we run as root
    std::uint64_t cpu_seconds = 10;                    ///< RLIMIT_CPU of the whole child, of all files that it reads
    std::uint64_t descriptors = 8;                     ///< RLIMIT_NOFILE
};

/// What the child could not give up; it is harmless beside the rest, but worth a word in the log.
struct ConfinementReport {
    int failed = 0;         ///< errno; 0: confined. Otherwise the child must end without having read anything
    std::uint8_t step = 0;  ///< which step failed (confinement_step)
    bool kept_uid = false;  ///< CAP_SETUID is missing: the uid stays, without capabilities and system calls to use it
};
const char* confinement_step(std::uint8_t step);

/// Async-signal-safe and free of allocation. Keeps `keep` (moved to descriptor 0) and closes all others.
ConfinementReport confine(const Confinement& confinement, int keep);

}  // namespace gotuned

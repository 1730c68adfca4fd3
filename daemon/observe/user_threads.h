// How many threads each user has: what RLIMIT_NPROC is compared with. The kernel keeps its own count by user and user
// namespace but shows it nowhere, so this walks all of PROC and adds up; the walks are kept rare.
#pragma once

#include <cstdint>
#include <map>

#include "base/files.h"
#include "base/reading.h"
#include "base/time.h"

namespace gotuned {

class UserThreads {
public:
    /// At most one walk in `at_least`, and in 2,000 times what the last one took (0.05% of a CPU).
    UserThreads(Roots roots, Duration at_least) : roots_(std::move(roots)), at_least_(at_least) {}

    /// Threads of all processes with this real user id. Processes of other user namespaces count too, as the id that
    /// this namespace sees. `clock` tells what a walk took. Absent: not_permitted, no_data.
    Reading<std::uint64_t> of(std::uint64_t uid, MonoTime now, const Clock& clock);

private:
    void walk();

    Roots roots_;
    Duration at_least_;
    MonoTime next_{};
    Reading<std::map<std::uint64_t, std::uint64_t>> threads_{};
};

}  // namespace gotuned

// Blocks of randomly ordered slices. Within a block each program set is compared with the bare slices of the same
// block, so that what drifts slowly (clock rate, neighbours on the hardware) falls out.
#pragma once

#include <array>
#include <functional>
#include <random>
#include <vector>

#include "condition.h"
#include "load.h"
#include "statistics.h"

namespace gotuned::bench {

/// ln(rate with programs / bare rate), one entry a block.
struct Ratios {
    std::vector<double> per_cpu_second{};
    std::vector<double> per_second{};
};

class Slices {
public:
    /// `sockets_in_windows`: see ProgramSets.
    Slices(Load& load, const ProcessId& neighbour, bool sockets_in_windows, Duration slice)
        : load_(load), sets_(load.id, neighbour, sockets_in_windows), slice_(slice) {}
    /// One more block of all conditions.
    Status run_block();
    [[nodiscard]] std::size_t blocks() const { return of(Condition::floor).per_cpu_second.size(); }
    [[nodiscard]] const Ratios& of(Condition condition) const { return ratios_[static_cast<std::size_t>(condition)]; }

private:
    Load& load_;
    ProgramSets sets_;
    Duration slice_;
    std::mt19937 random_{std::random_device{}()};
    std::array<Ratios, conditions> ratios_{};
};

/// ln(rate beside a tracer / mean of the bare slices before and after it), one entry a round. `start` starts the
/// tracer and returns when it is ready.
Result<Ratios> beside_tracer(Load& load, std::size_t rounds, Duration slice,
                             const std::function<Result<Child>()>& start);

/// What a running daemon attaches for a part of the time only, as shares of the time; `windows`: either of the two.
struct Shares {
    double sockets = 0, windows = 0;
};
/// ln(ratio) of the sets, block by block.
struct Parts {
    const std::vector<double>&scheduler, &sockets, &calls, &interrupts;
};
/// At default settings: the scheduler's programs always, the others for their shares, and the daemon's own CPU time,
/// `daemon_cpu`, as a part of the server's, block by block:
/// ((1 − s − 2w) · scheduler + s · sockets + w · calls + w · interrupts) / (1 + daemon_cpu),
/// where s is 1 − 2w at most: what is always attached is in the windows, too.
std::vector<double> at_default(const Parts& parts, const Shares& shares, double daemon_cpu);

}  // namespace gotuned::bench

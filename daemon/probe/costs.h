// What the probes cost, measured by the kernel itself for a moment now and then (BPF_ENABLE_STATS costs as much as a
// small probe, so it is not left on).
//
//   share(program)       = run time during its last sample / time it was attached during that sample
//   cpu_seconds(program) = Σ over the time it was attached: share(program) × that time
//
// Time before the first sample is charged with the first share. The sum only grows. What the sum leaves out: the way
// from the tracepoint into the program, and the slow system-call path that an open window puts every task on.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "base/fd.h"
#include "base/time.h"

namespace gotuned {

/// The arithmetic, without the kernel.
class CostEstimate {
public:
    struct Reading {
        double run_seconds = 0;  ///< bpf_prog_info.run_time_ns
        std::uint64_t runs = 0;  ///< bpf_prog_info.run_cnt
        Duration attached{};     ///< for how long the program was attached so far
    };
    void begin(const Reading& reading);
    void end(const Reading& reading);
    /// Charges the attached time that went by.
    void charge(Duration attached);
    [[nodiscard]] double cpu_seconds() const { return cpu_seconds_; }
    /// CPU time by time attached, and runs by time attached, in the last sample; nothing before the first.
    [[nodiscard]] std::optional<double> share() const;
    [[nodiscard]] std::optional<double> runs_per_second() const;
    [[nodiscard]] std::uint64_t runs() const { return runs_; }

private:
    Reading start_{};
    Duration charged_{};
    double share_ = -1;  // negative: no sample yet
    double rate_ = 0;    // runs a second
    double cpu_seconds_ = 0;
    std::uint64_t runs_ = 0;
};

/// One sample at a time of a group of programs that are attached together.
class CostMeter {
public:
    /// `fd` of a loaded program.
    void add(const std::string& program, int fd);
    /// Begins a sample; nothing happens when one is under way or the kernel does not allow it.
    void begin(Duration attached);
    void end(Duration attached);
    [[nodiscard]] bool sampling() const { return statistics_.valid(); }
    void charge(Duration attached);
    [[nodiscard]] const CostEstimate* find(const std::string& program) const;
    /// The kernel lets us not count: that takes CAP_SYS_ADMIN (bpf_enable_stats, kernel/bpf/syscall.c).
    [[nodiscard]] bool refused() const { return refused_; }
    /// Of all its programs; nothing before the first sample.
    [[nodiscard]] std::optional<double> share() const;

private:
    struct Entry {
        int fd = -1;
        CostEstimate estimate{};
    };
    std::map<std::string, Entry> programs_{};
    Fd statistics_{};  // open: the kernel counts
    bool refused_ = false;
};

}  // namespace gotuned

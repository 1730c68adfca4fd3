// One thread for what may block: a write to memory.high reclaims, a disk stalls. Jobs run in order, one at a time; each
// gives back what is to be done on the loop's thread. The loop never waits for it: it polls fd() and calls complete().
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/time.h"

namespace gotuned {

class Worker {
public:
    using Finish = std::function<void()>;
    /// Runs in the worker. Owns all it needs: it may outlive who submitted it.
    using Job = std::function<Finish()>;

    explicit Worker(Duration deadline);
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;
    /// Jobs that have not begun are dropped. One that is blocked is left to itself: its thread ends when the kernel
    /// lets it, and its Finish is never run.
    ~Worker();

    /// `what` names the job in an overdue report.
    void submit(std::string what, MonoTime now, Job job);
    /// An eventfd, readable when complete() has something to do.
    [[nodiscard]] int fd() const;
    /// Runs the Finish of every job that is done.
    void complete(MonoTime now);
    /// Something was submitted whose Finish has not run.
    [[nodiscard]] bool busy() const { return outstanding_ != 0; }
    /// The job that has been running for longer than the deadline, told once; empty when there is none.
    std::string overdue(MonoTime now);
    /// A job is overdue: whatever is submitted now would wait for it.
    [[nodiscard]] bool blocked(MonoTime now) const;
    /// Waits on the real clock until not busy, completing; false when `patience` ran out.
    bool drain(const Clock& clock, Duration patience);

private:
    struct Shared;
    static void run(const std::shared_ptr<Shared>& shared);
    std::shared_ptr<Shared> shared_;
    Duration deadline_;
    std::uint64_t outstanding_ = 0;
    MonoTime oldest_since_{};  ///< since when the oldest outstanding job can have been running
    bool told_ = false;
};

}  // namespace gotuned

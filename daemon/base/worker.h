// One thread at a time for what may block: a write to memory.high reclaims, a disk stalls. Jobs run in order; each
// gives back what is to be done on the loop's thread. The loop never waits for it: it polls fd() and calls complete().
// A job past the deadline can be left to its thread (overtake()), so that one dead file does not hold up all the
// others.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/time.h"

namespace gotuned {

class Worker {
public:
    using Finish = std::function<void()>;
    /// Runs in the worker. Owns all it needs: it may outlive who submitted it.
    using Job = std::function<Finish()>;

    /// So many jobs may be left to their threads; the next one that blocks is waited for.
    static constexpr std::size_t most_left = 8;

    /// When fd() becomes readable: at each job that is done, or only when none waits behind it. The latter is for many
    /// short jobs whose answers drain() waits for: each wake-up would cost more than a job.
    enum class Tell : std::uint8_t { each, when_idle };

    explicit Worker(Duration deadline, Tell tell = Tell::each);
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;
    /// Jobs that have not begun are dropped. One that is blocked is left to itself: its thread ends when the kernel
    /// lets it, and its Finish is never run.
    ~Worker();

    /// `late` is run once, on the loop's thread by overtake() or drain(), when the job has run for longer than
    /// `patience` (zero, or less than the deadline: the deadline).
    void submit(MonoTime now, Job job, Finish late = {}, Duration patience = {});
    /// An eventfd, readable when complete() has something to do.
    [[nodiscard]] int fd() const;
    /// Runs the Finish of every job that is done.
    void complete(MonoTime now);
    /// Something was submitted whose Finish has not run.
    [[nodiscard]] bool busy() const { return !jobs_.empty(); }
    /// When the job that runs is past the deadline: another thread takes on those behind it, which from now on may run
    /// beside it. Whoever is past its patience has its `late` run. Its Finish comes when it is done. For jobs that may
    /// run beside one another.
    void overtake(MonoTime now);
    /// The job that runs is past the deadline and was not left: whatever is submitted now would wait for it.
    [[nodiscard]] bool blocked(MonoTime now) const;
    /// Waits on the real clock until nothing is under way but what is past its patience, completing and overtaking;
    /// false when something is under way still, or `patience` ran out.
    bool drain(const Clock& clock, Duration patience);

private:
    struct Shared;
    struct Submitted {
        MonoTime at{};
        Finish late{};
        Duration patience{};
        MonoTime began{};  ///< when it can have begun to run; of one that was left to its thread
    };
    static bool start(const std::shared_ptr<Shared>& shared, std::uint64_t number);
    static void run(const std::shared_ptr<Shared>& shared, std::uint64_t number);
    /// The job that runs and has done so for longer than the deadline; 0: none.
    [[nodiscard]] std::uint64_t overdue(MonoTime now) const;

    std::shared_ptr<Shared> shared_;
    Duration deadline_;
    std::map<std::uint64_t, Submitted> jobs_{};  ///< by number; their Finish has not run
    std::set<std::uint64_t> left_{};             ///< of those: past the deadline, alone with their threads
    std::uint64_t last_ = 0;
    std::set<std::uint64_t> told_{};  ///< of jobs_: their `late` was run
    MonoTime turn_{};  ///< since when the job that runs can have been running, if it was submitted before
};

}  // namespace gotuned

// Reads the Go runtimes of many processes beside the loop: memory that was swapped out has to be read back first, and a
// fault in a cgroup at its limit makes whoever faults reclaim. Owned by the Observer.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/worker.h"
#include "observe/go_runtime.h"

namespace gotuned {

/// One process's. On the loop's thread, but for `runtime` while `asked`.
struct GoReading {
    std::unique_ptr<GoRuntime> runtime{};
    Reading<bool> readable{};
    bool asked = false;
    std::unique_ptr<GoRuntimeValues> fresh{};  ///< until it is taken

    /// The answer to the last ask(); absent values when there is none yet.
    GoRuntimeValues take();
};

class GoReadings {
public:
    /// `patience`: of settle(); a process that takes a third of it no longer holds up the others.
    GoReadings(std::string proc, std::shared_ptr<const RemoteMemory> memory, Duration patience)
        : proc_(std::move(proc)), memory_(std::move(memory)), patience_(patience) {}

    [[nodiscard]] std::shared_ptr<GoReading> follow(const GoProcess& process) const;
    /// To be read by the next settle(), if it can be read and is not being read.
    void ask(const std::shared_ptr<GoReading>& reading, MonoTime now);
    /// Reads what was asked for, all in one go, and waits for the answers within the patience; what does not answer by
    /// then is left to its thread.
    void settle(const Clock& clock);

private:
    std::string proc_;
    std::shared_ptr<const RemoteMemory> memory_;
    Duration patience_;
    std::vector<std::shared_ptr<GoReading>> asked_{};  ///< since the last settle()
    std::unique_ptr<Worker> worker_{};                 ///< from the first process that can be read
};

}  // namespace gotuned

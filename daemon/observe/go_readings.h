// Reads the Go runtimes of many processes beside the loop: memory that was swapped out has to be read back first, and a
// fault in a cgroup at its limit makes whoever faults reclaim. Owned by the Observer.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/worker.h"
#include "observe/go_runtime.h"

namespace gotuned {

/// One process's. On the loop's thread, but for `runtime` while `asked`.
struct GoReading {
    std::unique_ptr<GoRuntime> runtime{};
    Reading<bool> readable{};
    bool asked = false;
    std::optional<GoRuntimeValues> fresh{};

    /// The answer to the last ask(); absent values when there is none yet.
    GoRuntimeValues take();
};

class GoReadings {
public:
    GoReadings(std::string proc, std::shared_ptr<const RemoteMemory> memory)
        : proc_(std::move(proc)), memory_(std::move(memory)) {}

    [[nodiscard]] std::shared_ptr<GoReading> follow(const GoProcess& process) const;
    /// Begins to read, if it can be read and is not being read.
    void ask(const std::shared_ptr<GoReading>& reading, MonoTime now);
    /// Waits for the answers, a tenth of a second at most; what does not answer by then is left to its thread.
    void settle(const Clock& clock);

private:
    std::string proc_;
    std::shared_ptr<const RemoteMemory> memory_;
    std::unique_ptr<Worker> worker_{};  ///< from the first process that can be read
};

}  // namespace gotuned

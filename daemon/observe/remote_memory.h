// Another process's memory, read without stopping it. Used by go_runtime.h; tests put a memory of their own in its
// place.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/reading.h"

namespace gotuned {

/// Some bytes there, and where they are wanted here.
struct RemotePart {
    std::uint64_t address = 0;
    void* into = nullptr;
    std::size_t size = 0;
};

class RemoteMemory {
public:
    virtual ~RemoteMemory() = default;
    /// Most parts of one read().
    static constexpr std::size_t most_parts = 1000;
    /// All parts in their order, or none that counts. Absent: vanished, not_permitted, malformed (an address that is
    /// not there). May block: memory that was swapped out is brought back.
    [[nodiscard]] virtual Reading<std::size_t> read(pid_t pid, const std::vector<RemotePart>& parts) const = 0;
};

/// By process_vm_readv(2), one call a read().
class ProcessMemory final : public RemoteMemory {
public:
    [[nodiscard]] Reading<std::size_t> read(pid_t pid, const std::vector<RemotePart>& parts) const override;
};

}  // namespace gotuned

// The slot array in our memory, mapped piece by piece as slots come into use: what is mapped counts as resident memory
// of the daemon at once, and most hosts use a few dozen of 2,048 slots. Private to this room.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "bpf/gotuned.h"
#include "probe/mapping.h"

namespace gotuned {

class SlotMemory {
public:
    SlotMemory() = default;
    /// Nothing is mapped yet. `map_fd` stays the caller's; `count`: elements of the array.
    SlotMemory(int map_fd, std::uint32_t count);

    /// Makes a slot reachable by at(). Errors: what mmap(2) says.
    Status reach(std::uint32_t slot);
    /// Of a slot that was reached.
    [[nodiscard]] gt_slot& at(std::uint32_t slot) const;

private:
    int map_fd_ = -1;
    std::uint32_t count_ = 0;
    std::uint32_t piece_ = 1;  ///< slots in a piece: as many as end at a page's end
    std::vector<Mapping> pieces_{};
};

}  // namespace gotuned

#include "probe/slot_memory.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace gotuned {

// 256 slots end at the end of a page of 4 KiB whatever a slot's size, as long as that is a multiple of 16.
static_assert(sizeof(gt_slot) % 16 == 0);

SlotMemory::SlotMemory(int map_fd, std::uint32_t count)
    : map_fd_(map_fd),
      count_(count),
      piece_(static_cast<std::uint32_t>(::sysconf(_SC_PAGESIZE)) / 16),
      pieces_((count + piece_ - 1) / piece_) {}

Status SlotMemory::reach(std::uint32_t slot) {
    if (slot >= count_) return fail("there is no such slot", EINVAL);
    Mapping& piece = pieces_[slot / piece_];
    if (piece.valid()) return {};
    const std::uint32_t first = slot / piece_ * piece_;
    auto mapped = Mapping::map(map_fd_, std::min(piece_, count_ - first) * sizeof(gt_slot), first * sizeof(gt_slot));
    if (!mapped) return fail(std::move(mapped.error()));
    piece = std::move(*mapped);
    return {};
}

gt_slot& SlotMemory::at(std::uint32_t slot) const { return pieces_[slot / piece_].as<gt_slot>()[slot % piece_]; }

}  // namespace gotuned

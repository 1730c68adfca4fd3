// The counters of a slot as they were last time, of which the daemon remembers one for each process: most of a slot's
// words are zero, and are not kept.
#pragma once

#include <bitset>
#include <cstdint>
#include <vector>

#include "bpf/gotuned.h"

namespace gotuned {

class PackedSlot {
public:
    void pack(const gt_slot& slot);
    [[nodiscard]] gt_slot unpack() const;

private:
    std::bitset<sizeof(gt_slot) / sizeof(std::uint64_t)> used_{};  ///< by the word
    std::vector<std::uint64_t> words_{};                           ///< those that are used
};

}  // namespace gotuned

// The counters of a slot as they were last time, of which the daemon remembers one for each process: most of a slot's
// words are zero, and are not kept.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <vector>

#include "bpf/gotuned.h"

namespace gotuned {

class PackedSlot {
public:
    void pack(const gt_slot& slot);
    [[nodiscard]] gt_slot unpack() const;
    /// Whether unpack() would give just this.
    [[nodiscard]] bool is(const gt_slot& slot) const;

private:
    static constexpr std::size_t words_of_a_slot = sizeof(gt_slot) / sizeof(std::uint64_t);
    using Words = std::array<std::uint64_t, words_of_a_slot>;
    std::bitset<words_of_a_slot> used_{};  ///< by the word
    std::vector<std::uint64_t> words_{};   ///< those that are used
};

}  // namespace gotuned

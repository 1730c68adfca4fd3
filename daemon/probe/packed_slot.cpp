#include "probe/packed_slot.h"

#include <cstring>

namespace gotuned {

void PackedSlot::pack(const gt_slot& slot) {
    Words all{};
    std::memcpy(all.data(), &slot, sizeof slot);
    used_.reset();
    for (std::size_t i = 0; i < all.size(); ++i) used_[i] = all[i] != 0;
    words_.clear();
    words_.reserve(used_.count());
    for (const std::uint64_t word : all)
        if (word != 0) words_.push_back(word);
}

gt_slot PackedSlot::unpack() const {
    Words all{};
    auto next = words_.begin();
    for (std::size_t i = 0; i < all.size(); ++i)
        if (used_[i]) all[i] = *next++;
    gt_slot slot{};
    std::memcpy(&slot, all.data(), sizeof slot);
    return slot;
}

bool PackedSlot::is(const gt_slot& slot) const {
    Words all{};
    std::memcpy(all.data(), &slot, sizeof slot);
    auto next = words_.begin();
    for (std::size_t i = 0; i < all.size(); ++i)
        if (all[i] != (used_[i] ? *next++ : std::uint64_t{0})) return false;
    return true;
}

}  // namespace gotuned

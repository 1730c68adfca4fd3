#include "probe/packed_slot.h"

#include <cstring>
#include <random>

#include "catch.h"

using namespace gotuned;

namespace {

bool equal(const gt_slot& a, const gt_slot& b) { return std::memcmp(&a, &b, sizeof a) == 0; }

}  // namespace

TEST_CASE("a slot comes out as it was packed, whichever of its words are used") {
    std::mt19937_64 random(7);
    PackedSlot packed;
    CHECK(equal(packed.unpack(), gt_slot{}));
    for (const double share : {0.0, 0.01, 0.5, 1.0, 0.1}) {
        std::array<std::uint64_t, sizeof(gt_slot) / sizeof(std::uint64_t)> words{};
        std::bernoulli_distribution used(share);
        for (auto& word : words)
            if (used(random)) word = random() | 1U;
        gt_slot slot{};
        std::memcpy(&slot, words.data(), sizeof slot);
        packed.pack(slot);
        CHECK(equal(packed.unpack(), slot));
        CHECK(packed.is(slot));
        words[random() % words.size()] += 2;
        std::memcpy(&slot, words.data(), sizeof slot);
        CHECK_FALSE(packed.is(slot));
    }
    packed.pack(gt_slot{});
    CHECK(equal(packed.unpack(), gt_slot{}));
}

#include "discover/binary_cache.h"

#include <sys/sysmacros.h>

#include <set>

#include "catch.h"

using namespace gotuned;
using Verdict = BinaryCache::Verdict;

namespace {
BinaryKey key(std::uint64_t inode, std::int64_t modified = 1) { return {makedev(259, 3), inode, modified, 100}; }
const EventKey event{(259ULL << 20U) | 3, 7};
}  // namespace

TEST_CASE("a device number of stat is turned into the kernel's own") {
    CHECK(EventKey::of(key(7)) == event);
    CHECK(EventKey::of(BinaryKey{makedev(0, 0x12345), 9, 0, 0}) == EventKey{0x12345, 9});
}

TEST_CASE("a binary is known by device, inode, time and size together") {
    BinaryCache cache;
    cache.put(key(7), std::make_shared<const Recognition>());
    CHECK(cache.find(key(7)) != nullptr);
    CHECK(cache.find(key(7, 2)) == nullptr);
    CHECK(cache.find(key(8)) == nullptr);
}

TEST_CASE("the cache forgets what was not asked for the longest time, and stays bounded") {
    BinaryCache cache(100);
    for (std::uint64_t inode = 0; inode < 1000; ++inode) {
        cache.put(key(inode), std::make_shared<const Recognition>());
        CHECK(cache.find(key(0)) != nullptr);  // used all the time
    }
    CHECK(cache.find(key(1)) == nullptr);
    CHECK(cache.find(key(999)) != nullptr);
}

TEST_CASE("a map that forgets never holds more than its capacity") {
    struct Hash {
        std::size_t operator()(int value) const { return static_cast<std::size_t>(value); }
    };
    ForgettingMap<int, int, Hash> map(10);
    for (int i = 0; i < 1000; ++i) {
        map.put(i, i);
        (void)map.find(i / 2);
        CHECK(map.size() <= 10);
    }
}

TEST_CASE("an unknown event is looked at, a known one passed over until the round ends") {
    BinaryCache cache;
    CHECK(cache.judge(event, 1) == Verdict::look);
    cache.allow_passing(event, key(7));
    CHECK(cache.judge(event, 2) == Verdict::pass);
    (void)cache.next_round();
    CHECK(cache.judge(event, 3) == Verdict::look);
    cache.allow_passing(event, key(7));
    CHECK(cache.judge(event, 4) == Verdict::pass);
}

TEST_CASE("a round's end names the last pids that were passed over, once") {
    BinaryCache cache;
    cache.allow_passing(event, key(7));
    for (pid_t pid = 1; pid <= 10; ++pid) (void)cache.judge(event, pid);
    const auto passed = cache.next_round();
    REQUIRE(passed.size() == 1);
    CHECK(passed[0].event == event);
    CHECK(passed[0].key == key(7));
    CHECK(std::set<pid_t>(passed[0].pids.begin(), passed[0].pids.end()) == std::set<pid_t>{7, 8, 9, 10});
    CHECK(cache.next_round().empty());
}

TEST_CASE("a forgotten event is looked at") {
    BinaryCache cache;
    cache.allow_passing(event, key(7));
    cache.forget(event);
    CHECK(cache.judge(event, 1) == Verdict::look);
}

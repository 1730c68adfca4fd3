// What is known of executables, so that each is inspected once, and which exec events can be passed over without a look
// at PROC. Bounded: the least recently used are forgotten. Plain data, no system call. Used by ProcessTable.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "discover/inspector.h"

namespace gotuned {

/// An executable's content, as far as stat(2) can tell. Device numbers as st_dev has them.
struct BinaryKey {
    std::uint64_t device = 0, inode = 0;
    std::int64_t modified_ns = 0;
    std::uint64_t size = 0;
    friend auto operator<=>(const BinaryKey&, const BinaryKey&) = default;

    static BinaryKey of(const struct stat& status);
};

/// A file as an exec event names it: the super block's s_dev in the kernel's own encoding (major << 20 | minor) and the
/// inode. On overlayfs and btrfs stat(2) shows other numbers for the same file.
struct EventKey {
    std::uint64_t device = 0, inode = 0;
    friend auto operator<=>(const EventKey&, const EventKey&) = default;

    /// What an event would say of this file on a plain file system.
    static EventKey of(const BinaryKey& key);
};

/// A map that forgets: when the young half is full, the old half goes.
template <typename Key, typename Value, typename Hash>
class ForgettingMap {
public:
    explicit ForgettingMap(std::size_t capacity) : half_(capacity / 2) {}
    /// Null when unknown. The pointer holds until the next call.
    Value* find(const Key& key) {
        if (const auto young = young_.find(key); young != young_.end()) return &young->second;
        const auto old = old_.find(key);
        if (old == old_.end()) return nullptr;
        Value value = std::move(old->second);
        old_.erase(old);
        return &put(key, std::move(value));
    }
    Value& put(const Key& key, Value value) {
        if (young_.size() >= half_ && !young_.contains(key)) {
            old_ = std::move(young_);
            young_.clear();
        }
        old_.erase(key);
        return young_.insert_or_assign(key, std::move(value)).first->second;
    }
    void erase(const Key& key) {
        young_.erase(key);
        old_.erase(key);
    }
    [[nodiscard]] std::size_t size() const { return young_.size() + old_.size(); }

private:
    std::size_t half_;
    std::unordered_map<Key, Value, Hash> young_{}, old_{};
};

class BinaryCache {
public:
    explicit BinaryCache(std::size_t capacity = 8192) : binaries_(capacity), passable_(capacity) {}

    /// Null when unknown.
    std::shared_ptr<const Recognition> find(const BinaryKey& key);
    void put(const BinaryKey& key, std::shared_ptr<const Recognition> recognition);

    /// Events that name this file may be passed over: it is `key`, which is no Go program.
    void allow_passing(const EventKey& event, const BinaryKey& key);

    enum class Verdict : std::uint8_t { look, pass };
    /// An inode is reused soon after its file was deleted, so what is known of (device, inode) is believed between two
    /// checks only: the first event after next_round() is `look`, the following ones `pass`.
    Verdict judge(const EventKey& event, pid_t pid);

    /// What was passed over since the last round: one check each (is the executable of `pids` still `key`?) finds a
    /// file that took over the inode within the round. Begins the next round.
    struct Passed {
        EventKey event{};
        BinaryKey key{};
        std::vector<pid_t> pids{};  ///< the last ones
    };
    std::vector<Passed> next_round();
    void forget(const EventKey& event) { passable_.erase(event); }

private:
    struct Hash {
        std::size_t operator()(const BinaryKey& key) const;
        std::size_t operator()(const EventKey& key) const;
    };
    struct Passable {
        BinaryKey key{};
        std::uint64_t round = 0;  // of the last look
        std::uint32_t passed = 0;
        std::array<pid_t, 4> pids{};
    };
    ForgettingMap<BinaryKey, std::shared_ptr<const Recognition>, Hash> binaries_;
    ForgettingMap<EventKey, Passable, Hash> passable_;
    std::vector<EventKey> touched_;  // with pids passed in this round
    std::uint64_t round_ = 1;
};

}  // namespace gotuned

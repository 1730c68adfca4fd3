#include "discover/binary_cache.h"

#include <sys/sysmacros.h>

#include <algorithm>

namespace gotuned {
namespace {

constexpr unsigned kernel_minor_bits = 20;  // MINORBITS, include/linux/kdev_t.h

std::size_t mix(std::uint64_t a, std::uint64_t b) {
    const std::uint64_t value = (a * 0x9E3779B97F4A7C15U) ^ (b + (a << 6U) + (b >> 2U));
    return static_cast<std::size_t>(value * 0xBF58476D1CE4E5B9U);
}

}  // namespace

BinaryKey BinaryKey::of(const struct stat& status) {
    return {status.st_dev, status.st_ino, std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec,
            static_cast<std::uint64_t>(status.st_size)};
}

EventKey EventKey::of(const BinaryKey& key) {
    return {(std::uint64_t{major(key.device)} << kernel_minor_bits) | minor(key.device), key.inode};
}

std::size_t BinaryCache::Hash::operator()(const BinaryKey& key) const { return mix(key.device, key.inode); }
std::size_t BinaryCache::Hash::operator()(const EventKey& key) const { return mix(key.device, key.inode); }

std::shared_ptr<const Recognition> BinaryCache::find(const BinaryKey& key) {
    const auto* known = binaries_.find(key);
    return known == nullptr ? nullptr : *known;
}

void BinaryCache::put(const BinaryKey& key, std::shared_ptr<const Recognition> recognition) {
    binaries_.put(key, std::move(recognition));
}

void BinaryCache::allow_passing(const EventKey& event, const BinaryKey& key) {
    Passable* known = passable_.find(event);
    if (known != nullptr && known->key == key) {
        known->round = round_;
        return;
    }
    Passable fresh;
    fresh.key = key;
    fresh.round = round_;
    passable_.put(event, fresh);
}

BinaryCache::Verdict BinaryCache::judge(const EventKey& event, pid_t pid) {
    Passable* known = passable_.find(event);
    if (known == nullptr || known->round != round_) return Verdict::look;
    if (known->passed == 0) touched_.push_back(event);
    known->pids[known->passed++ % known->pids.size()] = pid;
    return Verdict::pass;
}

std::vector<BinaryCache::Passed> BinaryCache::next_round() {
    std::vector<Passed> out;
    for (const EventKey& event : std::exchange(touched_, {})) {
        Passable* known = passable_.find(event);
        if (known == nullptr || known->passed == 0) continue;
        const std::size_t kept = std::min<std::size_t>(known->passed, known->pids.size());
        out.push_back(
            {event, known->key, {known->pids.begin(), known->pids.begin() + static_cast<std::ptrdiff_t>(kept)}});
        known->passed = 0;
    }
    ++round_;
    return out;
}

}  // namespace gotuned

// What is another object in this Snapshot than in the one before: most of thousands of targets are not.
#pragma once

#include <memory>

#include "base/flat_map.h"

namespace gotuned {

/// Calls `f(key, was, is)` for what is not the very same object in both maps; null: it is not there.
template <typename Key, typename State, typename F>
void for_differences(const FlatMap<Key, std::shared_ptr<const State>>& before,
                     const FlatMap<Key, std::shared_ptr<const State>>& now, F&& f) {
    auto was = before.begin();
    auto is = now.begin();
    while (was != before.end() || is != now.end()) {
        if (is == now.end() || (was != before.end() && was->first < is->first)) {
            f(was->first, was->second.get(), nullptr);
            ++was;
        } else if (was == before.end() || is->first < was->first) {
            f(is->first, nullptr, is->second.get());
            ++is;
        } else {
            if (was->second != is->second) f(is->first, was->second.get(), is->second.get());
            ++was, ++is;
        }
    }
}

}  // namespace gotuned

// A map that is one block of memory, ordered by key: for what is made in order and as a whole, once for many readers.
// A std::map of a thousand targets is a thousand allocations, and as many to free, for each Snapshot.
#pragma once

#include <algorithm>
#include <cstddef>
#include <stdexcept>
#include <tuple>
#include <utility>
#include <vector>

namespace gotuned {

/// What it has of std::map means the same, but inserting and erasing invalidate iterators and references, and take time
/// for what comes after (none, when keys come in order).
template <typename Key, typename Value>
class FlatMap {
public:
    using value_type = std::pair<Key, Value>;
    using iterator = typename std::vector<value_type>::iterator;
    using const_iterator = typename std::vector<value_type>::const_iterator;

    void reserve(std::size_t entries) { entries_.reserve(entries); }
    template <typename... Arguments>
    std::pair<iterator, bool> emplace(const Key& key, Arguments&&... arguments) {
        const iterator place = entries_.empty() || entries_.back().first < key ? entries_.end() : lower_bound(key);
        if (place != entries_.end() && !(key < place->first)) return {place, false};
        return {entries_.emplace(place, std::piecewise_construct, std::forward_as_tuple(key),
                                 std::forward_as_tuple(std::forward<Arguments>(arguments)...)),
                true};
    }
    Value& operator[](const Key& key) { return emplace(key).first->second; }
    std::size_t erase(const Key& key) {
        const iterator place = find(key);
        if (place == end()) return 0;
        entries_.erase(place);
        return 1;
    }
    void clear() { entries_.clear(); }
    template <typename Predicate>
    friend std::size_t erase_if(FlatMap& map, Predicate predicate) {
        return std::erase_if(map.entries_, predicate);
    }

    [[nodiscard]] iterator find(const Key& key) {
        const iterator place = lower_bound(key);
        return place == entries_.end() || key < place->first ? entries_.end() : place;
    }
    [[nodiscard]] const_iterator find(const Key& key) const { return const_cast<FlatMap*>(this)->find(key); }
    [[nodiscard]] bool contains(const Key& key) const { return find(key) != end(); }
    /// Throws std::out_of_range.
    [[nodiscard]] const Value& at(const Key& key) const {
        const const_iterator place = find(key);
        if (place == end()) throw std::out_of_range("FlatMap::at");
        return place->second;
    }
    [[nodiscard]] Value& at(const Key& key) { return const_cast<Value&>(std::as_const(*this).at(key)); }

    [[nodiscard]] iterator begin() { return entries_.begin(); }
    [[nodiscard]] iterator end() { return entries_.end(); }
    [[nodiscard]] const_iterator begin() const { return entries_.begin(); }
    [[nodiscard]] const_iterator end() const { return entries_.end(); }
    [[nodiscard]] std::size_t size() const { return entries_.size(); }
    [[nodiscard]] bool empty() const { return entries_.empty(); }
    friend bool operator==(const FlatMap&, const FlatMap&) = default;

private:
    iterator lower_bound(const Key& key) { return std::ranges::lower_bound(entries_, key, {}, &value_type::first); }
    std::vector<value_type> entries_{};
};

}  // namespace gotuned

// The signals of one target as a Snapshot holds them: thousands of tables of more than a hundred signals each, most of
// which are absent, zero or as they were. So they are kept packed, and unpacked when they are asked for.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/distribution.h"
#include "base/reading.h"
#include "base/time.h"
#include "base/value.h"
#include "observe/signal.h"

namespace gotuned {

/// For how long a sampled signal was really looked at, of how long.
struct Exposure {
    Duration window{};    ///< what the value stands for (the tick, or less for a new process)
    Duration observed{};  ///< how much of it was looked at; equal to window when not sampled
    friend bool operator==(const Exposure&, const Exposure&) = default;
};
/// Least exposure for a sampled value to count.
inline constexpr Duration least_exposure = std::chrono::milliseconds(100);
/// What an exposure is good for. Within one of these, for how long was looked does not change what a rule sees.
enum class Looked : std::uint8_t { not_at_all, too_little, enough };
constexpr Looked looked(Duration observed) {
    if (observed <= Duration::zero()) return Looked::not_at_all;
    return observed < least_exposure ? Looked::too_little : Looked::enough;
}

using DistributionPtr = std::shared_ptr<const Distribution>;
using SignalValue = std::variant<Quantity, std::string, CpuSet, DistributionPtr>;

/// One signal of one target. A sampled value is already scaled by window / observed.
struct SignalReading {
    Reading<SignalValue> value{};
    Exposure exposure{};
};

/// The signals of one target, ordered by id.
class SignalTable {
public:
    /// Room for so many signals and no more.
    void reserve(std::size_t signals) { entries_.reserve(signals); }
    void set(Signal id, const SignalReading& reading);
    void set(Signal id, Quantity value) { set(id, SignalReading{Reading<SignalValue>(SignalValue(value)), {}}); }
    void set(Signal id, Absent why) { set(id, SignalReading{Reading<SignalValue>(std::move(why)), {}}); }
    /// A signal that was not set is absent, not_observed.
    [[nodiscard]] SignalReading get(Signal id) const;
    /// Calls `visit(id, present, reason)` for all that were set, in order; the reason is that of an absent one. Cheaper
    /// than to get() each.
    template <typename Visit>
    void for_each_presence(Visit visit) const {
        for (const Entry& entry : entries_)
            visit(static_cast<Signal>(entry.signal), !entry.absent(), static_cast<Absence>(entry.reason));
    }
    /// Calls `visit(id, reading)` for all that are present, in order.
    template <typename Visit>
    void for_each_present(Visit visit) const {
        for (const Entry& entry : entries_)
            if (!entry.absent()) visit(static_cast<Signal>(entry.signal), unpack(entry));
    }
    /// Calls `visit(id)` for all whose reading may be another in the other table: for none that is the same to the last
    /// bit. Cheaper than to get() each of both.
    template <typename Visit>
    void for_each_difference(const SignalTable& other, Visit visit) const {
        auto mine = entries_.begin();
        auto theirs = other.entries_.begin();
        while (mine != entries_.end() || theirs != other.entries_.end()) {
            if (theirs == other.entries_.end() || (mine != entries_.end() && mine->signal < theirs->signal)) {
                visit(static_cast<Signal>((mine++)->signal));
            } else if (mine == entries_.end() || theirs->signal < mine->signal) {
                visit(static_cast<Signal>((theirs++)->signal));
            } else {
                if (!same(*mine, other, *theirs)) visit(static_cast<Signal>(mine->signal));
                ++mine, ++theirs;
            }
        }
    }
    [[nodiscard]] bool empty() const { return entries_.empty(); }

private:
    enum class Kind : std::uint8_t { absent, absent_with_detail, quantity, text, cpus, distribution };
    struct Entry {
        std::uint16_t signal = 0;
        Kind kind = Kind::absent;
        std::uint8_t exposure = 0;  ///< its place in exposures_, from 1; 0: none
        Unit unit{};                ///< of a quantity
        std::uint8_t reason = 0;    ///< of an absent one
        union {
            double number = 0;
            std::uint64_t object;  ///< its place in objects_
        };
        [[nodiscard]] bool absent() const { return kind == Kind::absent || kind == Kind::absent_with_detail; }
    };
    static_assert(sizeof(Entry) == 16);
    static_assert(static_cast<unsigned>(Signal::end_of_signals) < 255, "each signal has one exposure at most");

    [[nodiscard]] const Entry* find(Signal id) const;
    [[nodiscard]] bool same(const Entry& mine, const SignalTable& other, const Entry& theirs) const;
    [[nodiscard]] Entry pack(Signal id, const SignalReading& reading);
    [[nodiscard]] SignalReading unpack(const Entry& entry) const;
    std::uint8_t exposure(const Exposure& of);
    std::uint64_t text(const std::string& of);

    std::vector<Entry> entries_{};
    std::vector<Exposure> exposures_{};
    std::vector<std::shared_ptr<const void>> objects_{};  ///< of the type that the entry's kind tells
};

}  // namespace gotuned

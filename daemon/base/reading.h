// Reading<T>: a value that was read, or why there is none. Absent is not zero: an absent reading never
// fires a rule, is never exported as a number, and keeps its reason up to the place where a person sees it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace gotuned {

/// Why a value is absent. Few and stable: they are label values of gotuned_signal_absent{reason}.
enum class Absence : std::uint8_t {
    not_observed,   ///< nobody has looked yet (first tick, a window not opened)
    no_data,        ///< looked, and there was nothing to measure (no event, an empty histogram)
    not_supported,  ///< this kernel, cgroup version or Go version does not have it
    not_permitted,  ///< the kernel refused (capability, lockdown, ptrace rules)
    not_attached,   ///< the probe behind it is not attached; the probe's report says why
    vanished,       ///< the process, cgroup or file disappeared while being read
    malformed,      ///< what was read could not be understood
    low_exposure,   ///< a sampled signal that was looked at for too short a time
    restarted,      ///< the target restarted inside the window
};
std::string_view to_string(Absence reason);

/// A reason with optional detail for people ("memory controller is on cgroup v1").
struct Absent {
    Absence reason = Absence::not_observed;
    std::string detail{};
    friend bool operator==(const Absent&, const Absent&) = default;
};
/// "not_supported: memory controller is on cgroup v1".
std::string to_string(const Absent& absent);

template <typename T>
class Reading {
public:
    Reading() : state_(Absent{}) {}
    Reading(T value) : state_(std::in_place_index<1>, std::move(value)) {}           // NOLINT: a value is a reading
    Reading(Absent absent) : state_(std::in_place_index<0>, std::move(absent)) {}    // NOLINT
    Reading(Absence reason) : state_(std::in_place_index<0>, Absent{reason, {}}) {}  // NOLINT

    [[nodiscard]] bool present() const { return state_.index() == 1; }
    explicit operator bool() const { return present(); }
    /// Only when present(); asking otherwise is a programming error (std::bad_variant_access).
    [[nodiscard]] const T& value() const { return std::get<1>(state_); }
    [[nodiscard]] const T& operator*() const { return value(); }
    [[nodiscard]] const T* operator->() const { return &value(); }
    /// Only when not present().
    [[nodiscard]] const Absent& absent() const { return std::get<0>(state_); }
    /// Present: the function's result; absent: the same absence.
    template <typename F>
    [[nodiscard]] auto map(F&& function) const -> Reading<decltype(function(std::declval<const T&>()))> {
        if (!present()) return absent();
        return function(value());
    }
    friend bool operator==(const Reading&, const Reading&) = default;

private:
    std::variant<Absent, T> state_;
};

}  // namespace gotuned

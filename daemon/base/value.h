// Values with units: what signals carry, rules compare and knobs are set to.
// A Quantity is a number in base units (seconds, bytes, ratio, count; rates per second) with its Unit.
#pragma once

#include <compare>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/time.h"

namespace gotuned {

/// The dimension of a quantity as exponents: count/time is a rate of events, bytes/time a throughput;
/// a ratio has none. Multiplying adds the exponents, dividing subtracts them.
struct Unit {
    std::int8_t time = 0;
    std::int8_t bytes = 0;
    std::int8_t count = 0;
    friend bool operator==(const Unit&, const Unit&) = default;
};
namespace unit {
inline constexpr Unit ratio{};
inline constexpr Unit time{1, 0, 0};
inline constexpr Unit bytes{0, 1, 0};
inline constexpr Unit count{0, 0, 1};
inline constexpr Unit per_second{-1, 0, 1};  // events a second
inline constexpr Unit bytes_per_second{-1, 1, 0};
}  // namespace unit
/// "time", "bytes", "ratio", "count", "count/s", "bytes/s"; others by their exponents ("time^2").
std::string to_string(Unit unit);

/// A number in base units. Infinity is `unlimited` (RLIM_INFINITY, cgroup "max"); NaN never leaves a reader
/// or the evaluator: it becomes an absence there.
struct Quantity {
    double value = 0;
    Unit unit{};
    [[nodiscard]] bool unlimited() const { return value == std::numeric_limits<double>::infinity(); }
    friend bool operator==(const Quantity&, const Quantity&) = default;
};
inline constexpr double unlimited_value = std::numeric_limits<double>::infinity();
inline Quantity count(double value) { return {value, unit::count}; }
inline Quantity bytes(double value) { return {value, unit::bytes}; }
inline Quantity ratio(double value) { return {value, unit::ratio}; }
inline Quantity time(Duration value) { return {seconds(value), unit::time}; }
inline Quantity rate(double value) { return {value, unit::per_second}; }

/// For people, with at most four significant digits: "12.5ms", "64MiB", "96.0%", "65536", "3/s", "unlimited".
std::string to_string(const Quantity& quantity);

/// A set of CPU numbers, as in cpuset(7) list form.
class CpuSet {
public:
    CpuSet() = default;
    explicit CpuSet(std::vector<int> cpus);  ///< sorted, duplicates removed
    /// "0-3,8" and "" (empty). False when the text is not a CPU list; `out` is then unchanged.
    static bool parse(std::string_view text, CpuSet& out);
    [[nodiscard]] const std::vector<int>& cpus() const { return cpus_; }
    [[nodiscard]] bool empty() const { return cpus_.empty(); }
    [[nodiscard]] std::size_t size() const { return cpus_.size(); }
    [[nodiscard]] bool contains(int cpu) const;
    [[nodiscard]] CpuSet intersect(const CpuSet& other) const;
    [[nodiscard]] std::string list() const;  ///< "0-3,8"
    friend bool operator==(const CpuSet&, const CpuSet&) = default;

private:
    std::vector<int> cpus_;
};

/// What a signal, an expression or a knob can hold.
using Value = std::variant<Quantity, bool, std::string, CpuSet>;
/// For people; text is quoted.
std::string to_string(const Value& value);
/// Exact and reversible, for the journal and recordings: "q:65536:0,0,1", "b:true", "t:…", "c:0-3".
std::string encode(const Value& value);
/// False when the text was not written by encode().
bool decode(std::string_view text, Value& out);

}  // namespace gotuned

#include "base/value.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "base/files.h"
#include "base/text.h"

namespace gotuned {
namespace {

std::string exponent(std::string_view name, int power) {
    return power == 1 ? std::string(name) : fmt::format("{}^{}", name, power);
}

/// Four significant digits, no trailing zeros, no exponent for what people meet.
std::string digits(double value) {
    if (value == std::floor(value) && std::fabs(value) < 1e15) return fmt::format("{:.0f}", value);
    const double magnitude = std::fabs(value);
    if (magnitude >= 1000) return fmt::format("{:.0f}", value);
    std::string text = fmt::format("{:.{}f}", value,
                                   magnitude >= 100  ? 1
                                   : magnitude >= 10 ? 2
                                   : magnitude >= 1  ? 3
                                                     : 4);
    while (text.back() == '0') text.pop_back();
    if (text.back() == '.') text.pop_back();
    return text;
}

struct Step {
    double size;
    std::string_view suffix;
};
constexpr std::array time_steps{Step{3600, "h"},  Step{60, "m"},    Step{1, "s"},
                                Step{1e-3, "ms"}, Step{1e-6, "us"}, Step{1e-9, "ns"}};
constexpr std::array byte_steps{Step{1099511627776.0, "TiB"}, Step{1073741824.0, "GiB"}, Step{1048576.0, "MiB"},
                                Step{1024.0, "KiB"}, Step{1, "B"}};

template <std::size_t N>
std::string scaled(double value, const std::array<Step, N>& steps) {
    for (const Step& step : steps)
        if (std::fabs(value) >= step.size * 0.9999995) return digits(value / step.size) + std::string(step.suffix);
    return digits(value / steps.back().size) + std::string(steps.back().suffix);
}

/// Sub-second precision matters, minutes and hours only when they are whole.
std::string time_text(double value) {
    if (value == 0) return "0s";
    const double magnitude = std::fabs(value);
    if (magnitude >= 60) {
        if (std::fmod(magnitude, 3600) == 0) return digits(value / 3600) + "h";
        if (std::fmod(magnitude, 60) == 0) return digits(value / 60) + "m";
        return digits(value) + "s";
    }
    return scaled(value, time_steps);
}

}  // namespace

std::string to_string(Unit unit) {
    if (unit == unit::ratio) return "ratio";
    if (unit == unit::time) return "time";
    if (unit == unit::bytes) return "bytes";
    if (unit == unit::count) return "count";
    if (unit == unit::per_second) return "count/s";
    if (unit == unit::bytes_per_second) return "bytes/s";
    std::string text;
    const auto add = [&text](std::string_view name, int power) {
        if (power == 0) return;
        if (!text.empty()) text += "*";
        text += exponent(name, power);
    };
    add("bytes", unit.bytes);
    add("count", unit.count);
    add("time", unit.time);
    return text;
}

std::string to_string(const Quantity& quantity) {
    if (quantity.unlimited()) return "unlimited";
    if (quantity.unit == unit::ratio) {
        const double percent = quantity.value * 100;
        return fmt::format("{:.{}f}%", percent, percent == std::floor(percent) ? 0 : 1);
    }
    if (quantity.unit == unit::time) return time_text(quantity.value);
    if (quantity.unit == unit::bytes) return quantity.value == 0 ? "0" : scaled(quantity.value, byte_steps);
    if (quantity.unit == unit::count) return digits(quantity.value);
    if (quantity.unit == unit::per_second) return digits(quantity.value) + "/s";
    if (quantity.unit == unit::bytes_per_second)
        return (quantity.value == 0 ? "0" : scaled(quantity.value, byte_steps)) + "/s";
    return digits(quantity.value) + " " + to_string(quantity.unit);
}

CpuSet::CpuSet(std::vector<int> cpus) : cpus_(std::move(cpus)) {
    std::sort(cpus_.begin(), cpus_.end());
    cpus_.erase(std::unique(cpus_.begin(), cpus_.end()), cpus_.end());
}

bool CpuSet::parse(std::string_view text, CpuSet& out) {
    constexpr std::uint64_t most_cpus = 65536;
    std::vector<int> cpus;
    text = trim(text);
    if (!text.empty()) {
        for (const std::string_view part : split(text, ',')) {
            const std::size_t dash = part.find('-');
            std::uint64_t first = 0;
            std::uint64_t last = 0;
            if (!parse_u64(part.substr(0, dash), first)) return false;
            last = first;
            if (dash != std::string_view::npos && !parse_u64(part.substr(dash + 1), last)) return false;
            if (last < first || last >= most_cpus) return false;
            for (std::uint64_t cpu = first; cpu <= last; ++cpu) cpus.push_back(static_cast<int>(cpu));
        }
    }
    out = CpuSet(std::move(cpus));
    return true;
}

bool CpuSet::contains(int cpu) const { return std::binary_search(cpus_.begin(), cpus_.end(), cpu); }

CpuSet CpuSet::intersect(const CpuSet& other) const {
    std::vector<int> both;
    std::set_intersection(cpus_.begin(), cpus_.end(), other.cpus_.begin(), other.cpus_.end(), std::back_inserter(both));
    return CpuSet(std::move(both));
}

std::string CpuSet::list() const {
    std::string text;
    for (std::size_t i = 0; i < cpus_.size();) {
        std::size_t end = i;
        while (end + 1 < cpus_.size() && cpus_[end + 1] == cpus_[end] + 1) ++end;
        if (!text.empty()) text += ",";
        text += end == i ? fmt::format("{}", cpus_[i]) : fmt::format("{}-{}", cpus_[i], cpus_[end]);
        i = end + 1;
    }
    return text;
}

std::string to_string(const Value& value) {
    if (const auto* quantity = std::get_if<Quantity>(&value)) return to_string(*quantity);
    if (const auto* boolean = std::get_if<bool>(&value)) return *boolean ? "true" : "false";
    if (const auto* text = std::get_if<std::string>(&value)) return "\"" + clean_text(*text, 4096) + "\"";
    return std::get<CpuSet>(value).list();
}

std::string encode(const Value& value) {
    if (const auto* quantity = std::get_if<Quantity>(&value))
        return fmt::format("q:{}:{},{},{}", quantity->unlimited() ? "unlimited" : fmt::format("{}", quantity->value),
                           quantity->unit.time, quantity->unit.bytes, quantity->unit.count);
    if (const auto* boolean = std::get_if<bool>(&value)) return *boolean ? "b:true" : "b:false";
    if (const auto* text = std::get_if<std::string>(&value)) return "t:" + *text;
    return "c:" + std::get<CpuSet>(value).list();
}

bool decode(std::string_view text, Value& out) {
    if (text.size() < 2 || text[1] != ':') return false;
    const std::string_view body = text.substr(2);
    switch (text[0]) {
        case 'b':
            if (body != "true" && body != "false") return false;
            out = body == "true";
            return true;
        case 't':
            out = std::string(body);
            return true;
        case 'c': {
            CpuSet set;
            if (!CpuSet::parse(body, set)) return false;
            out = set;
            return true;
        }
        case 'q': {
            const auto parts = split(body, ':');
            if (parts.size() != 2) return false;
            double number = unlimited_value;
            if (parts[0] != "unlimited" && !parse_double(parts[0], number)) return false;
            const auto exponents = split(parts[1], ',');
            if (exponents.size() != 3) return false;
            std::array<std::int8_t, 3> powers{};
            for (std::size_t i = 0; i < powers.size(); ++i) {
                int power = 0;
                const auto [end, error] =
                    std::from_chars(exponents[i].data(), exponents[i].data() + exponents[i].size(), power);
                if (error != std::errc{} || end != exponents[i].data() + exponents[i].size() || power < -8 || power > 8)
                    return false;
                powers[i] = static_cast<std::int8_t>(power);
            }
            out = Quantity{number, Unit{powers[0], powers[1], powers[2]}};
            return true;
        }
        default:
            return false;
    }
}

}  // namespace gotuned

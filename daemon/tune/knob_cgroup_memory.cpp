// cgroup.memory.*: limits and protections of the memory controller (Documentation/admin-guide/cgroup-v2.rst).
// memory.high and memory.max never go below what the cgroup works with now.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>

#include "base/text.h"
#include "rulebook/knob_catalogue.h"
#include "tune/cgroup_file_knob.h"
#include "tune/knob_family.h"

namespace gotuned {
namespace {

constexpr double mib = 1024.0 * 1024;

enum class Kind { limit, protection, swap };
struct MemoryFile {
    CgroupFile file;
    Kind kind;
};
constexpr CgroupFile file_of(std::string_view knob, std::string_view setting, std::string_view without) {
    return {knob, knob.substr(knob.find('.') + 1), "memory", {setting, setting}, without};
}
constexpr std::array files = {
    MemoryFile{file_of("cgroup.memory.high", "MemoryHigh", "max"), Kind::limit},
    MemoryFile{file_of("cgroup.memory.max", "MemoryMax", "max"), Kind::limit},
    MemoryFile{file_of("cgroup.memory.low", "MemoryLow", "0"), Kind::protection},
    MemoryFile{file_of("cgroup.memory.min", "MemoryMin", "0"), Kind::protection},
    MemoryFile{file_of("cgroup.memory.swap.max", "MemorySwapMax", "max"), Kind::swap},
};

/// What the cgroup cannot give back without harm: all but the file pages that were not used lately.
Result<double> working_set(int directory) {
    const auto current = cgroup_number(directory, "memory.current");
    if (!current) return fail(current.error());
    const auto stat = read_file_at(directory, "memory.stat");
    if (!stat) return fail(stat.error());
    for (const std::string_view line : split(*stat, '\n')) {
        std::uint64_t inactive = 0;
        if (line.starts_with("inactive_file ") && parse_u64(line.substr(14), inactive)) {
            return std::max(0.0, *current - static_cast<double>(inactive));
        }
    }
    return fail("memory.stat has no inactive_file", EPROTO);
}
/// A tenth, and 16 MiB when that is more: what a garbage collection or a burst of requests takes at once.
double with_margin(double working) { return working + std::max(16 * mib, working / 10); }

double page_floor(double value) {
    static const auto page = static_cast<double>(::sysconf(_SC_PAGESIZE));
    return value == unlimited_value ? value : std::floor(value / page) * page;
}
double page_ceiling(double value) { return page_floor(value + static_cast<double>(::sysconf(_SC_PAGESIZE)) - 1); }

Result<double> memory_total(const Roots& roots) {
    const auto content = read_file(roots.proc + "/meminfo");
    if (!content) return fail(content.error());
    for (const std::string_view line : split(*content, '\n')) {
        std::uint64_t kib = 0;
        if (!line.starts_with("MemTotal:")) continue;
        const std::string_view rest = trim(line.substr(9));
        if (parse_u64(rest.substr(0, rest.find(' ')), kib)) return static_cast<double>(kib) * 1024;
    }
    return fail("PROC/meminfo has no MemTotal", EPROTO);
}

class CgroupMemoryKnob final : public CgroupFileKnob {
public:
    explicit CgroupMemoryKnob(const MemoryFile& row) : CgroupFileKnob(row.file), kind_(row.kind) {}

    [[nodiscard]] Result<UndoSafety> undo_safe(const KnobAt& at, const KnobState& original) const override {
        const auto* const old = std::get_if<Quantity>(&original.value);
        if (old == nullptr || old->unlimited() || kind_ == Kind::protection) return UndoSafety{};
        const auto directory = open(at);
        if (!directory) return fail(directory.error());
        const auto held = text(at, directory->get());
        const auto now = held ? parse_cgroup_limit(*held) : Result<double>(fail(held.error()));
        if (!now) return fail(in_cgroup(now.error(), at));
        if (old->value >= *now) return UndoSafety{};
        const bool swap = kind_ == Kind::swap;
        const auto used = swap ? cgroup_number(directory->get(), "memory.swap.current") : working_set(directory->get());
        if (!used) return fail(in_cgroup(used.error(), at));
        if ((swap ? *used : with_margin(*used)) <= old->value) return UndoSafety{};
        return UndoSafety{false, fmt::format("{} {}, the old limit is {}", to_string(bytes(*used)),
                                             swap ? "in swap" : "of working set", to_string(*old))};
    }

protected:
    [[nodiscard]] Result<Value> parse(std::string_view text) const override {
        return parse_cgroup_limit(text).map([](double value) { return Value(bytes(value)); });
    }
    [[nodiscard]] Result<std::string> format(const Value& value, std::string_view) const override {
        const auto* const quantity = std::get_if<Quantity>(&value);
        if (quantity == nullptr || quantity->value < 0)
            return fail(std::string(file_.knob) + " takes a quantity", EINVAL);
        return format_cgroup_limit(quantity->value);
    }

    [[nodiscard]] Result<Fitted> fit_in(const KnobAt& at, int directory, const PlannedWrite& planned,
                                        bool unsafe) const override {
        const KnobInfo* const info = find_knob_info(file_.knob);
        std::optional<Limit> least;
        std::optional<Limit> most;
        if (kind_ == Kind::limit) {
            const auto working = working_set(directory);
            if (!working) return fail(in_cgroup(working.error(), at));
            least = Limit{page_ceiling(with_margin(*working)),
                          fmt::format("the working set is {}", to_string(bytes(*working)))};
        } else if (kind_ == Kind::protection) {
            const auto total = memory_total(at.roots);
            if (!total) return fail(total.error());
            most = Limit{*total / 2, "half of the host's memory"};
        }
        auto fitted = fit_quantity(planned, info != nullptr ? info->least : 0,
                                   info != nullptr ? info->most : unlimited_value, least, most, unsafe);
        if (!fitted) return fitted;
        double value = std::get<Quantity>(fitted->to).value;
        if (kind_ == Kind::limit && value != unlimited_value) {
            Limit host{unlimited_value, {}};
            if (const auto total = memory_total(at.roots); total) host = {*total, "the host has no more memory"};
            const Limit above = lowest_above(at, "memory.max", std::move(host));
            if (value > above.value && (!least || above.value >= least->value)) {
                value = above.value;
                fitted->clamped = fmt::format("lowered to {}: {}", to_string(bytes(value)), above.why);
            }
        }
        fitted->to = bytes(page_floor(value));  // as the kernel will
        return fitted;
    }

private:
    Kind kind_;
};

}  // namespace

std::span<const Knob* const> cgroup_memory_knobs() {
    static const KnobFamily<CgroupMemoryKnob, decltype(files)> family(files);
    return family.table();
}

}  // namespace gotuned

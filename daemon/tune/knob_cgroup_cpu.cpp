// cgroup.cpu.*: bandwidth and weight of the cpu controller (Documentation/admin-guide/cgroup-v2.rst and
// Documentation/scheduler/sched-bwc.rst).
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>

#include "base/text.h"
#include "rulebook/knob_catalogue.h"
#include "tune/cgroup_file_knob.h"

namespace gotuned {
namespace {

constexpr double second = 1e6;  // µs, as the files count

struct Bandwidth {
    double quota = unlimited_value;  ///< µs in a period
    double period = 100'000;         ///< µs
    [[nodiscard]] double cpus() const { return quota / period; }
};
Result<Bandwidth> parse_bandwidth(std::string_view text) {
    const auto words = split(trim(text), ' ');
    Bandwidth bandwidth;
    const auto quota = parse_cgroup_limit(words[0]);
    std::uint64_t period = 0;
    if (!quota || words.size() != 2 || !parse_u64(words[1], period) || period == 0)
        return fail("cannot understand \"" + clean_text(text) + "\"", EPROTO);
    bandwidth.quota = *quota;
    bandwidth.period = static_cast<double>(period);
    return bandwidth;
}

/// A tenth: a server at its quota is throttled in every period that has more than the average to do.
double with_margin(double cpus) { return cpus * 1.1; }

/// systemd keeps a quota in percent of a CPU, so a hundredth is the finest that lasts.
double hundredths(double cpus) { return std::round(cpus * 100) / 100; }

constexpr CgroupFile max_file{"cgroup.cpu.max", "cpu.max", "cpu", {"CPUQuotaPerSecUSec", "CPUQuota"}, "max 100000"};

class CpuMaxKnob final : public CgroupFileKnob {
public:
    CpuMaxKnob() : CgroupFileKnob(max_file) {}

    /// What the cgroup uses is looked at here, and not in fit(): it takes a while.
    [[nodiscard]] Result<Written> write(const KnobAt& at, const KnobState& before, const Value& to) const override {
        const auto* const wanted = std::get_if<Quantity>(&to);
        const auto* const now = std::get_if<Quantity>(&before.value);
        if (wanted == nullptr || now == nullptr || wanted->value >= now->value)
            return CgroupFileKnob::write(at, before, to);
        const auto directory = open(at);
        if (!directory) return fail(directory.error());
        const auto used = cpus_in_use(directory->get());
        if (!used) return fail(in_cgroup(used.error(), at));
        const double least = hundredths(with_margin(*used) + 0.005);
        if (least <= wanted->value) return CgroupFileKnob::write(at, before, to);
        const std::string why = fmt::format("{:.2f} CPUs are in use", *used);
        if (least >= now->value)
            return fail(fmt::format("cannot lower cpu.max to {}: {}", to_string(*wanted), why), EBUSY,
                        "cgroup " + at.place);
        auto written = CgroupFileKnob::write(at, before, count(least));
        if (written) written->note += fmt::format("{}raised to {}: {}", written->note.empty() ? "" : "; ", least, why);
        return written;
    }

    [[nodiscard]] Result<UndoSafety> undo_safe(const KnobAt& at, const KnobState& original) const override {
        const auto* const old = std::get_if<Quantity>(&original.value);
        if (old == nullptr || old->unlimited()) return UndoSafety{};
        const auto directory = open(at);
        if (!directory) return fail(directory.error());
        const auto held = text(at, directory->get());
        if (!held) return fail(held.error());
        const auto now = parse_bandwidth(*held);
        if (!now) return fail(in_cgroup(now.error(), at));
        if (old->value >= now->cpus()) return UndoSafety{};
        const auto used = cpus_in_use(directory->get());
        if (!used) return fail(in_cgroup(used.error(), at));
        if (with_margin(*used) <= old->value) return UndoSafety{};
        return UndoSafety{false, fmt::format("{:.2f} CPUs are in use, the old limit is {}", *used, to_string(*old))};
    }

protected:
    [[nodiscard]] Result<Value> parse(std::string_view text) const override {
        return parse_bandwidth(text).map([](const Bandwidth& bandwidth) { return Value(count(bandwidth.cpus())); });
    }
    [[nodiscard]] Result<std::string> format(const Value& value, std::string_view now) const override {
        const auto* const cpus = std::get_if<Quantity>(&value);
        const auto was = parse_bandwidth(now);
        if (cpus == nullptr || cpus->value <= 0) return fail("cgroup.cpu.max takes a number of CPUs", EINVAL);
        if (!was) return fail(was.error());
        return fmt::format("{} {}", format_cgroup_limit(std::round(cpus->value * was->period)),
                           static_cast<std::uint64_t>(was->period));
    }
    [[nodiscard]] UnitValue unit_value(const Value& value) const override {
        const double cpus = std::get<Quantity>(value).value;
        return cpus == unlimited_value ? UINT64_MAX : static_cast<std::uint64_t>(std::round(cpus * second));
    }
    [[nodiscard]] Result<std::string> text_of(const UnitValue& setting, std::string_view now) const override {
        const auto* const quota = std::get_if<std::uint64_t>(&setting);
        if (quota == nullptr) return fail("cannot understand systemd's CPUQuotaPerSecUSec", EPROTO);
        return format(count(*quota == UINT64_MAX ? unlimited_value : static_cast<double>(*quota) / second), now);
    }

    [[nodiscard]] Result<Fitted> fit_in(const KnobAt& at, int directory, const PlannedWrite& planned,
                                        bool unsafe) const override {
        const auto held = text(at, directory);
        if (!held) return fail(held.error());
        const auto now = parse_bandwidth(*held);
        if (!now) return fail(in_cgroup(now.error(), at));
        // The kernel takes no quota below 1 ms, and none below what may be saved up.
        Limit least{hundredths(1000 / now->period + 0.004), "a quota is at least 1 ms of its period"};
        const auto burst = cgroup_number(directory, "cpu.max.burst");
        if (burst && *burst / now->period > least.value)
            least = {std::ceil(*burst / now->period * 100) / 100, "cpu.max.burst is not above the quota"};
        const KnobInfo& info = *find_knob_info(file_.knob);
        auto fitted = fit_quantity(planned, info.least, info.most, least, std::nullopt, unsafe);
        if (!fitted) return fitted;
        double value = std::get<Quantity>(fitted->to).value;
        if (value == unlimited_value) return fitted;
        Limit above = limit_above(at);
        if (value > above.value && above.value >= least.value) {
            value = above.value;
            fitted->clamped = fmt::format("lowered to {}: {}", value, above.why);
        }
        fitted->to = count(std::max(hundredths(value), 0.01));
        return fitted;
    }

private:
    static Limit limit_above(const KnobAt& at) {
        Limit lowest{unlimited_value, {}};
        CpuSet online;
        const auto content = read_file(at.roots.sys + "/devices/system/cpu/online");
        if (content && CpuSet::parse(trim(*content), online) && !online.empty())
            lowest = {static_cast<double>(online.size()), "the host has no more CPUs"};
        std::string path = at.place;
        while (path.size() > 1) {
            path.resize(path.rfind('/'));
            const auto text = read_file(at.roots.cgroup2 + path + "/cpu.max");
            if (!text) continue;
            if (const auto limit = parse_bandwidth(*text); limit && limit->cpus() < lowest.value)
                lowest = {limit->cpus(), fmt::format("cpu.max of {} above it", path.empty() ? "/" : path)};
        }
        return lowest;
    }
};

constexpr CgroupFile weight_file{"cgroup.cpu.weight", "cpu.weight", "cpu", {"CPUWeight", "CPUWeight"}, "100"};

class CpuWeightKnob final : public CgroupFileKnob {
public:
    CpuWeightKnob() : CgroupFileKnob(weight_file) {}

    /// Only counts when CPUs are short, and beside siblings that have theirs: no weight fails anybody.
    [[nodiscard]] Result<UndoSafety> undo_safe(const KnobAt&, const KnobState&) const override { return UndoSafety{}; }

protected:
    [[nodiscard]] Result<Value> parse(std::string_view text) const override {
        std::uint64_t weight = 0;
        if (!parse_u64(trim(text), weight)) return fail("cannot understand \"" + clean_text(text) + "\"", EPROTO);
        return Value(count(static_cast<double>(weight)));
    }
    [[nodiscard]] Result<std::string> format(const Value& value, std::string_view) const override {
        const auto* const weight = std::get_if<Quantity>(&value);
        if (weight == nullptr || weight->unlimited()) return fail("cgroup.cpu.weight takes a number", EINVAL);
        return format_cgroup_limit(weight->value);
    }
    [[nodiscard]] Result<std::string> text_of(const UnitValue& setting, std::string_view now) const override {
        const auto* const weight = std::get_if<std::uint64_t>(&setting);
        // Not set: the kernel's own.
        if (weight != nullptr && *weight == UINT64_MAX) return std::string(weight_file.without_controller);
        return CgroupFileKnob::text_of(setting, now);
    }
    [[nodiscard]] Result<Fitted> fit_in(const KnobAt&, int, const PlannedWrite& planned, bool unsafe) const override {
        const KnobInfo& info = *find_knob_info(file_.knob);
        auto fitted = fit_quantity(planned, info.least, info.most, Limit{1, "the kernel's least"},
                                   Limit{10000, "the kernel's most"}, unsafe);
        if (fitted) fitted->to = count(std::round(std::get<Quantity>(fitted->to).value));
        return fitted;
    }
};

/// Units have no such setting; systemd writes cpu.max alone, and the kernel then keeps the burst.
constexpr CgroupFile burst_file{"cgroup.cpu.max.burst", "cpu.max.burst", "cpu", {}, {}};

class CpuBurstKnob final : public CgroupFileKnob {
public:
    CpuBurstKnob() : CgroupFileKnob(burst_file) {}

    [[nodiscard]] KnobAbility ability(const Roots& roots, const std::string& knob) const override {
        KnobAbility able = CgroupFileKnob::ability(roots, knob);
        const auto release = read_file(roots.proc + "/sys/kernel/osrelease");
        if (able.writable && release && older_than_5_14(*release))
            able = {false, fmt::format("Linux {} has no cpu.max.burst, 5.14 has", trim(*release))};
        return able;
    }

    /// What is saved up is lost: the next period has its quota.
    [[nodiscard]] Result<UndoSafety> undo_safe(const KnobAt&, const KnobState&) const override { return UndoSafety{}; }

protected:
    [[nodiscard]] Result<Value> parse(std::string_view text) const override {
        std::uint64_t microseconds = 0;
        if (!parse_u64(trim(text), microseconds)) return fail("cannot understand \"" + clean_text(text) + "\"", EPROTO);
        return Value(Quantity{static_cast<double>(microseconds) / second, unit::time});
    }
    [[nodiscard]] Result<std::string> format(const Value& value, std::string_view) const override {
        const auto* const burst = std::get_if<Quantity>(&value);
        if (burst == nullptr || burst->unlimited() || burst->value < 0)
            return fail("cgroup.cpu.max.burst takes a time", EINVAL);
        return fmt::format("{}", static_cast<std::uint64_t>(std::round(burst->value * second)));
    }
    [[nodiscard]] Result<Fitted> fit_in(const KnobAt& at, int directory, const PlannedWrite& planned,
                                        bool unsafe) const override {
        const auto held = read_file_at(directory, "cpu.max");
        if (!held) return fail(in_cgroup(held.error(), at));
        const auto now = parse_bandwidth(*held);
        if (!now) return fail(in_cgroup(now.error(), at));
        if (now->quota == unlimited_value)
            return fail("there is no quota in cpu.max: nothing is throttled that a burst could spare", EINVAL,
                        "cgroup " + at.place);
        const KnobInfo& info = *find_knob_info(file_.knob);
        auto fitted = fit_quantity(planned, info.least, info.most, std::nullopt,
                                   Limit{now->quota / second, "no more than the quota of a period"}, unsafe);
        if (fitted)
            fitted->to = Quantity{std::round(std::get<Quantity>(fitted->to).value * second) / second, unit::time};
        return fitted;
    }

private:
    static bool older_than_5_14(std::string_view release) {
        const auto numbers = split(release, '.');
        std::uint64_t major = 0;
        std::uint64_t minor = 0;
        if (numbers.size() < 2 || !parse_u64(numbers[0], major)) return false;
        const std::string_view rest = numbers[1].substr(0, numbers[1].find_first_not_of("0123456789"));
        return parse_u64(rest, minor) && (major < 5 || (major == 5 && minor < 14));
    }
};

}  // namespace

std::span<const Knob* const> cgroup_cpu_knobs() {
    static const CpuMaxKnob max;
    static const CpuWeightKnob weight;
    static const CpuBurstKnob burst;
    static const std::array<const Knob*, 3> table{&max, &weight, &burst};
    return table;
}

}  // namespace gotuned

// cgroup.pids.max: how many processes and threads a cgroup may have. Never so few that those there are have no room.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "rulebook/knob_catalogue.h"
#include "tune/cgroup_file_knob.h"

namespace gotuned {
namespace {

constexpr CgroupFile file{"cgroup.pids.max", "pids.max", "pids", {"TasksMax", "TasksMax"}, "max"};

/// A tenth, and 16 when that is more: what Go's runtime starts at once when its threads block.
double with_margin(double tasks) { return std::ceil(tasks + std::max(16.0, tasks / 10)); }

class CgroupPidsKnob final : public CgroupFileKnob {
public:
    CgroupPidsKnob() : CgroupFileKnob(file) {}

    [[nodiscard]] Result<UndoSafety> undo_safe(const KnobAt& at, const KnobState& original) const override {
        const auto* const old = std::get_if<Quantity>(&original.value);
        if (old == nullptr || old->unlimited()) return UndoSafety{};
        const auto directory = open(at);
        if (!directory) return fail(directory.error());
        const auto tasks = cgroup_number(directory->get(), "pids.current");
        if (!tasks) return fail(in_cgroup(tasks.error(), at));
        if (with_margin(*tasks) <= old->value) return UndoSafety{};
        return UndoSafety{false, fmt::format("{} processes and threads, the old limit is {}", *tasks, to_string(*old))};
    }

protected:
    [[nodiscard]] Result<Value> parse(std::string_view text) const override {
        return parse_cgroup_limit(text).map([](double value) { return Value(count(value)); });
    }
    [[nodiscard]] Result<std::string> format(const Value& value, std::string_view) const override {
        const auto* const quantity = std::get_if<Quantity>(&value);
        if (quantity == nullptr || quantity->value < 0) return fail("cgroup.pids.max takes a number", EINVAL);
        return format_cgroup_limit(quantity->value);
    }

    [[nodiscard]] Result<Fitted> fit_in(const KnobAt& at, int directory, const PlannedWrite& planned,
                                        bool unsafe) const override {
        const auto tasks = cgroup_number(directory, "pids.current");
        if (!tasks) return fail(in_cgroup(tasks.error(), at));
        const Limit least{with_margin(*tasks), fmt::format("{} processes and threads are in it", *tasks)};
        const KnobInfo& info = *find_knob_info(file_.knob);
        auto fitted = fit_quantity(planned, info.least, info.most, least, std::nullopt, unsafe);
        if (!fitted) return fitted;
        double value = std::get<Quantity>(fitted->to).value;
        if (value == unlimited_value) return fitted;
        Limit host{unlimited_value, {}};
        for (const char* const name : {"pid_max", "threads-max"}) {
            const auto content = read_file(at.roots.proc + "/sys/kernel/" + name);
            const auto limit = content ? parse_cgroup_limit(*content) : Result<double>(unlimited_value);
            if (limit && *limit < host.value) host = {*limit, fmt::format("kernel.{} of the host", name)};
        }
        const Limit above = lowest_above(at, "pids.max", std::move(host));
        if (value > above.value && above.value >= least.value) {
            value = above.value;
            fitted->clamped = fmt::format("lowered to {}: {}", value, above.why);
        }
        fitted->to = count(std::floor(value));
        return fitted;
    }
};

}  // namespace

const Knob& cgroup_pids_knob() {
    static const CgroupPidsKnob knob;
    return knob;
}

}  // namespace gotuned

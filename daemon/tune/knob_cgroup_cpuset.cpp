// cgroup.cpuset.cpus: the CPUs that a cgroup may run on. An empty list, which most have, is all that the cgroup above
// has; no list is ever written that would leave none. The kernel lets nobody empty a list again while processes are in
// the cgroup (ENOSPC): one of all CPUs that the host could have is the same, and is taken for an empty one.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "tune/cgroup_file_knob.h"
#include "tune/cpu_topology.h"

namespace gotuned {
namespace {

constexpr CgroupFile file{"cgroup.cpuset.cpus", "cpuset.cpus", "cpuset", {"AllowedCPUs", "AllowedCPUs"}, ""};

/// What the cgroups above leave: the nearest that has a list of its own, or all that are online.
Result<CpuSet> cpus_above(const KnobAt& at) {
    std::string path = at.place;
    while (path.size() > 1) {
        path.resize(path.rfind('/'));
        const auto content = read_file(at.roots.cgroup2 + path + "/cpuset.cpus.effective");
        CpuSet cpus;
        if (content && CpuSet::parse(trim(*content), cpus) && !cpus.empty()) return cpus;
    }
    const auto online = read_file(at.roots.sys + "/devices/system/cpu/online");
    if (!online) return fail(online.error());
    CpuSet cpus;
    if (!CpuSet::parse(trim(*online), cpus) || cpus.empty())
        return fail("cannot understand the list of CPUs that are online", EPROTO);
    return cpus;
}

std::string possible_cpus(const Roots& roots) {
    const auto content = read_file(roots.sys + "/devices/system/cpu/possible");
    return content ? std::string(trim(*content)) : "";
}

/// What a state has of a unit's drop-in, behind the file's text; empty when none is there.
std::string_view drop_in_of(std::string_view detail) {
    for (int line = 0; line < 3 && !detail.empty(); ++line) {
        const auto end = detail.find('\n');
        detail = end == std::string_view::npos ? "" : detail.substr(end + 1);
    }
    return detail;
}

class CpusetKnob final : public CgroupFileKnob {
public:
    CpusetKnob() : CgroupFileKnob(file) {}

    /// Of a unit all CPUs are listed first: when systemd then turns the controller off, kernels leave threads on the
    /// CPUs they had (seen on 6.12), and where it does not, it empties the list as little as anybody else.
    [[nodiscard]] Result<KnobState> restore(const KnobAt& at, const KnobState& original, const KnobState& ours,
                                            Restore which) const override {
        auto now = read(at);
        if (!now) return now;
        const bool listed = now->value != Value(CpuSet());
        if (listed && original.value == Value(CpuSet()) && !unit_of_cgroup(at.roots, at.place).empty()) {
            if (auto put = CgroupFileKnob::put_text(at, possible_cpus(at.roots)); !put) return fail(put.error());
        }
        return CgroupFileKnob::restore(at, original, ours, which);
    }

    /// An undo that was interrupted has listed all CPUs, and our drop-in is still there.
    [[nodiscard]] Result<bool> holds(const KnobAt& at, const KnobState& ours) const override {
        const auto now = read(at);
        if (!now) return fail(now.error());
        if (now->value == ours.value) return true;
        return now->value == Value(CpuSet()) && drop_in_of(now->detail) == drop_in_of(ours.detail) &&
               !drop_in_of(now->detail).empty();
    }

    [[nodiscard]] Result<UndoSafety> undo_safe(const KnobAt& at, const KnobState& original) const override {
        const auto* const old = std::get_if<CpuSet>(&original.value);
        if (old == nullptr || old->empty()) return UndoSafety{};
        const auto directory = open(at);
        if (!directory) return fail(directory.error());
        const auto used = cpus_in_use(directory->get());
        if (!used) return fail(in_cgroup(used.error(), at));
        // All of them in use is what they are for; more than they are would not fit.
        if (*used <= static_cast<double>(old->size())) return UndoSafety{};
        return UndoSafety{false, fmt::format("{:.2f} CPUs are in use, of old there are {}", *used, old->list())};
    }

    [[nodiscard]] std::string describe(const KnobState& state) const override {
        const auto* const cpus = std::get_if<CpuSet>(&state.value);
        if (cpus == nullptr) return to_string(state.value);
        return cpus->empty() ? "all CPUs of the cgroup above" : "CPUs " + cpus->list();
    }

protected:
    [[nodiscard]] Result<std::string> text(const KnobAt& at, int directory) const override {
        auto held = CgroupFileKnob::text(at, directory);
        if (held && !held->empty() && *held == possible_cpus(at.roots)) held = std::string();
        return held;
    }
    [[nodiscard]] Status put_text(const KnobAt& at, const std::string& text) const override {
        auto put = CgroupFileKnob::put_text(at, text);
        if (put || put.error().code != ENOSPC || !text.empty()) return put;
        return CgroupFileKnob::put_text(at, possible_cpus(at.roots));
    }
    [[nodiscard]] Result<Value> parse(std::string_view text) const override {
        CpuSet cpus;
        if (!CpuSet::parse(trim(text), cpus)) return fail("cannot understand the list of CPUs", EPROTO);
        return Value(cpus);
    }
    [[nodiscard]] Result<std::string> format(const Value& value, std::string_view) const override {
        const auto* const cpus = std::get_if<CpuSet>(&value);
        if (cpus == nullptr || cpus->empty())
            return fail("cgroup.cpuset.cpus takes a list of CPUs that is not empty", EINVAL);
        return cpus->list();
    }
    [[nodiscard]] UnitValue unit_value(const Value& value) const override { return unit_mask(std::get<CpuSet>(value)); }
    [[nodiscard]] Result<std::string> text_of(const UnitValue& setting, std::string_view) const override {
        const auto* const mask = std::get_if<std::vector<std::uint8_t>>(&setting);
        if (mask == nullptr) return fail("cannot understand systemd's AllowedCPUs", EPROTO);
        return cpus_of_mask(*mask).list();
    }

    [[nodiscard]] Result<Fitted> fit_in(const KnobAt& at, int directory, const PlannedWrite& planned,
                                        bool) const override {
        const auto above = cpus_above(at);
        if (!above) return fail(above.error());
        const auto now = text(at, directory);
        if (!now) return fail(now.error());
        auto fitted = fit_below(at, *above, planned);
        // All there are is what an empty list stands for.
        if (fitted && now->empty() && fitted->to == Value(*above)) fitted->to = CpuSet();
        return fitted;
    }

private:
    static Result<Fitted> fit_below(const KnobAt& at, const CpuSet& above, const PlannedWrite& planned) {
        if (planned.placement) {
            const CpuSet chosen = choose_cpus(at.roots, above, *planned.placement);
            const bool fewer = chosen.size() < static_cast<std::size_t>(planned.placement->cpus);
            return Fitted{chosen, chosen, fewer ? fmt::format("the cgroup above has only {}", above.list()) : ""};
        }
        const auto* const wanted = planned.to.present() ? std::get_if<CpuSet>(&*planned.to) : nullptr;
        if (wanted == nullptr || wanted->empty())
            return fail("cgroup.cpuset.cpus takes a list of CPUs that is not empty", EINVAL);
        const CpuSet inside = wanted->intersect(above);
        if (inside.empty())
            return fail(fmt::format("none of the CPUs {} is among those of the cgroup above ({})", wanted->list(),
                                    above.list()),
                        EINVAL);
        return Fitted{*wanted, inside,
                      inside == *wanted
                          ? ""
                          : fmt::format("narrowed to {}: the cgroup above has {}", inside.list(), above.list())};
    }
};

}  // namespace

const Knob& cgroup_cpuset_knob() {
    static const CpusetKnob knob;
    return knob;
}

}  // namespace gotuned

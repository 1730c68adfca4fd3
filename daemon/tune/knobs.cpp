#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "tune/knob.h"

namespace gotuned {

std::span<const Knob* const> knobs() {
    static const std::vector<const Knob*> table = [] {
        std::vector<const Knob*> all{&sysctl_knob()};
        for (const Knob* knob : rlimit_knobs()) all.push_back(knob);
        all.push_back(&affinity_knob());
        for (const Knob* knob : cgroup_memory_knobs()) all.push_back(knob);
        all.push_back(&cgroup_reclaim_knob());
        for (const Knob* knob : cgroup_cpu_knobs()) all.push_back(knob);
        all.push_back(&cgroup_pids_knob());
        all.push_back(&cgroup_cpuset_knob());
        for (const Knob* knob : huge_page_knobs()) all.push_back(knob);
        all.push_back(&block_scheduler_knob());
        all.push_back(&oom_score_adj_knob());
        all.push_back(&nice_knob());
        all.push_back(&advise_knob());
        return all;
    }();
    return table;
}

const Knob* find_knob(std::string_view name) {
    for (const Knob* knob : knobs()) {
        const KnobTraits traits = knob->traits();
        if (traits.prefix ? name.starts_with(traits.name) && name.size() > traits.name.size() : name == traits.name)
            return knob;
    }
    return nullptr;
}

Status Knob::clear(const KnobAt&, const KnobState&, const KnobState&) const { return {}; }

Result<bool> Knob::unchanged(const KnobAt& at, const KnobState& before) const {
    return read(at).map([&](const KnobState& now) { return now == before; });
}

Result<bool> Knob::holds(const KnobAt& at, const KnobState& ours) const {
    return read(at).map([&](const KnobState& now) { return now.value == ours.value; });
}

Result<Fitted> fit_quantity(const PlannedWrite& planned, double packaged_least, double packaged_most,
                            const std::optional<Limit>& hard_least, const std::optional<Limit>& hard_most,
                            bool unsafe) {
    const auto* wanted = planned.to.present() ? std::get_if<Quantity>(&*planned.to) : nullptr;
    if (wanted == nullptr) return fail(planned.knob + " takes a quantity");
    if (wanted->value < 0 && packaged_least >= 0)
        return fail(fmt::format("{} cannot be {}", planned.knob, to_string(*wanted)));
    Fitted fitted{*wanted, *wanted, {}};
    double value = wanted->value;
    const auto raise = [&](double least, const std::string& why) {
        if (value >= least) return;
        value = least;
        fitted.clamped = fmt::format("raised to {}: {}", to_string(Quantity{least, wanted->unit}), why);
    };
    const auto lower = [&](double most, const std::string& why) {
        if (value <= most) return;
        value = most;
        fitted.clamped = fmt::format("lowered to {}: {}", to_string(Quantity{most, wanted->unit}), why);
    };
    // A rule may narrow the packaged bounds; only `unsafe: true` lets it widen them.
    if (!(unsafe && planned.least)) raise(packaged_least, "the least that is safe");
    if (!(unsafe && planned.most)) lower(packaged_most, "the most that is safe");
    if (planned.least)
        raise(unsafe ? planned.least->value : std::clamp(planned.least->value, packaged_least, packaged_most),
              "the rule's own least");
    if (planned.most)
        lower(unsafe ? planned.most->value : std::clamp(planned.most->value, packaged_least, packaged_most),
              "the rule's own most");
    if (hard_least) raise(hard_least->value, hard_least->why);
    if (hard_most) lower(hard_most->value, hard_most->why);
    // What the target needs now and what the kernel allows may contradict each other: then nothing is safe.
    if (hard_least && value < hard_least->value) {
        return fail(fmt::format("no safe value for {}: {}, but {}", planned.knob, hard_least->why,
                                hard_most ? hard_most->why : ""));
    }
    fitted.to = Quantity{value, wanted->unit};
    return fitted;
}

}  // namespace gotuned

// cpu.affinity: the CPU masks of every thread of a process, until none is new. Threads that have neither the mask
// they were found with nor ours were set by somebody else, and are left alone. Of a process that is all there is of a
// systemd unit, and of which no thread is pinned, it is AllowedCPUs= of the unit.
#include <fmt/format.h>
#include <linux/capability.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <set>

#include "tune/cpu_topology.h"
#include "tune/knob.h"
#include "tune/lone_process.h"
#include "tune/process.h"
#include "tune/systemd_units.h"
#include "tune/thread_masks.h"

namespace gotuned {
namespace {

class AffinityKnob final : public Knob {
public:
    [[nodiscard]] KnobTraits traits() const override {
        return {.name = "cpu.affinity", .scope = Scope::process, .inherited = true, .outlives = true};
    }
    [[nodiscard]] Duration patience(const KnobAt& at) const override { return unit_patience(at.roots); }

    [[nodiscard]] KnobAbility ability(const Roots&, const std::string&) const override {
        if (has_capability(CAP_SYS_NICE)) return {};
        return {true, "cannot move other users' processes: no CAP_SYS_NICE"};
    }

    [[nodiscard]] Result<KnobState> read(const KnobAt& at) const override {
        const auto allowed = allowed_cpus(at.roots, pid(at));
        if (!allowed) return fail(allowed.error());
        const auto masks = look(at, *allowed);
        if (!masks) return fail(masks.error());
        const ThreadMasks compact = ThreadMasks::from(*masks);
        const bool unpinned = compact.common.full && compact.others.empty();
        return KnobState{compact.common.full ? *allowed : compact.common.cpus,
                         with_unit(compact.encode(), unpinned ? unit_of_lone_process(at) : std::nullopt)};
    }

    [[nodiscard]] Result<Fitted> fit(const KnobAt& at, const PlannedWrite& planned, bool unsafe) const override {
        if (const auto now = read(at); now) {
            if (const auto unit = unit_in(at, now->detail)) return cpuset().fit(unit->at, planned, unsafe);
        }
        const auto allowed = allowed_cpus(at.roots, pid(at));
        if (!allowed) return fail(allowed.error());
        if (planned.placement) {
            CpuSet chosen = choose_cpus(at.roots, *allowed, *planned.placement);
            const bool fewer = chosen.size() < static_cast<std::size_t>(planned.placement->cpus);
            return Fitted{chosen, chosen, fewer ? fmt::format("only the CPUs {} are allowed", allowed->list()) : ""};
        }
        const auto* wanted = planned.to.present() ? std::get_if<CpuSet>(&*planned.to) : nullptr;
        if (wanted == nullptr || wanted->empty())
            return fail("cpu.affinity takes a list of CPUs that is not empty", EINVAL);
        const CpuSet inside = wanted->intersect(*allowed);
        if (inside.empty())
            return fail(fmt::format("none of the CPUs {} is in the cpuset {}", wanted->list(), allowed->list()),
                        EINVAL);
        return Fitted{
            *wanted, inside,
            inside == *wanted ? "" : fmt::format("narrowed to {}: the cpuset is {}", inside.list(), allowed->list())};
    }

    [[nodiscard]] Result<Written> write(const KnobAt& at, const KnobState& before, const Value& to) const override {
        const auto* const cpus = std::get_if<CpuSet>(&to);
        if (cpus == nullptr || cpus->empty())
            return fail("cpu.affinity takes a list of CPUs that is not empty", EINVAL);
        if (const auto unit = unit_in(at, before.detail)) return write_unit(at, *unit, to);
        const auto was = ThreadMasks::decode(masks_in(before.detail));
        const auto allowed = allowed_cpus(at.roots, pid(at));
        if (!was) return fail(was.error());
        if (!allowed) return fail(allowed.error());
        std::set<std::string> known{was->common.text()};
        for (const auto& [thread, mask] : was->others) known.insert(mask.text());
        std::size_t strange = 0;
        CpuSet held = *cpus;
        const auto set = each_thread(at, [&](pid_t thread, const CpuSet& now) -> Status {
            if (now == *cpus) return {};
            if (!known.contains(mask_of(now, *allowed).text())) {
                ++strange;
                return {};
            }
            if (auto put = set_thread_mask(thread, {false, *cpus}); !put) return put;
            if (const auto back = thread_cpus(thread); back && !back->empty()) held = *back;
            return {};
        });
        if (!set) return fail(set.error());
        std::string note =
            strange == 0
                ? ""
                : fmt::format("{} threads had been moved by somebody else meanwhile and were left alone", strange);
        if (held != *cpus)
            note += fmt::format("{}the kernel made {} of {}", note.empty() ? "" : "; ", held.list(), cpus->list());
        return Written{{held, held.list()}, std::move(note)};
    }

    [[nodiscard]] Result<KnobState> restore(const KnobAt& at, const KnobState& original, const KnobState& ours,
                                            Restore which) const override {
        if (const auto unit = unit_in(at, original.detail)) {
            const auto set = unit_in(at, ours.detail);
            const auto back =
                cpuset().restore(unit->at, unit->state, set ? set->state : KnobState{ours.value, {}}, which);
            if (!back) return fail(back.error());
        }
        const auto was = ThreadMasks::decode(masks_in(original.detail));
        const auto allowed = allowed_cpus(at.roots, pid(at));
        if (!was) return fail(was.error());
        if (!allowed) return fail(allowed.error());
        const auto put = each_thread(at, [&](pid_t thread, const CpuSet& now) -> Status {
            const ThreadMask& mask = was->of(thread);
            if (is(now, mask, *allowed)) return {};
            if (!is_ours(now, ours, which)) return {};
            auto set = set_thread_mask(thread, mask);
            // Its old CPUs have left the cpuset: the kernel itself would put it on all that are left.
            if (!set && set.error().code == EINVAL) set = set_thread_mask(thread, {true, {}});
            return set;
        });
        if (!put) return fail(put.error());
        return read(at);
    }

    [[nodiscard]] std::string left_alone(const KnobAt& at, const KnobState& original) const override {
        const auto was = ThreadMasks::decode(masks_in(original.detail));
        const auto allowed = allowed_cpus(at.roots, pid(at));
        if (!was || !allowed) return {};
        std::size_t strange = 0;
        const auto looked = each_thread(at, [&](pid_t thread, const CpuSet& now) -> Status {
            if (!is(now, was->of(thread), *allowed)) ++strange;
            return {};
        });
        if (!looked || strange == 0) return {};
        return fmt::format("{} {} a mask that is not ours and {} left alone", strange,
                           strange == 1 ? "thread has" : "threads have", strange == 1 ? "was" : "were");
    }

    [[nodiscard]] Result<bool> unchanged(const KnobAt& at, const KnobState& before) const override {
        const auto was = ThreadMasks::decode(masks_in(before.detail));
        const auto allowed = allowed_cpus(at.roots, pid(at));
        if (!was) return fail(was.error());
        if (!allowed) return fail(allowed.error());
        if (const auto unit = unit_in(at, before.detail)) {
            const auto untouched = cpuset().unchanged(unit->at, unit->state);
            if (!untouched || !*untouched) return untouched;
        }
        bool same = true;
        const auto looked = each_thread(at, [&](pid_t thread, const CpuSet& now) -> Status {
            if (!is(now, was->of(thread), *allowed)) same = false;
            return {};
        });
        if (!looked) return fail(looked.error());
        return same;
    }

    /// One thread with our mask is enough: a program may pin some of its threads itself, and these are not ours.
    [[nodiscard]] Result<bool> holds(const KnobAt& at, const KnobState& ours) const override {
        bool any = false;
        const auto looked = each_thread(at, [&](pid_t, const CpuSet& now) -> Status {
            if (Value(now) == ours.value) any = true;
            return {};
        });
        if (!looked) return fail(looked.error());
        return any;
    }

    [[nodiscard]] bool same(const KnobState& now, const Value& to) const override {
        return now.value == to && masks_in(now.detail).find(';') == std::string::npos;
    }

    [[nodiscard]] Status clear(const KnobAt& at, const KnobState& original, const KnobState& ours) const override {
        const auto unit = unit_in(at, original.detail);
        if (!unit) return {};
        const auto set = unit_in(at, ours.detail);
        return cpuset().clear(unit->at, unit->state, set ? set->state : KnobState{ours.value, {}});
    }

    [[nodiscard]] Result<UndoSafety> undo_safe(const KnobAt&, const KnobState&) const override {
        // The old CPUs never fail a thread: where they have left the cpuset it gets those that are left.
        return UndoSafety{};
    }

    [[nodiscard]] std::string describe(const KnobState& state) const override {
        const auto masks = ThreadMasks::decode(masks_in(state.detail));
        if (!masks) return to_string(state.value);
        const std::string common = masks->common.full ? "unpinned" : "CPUs " + masks->common.cpus.list();
        return masks->others.empty() ? common : fmt::format("{} ({} threads otherwise)", common, masks->others.size());
    }

private:
    static const Knob& cpuset() { return cgroup_cpuset_knob(); }

    static Result<Written> write_unit(const KnobAt& at, const UnitCpuset& before, const Value& to) {
        auto written = cpuset().write(before.at, before.state, to);
        if (!written) return fail(written.error());
        const auto held = thread_cpus(pid(at));
        if (!held) return fail(held.error());
        std::string note = "by AllowedCPUs= of its unit";
        if (!written->note.empty()) note += "; " + written->note;
        return Written{{*held, with_unit(held->list(), UnitCpuset{before.at, std::move(written->held)})},
                       std::move(note)};
    }

    static pid_t pid(const KnobAt& at) {
        const auto* const id = std::get_if<ProcessId>(&at.target);
        return id == nullptr ? -1 : id->pid;
    }

    static ThreadMask mask_of(const CpuSet& now, const CpuSet& allowed) {
        if (allowed.intersect(now) == allowed) return {true, {}};
        return {false, now};
    }
    static bool is(const CpuSet& now, const ThreadMask& mask, const CpuSet& allowed) {
        return mask.full ? mask_of(now, allowed).full : now == mask.cpus;
    }

    /// After a write that was interrupted our mask may have been narrowed by the kernel, but it has no CPU more.
    static bool is_ours(const CpuSet& now, const KnobState& ours, Restore which) {
        const auto* const set = std::get_if<CpuSet>(&ours.value);
        if (set == nullptr) return false;
        return which == Restore::ours ? now == *set : !now.empty() && now.intersect(*set) == now;
    }

    static Result<std::map<pid_t, ThreadMask>> look(const KnobAt& at, const CpuSet& allowed) {
        std::map<pid_t, ThreadMask> masks;
        const auto looked = each_thread(at, [&](pid_t thread, const CpuSet& now) -> Status {
            masks[thread] = mask_of(now, allowed);
            return {};
        });
        if (!looked) return fail(looked.error());
        return masks;
    }

    static Status each_thread(const KnobAt& at, const std::function<Status(pid_t, const CpuSet&)>& visit) {
        const auto* const id = std::get_if<ProcessId>(&at.target);
        if (id == nullptr) return fail("cpu.affinity is a knob of a process", EINVAL, to_string(at.target));
        return visit_threads(at.roots.proc, *id, [&](pid_t thread) -> Status {
            const auto now = thread_cpus(thread);
            if (!now) return fail(now.error());
            return visit(thread, *now);
        });
    }
};

}  // namespace

const Knob& affinity_knob() {
    static const AffinityKnob knob;
    return knob;
}

}  // namespace gotuned

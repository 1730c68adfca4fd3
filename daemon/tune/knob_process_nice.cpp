// process.nice: the nice value of every thread of a process, until none is new. Threads that have neither the value
// they were found with nor ours were set by somebody else, and are left alone.
#include <fmt/format.h>
#include <linux/capability.h>

#include <cerrno>
#include <cmath>
#include <functional>
#include <set>

#include "rulebook/knob_catalogue.h"
#include "tune/knob.h"
#include "tune/process.h"
#include "tune/thread_nices.h"

namespace gotuned {
namespace {

constexpr std::string_view name = "process.nice";

class NiceKnob final : public Knob {
public:
    [[nodiscard]] KnobTraits traits() const override {
        return {.name = name, .scope = Scope::process, .inherited = true};
    }

    [[nodiscard]] KnobAbility ability(const Roots&, const std::string&) const override {
        if (has_capability(CAP_SYS_NICE)) return {};
        return {true, "can neither lower nice nor change other users' processes: no CAP_SYS_NICE"};
    }

    [[nodiscard]] Result<KnobState> read(const KnobAt& at) const override {
        std::map<pid_t, int> all;
        const auto looked = each_thread(at, [&](pid_t thread, int now) -> Status {
            all[thread] = now;
            return {};
        });
        if (!looked) return fail(looked.error());
        const ThreadNices nices = ThreadNices::from(all);
        return KnobState{count(nices.common), nices.encode()};
    }

    [[nodiscard]] Result<Fitted> fit(const KnobAt&, const PlannedWrite& planned, bool unsafe) const override {
        const KnobInfo* const info = find_knob_info(name);
        const Limit least{-20, "the kernel's least"};
        const Limit most{19, "the kernel's most"};
        auto fitted = fit_quantity(planned, info->least, info->most, least, most, unsafe);
        if (fitted) {
            auto& to = std::get<Quantity>(fitted->to);
            to.value = std::trunc(to.value);
        }
        return fitted;
    }

    [[nodiscard]] Result<Written> write(const KnobAt& at, const KnobState& before, const Value& to) const override {
        const auto* const quantity = std::get_if<Quantity>(&to);
        if (quantity == nullptr || !(quantity->value >= -20 && quantity->value <= 19))
            return fail(at.knob + " takes a number from -20 to 19", EINVAL, to_string(at.target));
        const auto was = ThreadNices::decode(before.detail);
        if (!was) return fail(was.error());
        const int nice = static_cast<int>(quantity->value);
        std::set<int> known{was->common};
        for (const auto& [thread, value] : was->others) known.insert(value);
        std::size_t strange = 0;
        const auto set = each_thread(at, [&](pid_t thread, int now) -> Status {
            if (now == nice) return {};
            if (known.contains(now)) return set_thread_nice(thread, nice);
            ++strange;
            return {};
        });
        if (!set) return fail(set.error());
        auto held = read(at);
        if (!held) return fail(held.error());
        return Written{
            std::move(*held),
            strange == 0
                ? ""
                : fmt::format("{} threads were changed by somebody else meanwhile and were left alone", strange)};
    }

    /// The kernel takes a value within bounds as it is: after an interrupted write, too, a thread has ours or is not
    /// ours.
    [[nodiscard]] Result<KnobState> restore(const KnobAt& at, const KnobState& original, const KnobState& ours,
                                            Restore) const override {
        const auto was = ThreadNices::decode(original.detail);
        if (!was) return fail(was.error());
        const auto put = each_thread(at, [&](pid_t thread, int now) -> Status {
            if (now == was->of(thread) || !is(ours, now)) return {};
            return set_thread_nice(thread, was->of(thread));
        });
        if (!put) return fail(put.error());
        return read(at);
    }

    [[nodiscard]] std::string left_alone(const KnobAt& at, const KnobState& original) const override {
        const auto was = ThreadNices::decode(original.detail);
        if (!was) return {};
        std::size_t strange = 0;
        const auto looked = each_thread(at, [&](pid_t thread, int now) -> Status {
            if (now != was->of(thread)) ++strange;
            return {};
        });
        if (!looked || strange == 0) return {};
        return fmt::format("{} {} a value that is not ours and {} left alone", strange,
                           strange == 1 ? "thread has" : "threads have", strange == 1 ? "was" : "were");
    }

    [[nodiscard]] Result<bool> unchanged(const KnobAt& at, const KnobState& before) const override {
        const auto was = ThreadNices::decode(before.detail);
        if (!was) return fail(was.error());
        bool same = true;
        const auto looked = each_thread(at, [&](pid_t thread, int now) -> Status {
            if (now != was->of(thread)) same = false;
            return {};
        });
        if (!looked) return fail(looked.error());
        return same;
    }

    /// One thread with our value is enough: a program may set some of its threads itself, and these are not ours.
    [[nodiscard]] Result<bool> holds(const KnobAt& at, const KnobState& ours) const override {
        bool any = false;
        const auto looked = each_thread(at, [&](pid_t, int now) -> Status {
            if (is(ours, now)) any = true;
            return {};
        });
        if (!looked) return fail(looked.error());
        return any;
    }

    [[nodiscard]] bool same(const KnobState& now, const Value& to) const override {
        return now.value == to && now.detail.find(';') == std::string::npos;
    }

    [[nodiscard]] Result<UndoSafety> undo_safe(const KnobAt&, const KnobState&) const override { return UndoSafety{}; }

    [[nodiscard]] std::string describe(const KnobState& state) const override {
        const auto nices = ThreadNices::decode(state.detail);
        if (!nices) return to_string(state.value);
        if (nices->others.empty()) return std::to_string(nices->common);
        return fmt::format("{} ({} threads otherwise)", nices->common, nices->others.size());
    }

private:
    static bool is(const KnobState& ours, int nice) {
        const auto* const value = std::get_if<Quantity>(&ours.value);
        return value != nullptr && *value == count(nice);
    }
    static Status each_thread(const KnobAt& at, const std::function<Status(pid_t, int)>& visit) {
        const auto* const id = std::get_if<ProcessId>(&at.target);
        if (id == nullptr) return fail(at.knob + " is a knob of a process", EINVAL, to_string(at.target));
        return visit_threads(at.roots.proc, *id, [&](pid_t thread) -> Status {
            const auto now = thread_nice(thread);
            if (!now) return fail(now.error());
            return visit(thread, *now);
        });
    }
};

}  // namespace

const Knob& nice_knob() {
    static const NiceKnob knob;
    return knob;
}

}  // namespace gotuned

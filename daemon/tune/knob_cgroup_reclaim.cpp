// cgroup.memory.reclaim: asks the kernel once to reclaim so many bytes of a cgroup (Linux 5.19). Leaves nothing to
// undo.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "tune/cgroup_directory.h"
#include "tune/cgroup_file_knob.h"
#include "tune/crash_point.h"

namespace gotuned {
namespace {

class CgroupReclaimKnob final : public Knob {
public:
    [[nodiscard]] KnobTraits traits() const override {
        return {.name = "cgroup.memory.reclaim", .scope = Scope::cgroup, .one_shot = true};
    }

    [[nodiscard]] KnobAbility ability(const Roots& roots, const std::string&) const override {
        KnobAbility able = controller_ability(roots, "memory");
        // The root has the file, too.
        if (able.writable && ::access((roots.cgroup2 + "/memory.reclaim").c_str(), F_OK) != 0)
            able = {false, "the kernel has no memory.reclaim (Linux 5.19)"};
        return able;
    }

    [[nodiscard]] Result<KnobState> read(const KnobAt& at) const override {
        const auto directory = open(at);
        if (!directory) return fail(directory.error());
        return KnobState{bytes(0), {}};
    }

    [[nodiscard]] Result<Fitted> fit(const KnobAt& at, const PlannedWrite& planned, bool unsafe) const override {
        const auto directory = open(at);
        if (!directory) return fail(directory.error());
        if (::faccessat(directory->get(), "memory.reclaim", F_OK, 0) != 0)
            return fail("there is no memory.reclaim", ENOTSUP, "cgroup " + at.place,
                        "Linux 5.19 has it, in cgroups of which the memory controller is enabled");
        const auto current = cgroup_number(directory->get(), "memory.current");
        if (!current) return fail(current.error());
        return fit_quantity(planned, 0, unlimited_value, std::nullopt, Limit{*current, "the cgroup holds no more"},
                            unsafe);
    }

    [[nodiscard]] Result<Written> write(const KnobAt& at, const KnobState&, const Value& to) const override {
        const auto* const quantity = std::get_if<Quantity>(&to);
        if (quantity == nullptr || quantity->value < 0) return fail(at.knob + " takes a quantity", EINVAL);
        const auto directory = open(at);
        if (!directory) return fail(directory.error());
        const auto before = cgroup_number(directory->get(), "memory.current");
        crash_point("before cgroup write");
        const auto put = write_cgroup_file(directory->get(), "memory.reclaim", format_cgroup_limit(quantity->value));
        crash_point("after cgroup write");
        // EAGAIN: less could be reclaimed than was asked for; what could be, was.
        if (!put && put.error().code != EAGAIN) return fail(put.error());
        const auto after = cgroup_number(directory->get(), "memory.current");
        std::string note = put ? "" : "less could be reclaimed than was asked for";
        if (before && after)
            note += fmt::format("{}it holds {} less", note.empty() ? "" : ": ",
                                to_string(bytes(std::max(0.0, *before - *after))));
        return Written{{*quantity, {}}, std::move(note)};
    }

    [[nodiscard]] Result<KnobState> restore(const KnobAt&, const KnobState& original, const KnobState&,
                                            Restore) const override {
        return original;
    }
    [[nodiscard]] Result<bool> holds(const KnobAt&, const KnobState&) const override { return true; }
    [[nodiscard]] bool same(const KnobState&, const Value&) const override { return false; }
    [[nodiscard]] Result<UndoSafety> undo_safe(const KnobAt&, const KnobState&) const override { return UndoSafety{}; }

private:
    static Result<Fd> open(const KnobAt& at) {
        const auto* const cgroup = std::get_if<CgroupId>(&at.target);
        if (cgroup == nullptr) return fail(at.knob + " is a knob of a cgroup", EINVAL, to_string(at.target));
        return open_cgroup(at.roots, *cgroup, at.place);
    }
};

}  // namespace

const Knob& cgroup_reclaim_knob() {
    static const CgroupReclaimKnob knob;
    return knob;
}

}  // namespace gotuned

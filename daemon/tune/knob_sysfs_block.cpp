// sysfs.block.DEVICE.scheduler: the I/O scheduler of a disk. Only one that the kernel has loaded is written: no module
// is loaded on the way. A switch lets requests under way finish first (elevator_switch in block/elevator.c), so neither
// the write nor its undo fails any.
#include <fmt/format.h>

#include <cerrno>

#include "rulebook/knob_catalogue.h"
#include "tune/block_device.h"
#include "tune/knob.h"
#include "tune/sysfs_setting.h"

namespace gotuned {
namespace {

constexpr std::string_view prefix = "sysfs.block.";
constexpr std::string_view file = ".scheduler";

class BlockSchedulerKnob final : public Knob {
public:
    [[nodiscard]] KnobTraits traits() const override { return {.name = prefix, .prefix = true, .scope = Scope::host}; }

    [[nodiscard]] KnobAbility ability(const Roots& roots, const std::string& knob) const override {
        const auto device = device_of(knob);
        if (!device) return {false, to_string(device.error())};
        if (const auto there = disk_place(roots.sys, *device); !there) return {false, to_string(there.error())};
        return setting_ability(path(roots, knob), knob);
    }

    [[nodiscard]] Result<std::string> place(const KnobAt& at) const override {
        const auto device = device_of(at.knob);
        if (!device) return fail(device.error());
        return disk_place(at.roots.sys, *device);
    }

    [[nodiscard]] Result<KnobState> read(const KnobAt& at) const override {
        const auto now = look(at);
        if (!now) return fail(now.error());
        return now->state();
    }

    [[nodiscard]] Result<Fitted> fit(const KnobAt& at, const PlannedWrite& planned, bool unsafe) const override {
        const auto now = look(at);
        if (!now) return fail(now.error());
        return fit_word(*now, planned, {}, unsafe);
    }

    [[nodiscard]] Result<Written> write(const KnobAt& at, const KnobState&, const Value& to) const override {
        const auto* const word = std::get_if<std::string>(&to);
        if (word == nullptr) return fail(at.knob + " takes the name of a scheduler", EINVAL, "host");
        auto held = put(at, *word);
        if (!held) return fail(held.error());
        return Written{std::move(*held), {}};
    }

    [[nodiscard]] Result<KnobState> restore(const KnobAt& at, const KnobState& original, const KnobState&,
                                            Restore) const override {
        return put(at, original.detail);
    }

    [[nodiscard]] Result<UndoSafety> undo_safe(const KnobAt&, const KnobState&) const override { return UndoSafety{}; }
    [[nodiscard]] std::string describe(const KnobState& state) const override { return state.detail; }

private:
    /// A name is one part of a path, whatever it holds.
    static Result<std::string> device_of(std::string_view knob) {
        if (knob.starts_with(prefix) && knob.ends_with(file) && knob.size() > prefix.size() + file.size()) {
            const std::string_view device = knob.substr(prefix.size(), knob.size() - prefix.size() - file.size());
            if (device.find_first_of(std::string_view("/.\0", 3)) == std::string_view::npos) return std::string(device);
        }
        return fail(fmt::format("no knob of a disk: {}", knob), EINVAL, "host");
    }
    static std::string path(const Roots& roots, const std::string& knob) { return roots.sys + "/" + sysfs_file(knob); }
    static Result<SysfsSetting> look(const KnobAt& at) {
        const auto device = device_of(at.knob);
        if (!device) return fail(device.error());
        return read_setting(path(at.roots, at.knob), at.knob);
    }
    static Result<KnobState> put(const KnobAt& at, const std::string& scheduler) {
        const auto device = device_of(at.knob);
        if (!device) return fail(device.error());
        if (disk_presence(at.roots.sys, at.place) != Presence::there)
            return fail("the disk was taken out", ENOENT, *device);
        if (auto written = write_setting(path(at.roots, at.knob), at.knob, scheduler); !written)
            return fail(written.error());
        const auto held = look(at);
        if (!held) return fail(held.error());
        return held->state();
    }
};

}  // namespace

const Knob& block_scheduler_knob() {
    static const BlockSchedulerKnob knob;
    return knob;
}

}  // namespace gotuned

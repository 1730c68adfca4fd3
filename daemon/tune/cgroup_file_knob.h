// What all knobs of a cgroup's file have in common: the directory is held and its inode checked; the value is written
// through systemd where the cgroup is a unit's own, so that a daemon-reload keeps it, and else to the file. Each knob
// says what its file means and what bounds it.
#pragma once

#include <string>
#include <string_view>

#include "tune/cgroup_directory.h"
#include "tune/knob.h"
#include "tune/systemd_units.h"

namespace gotuned {

struct CgroupFile {
    std::string_view knob{};        ///< "cgroup.cpu.weight"
    std::string_view name{};        ///< "cpu.weight"
    std::string_view controller{};  ///< "cpu"
    UnitSetting setting{};          ///< of a unit; empty: units have none, so it is the file for them, too
    /// What a unit has as long as nothing of it needs the controller: systemd then turns it off, and there is no file.
    std::string_view without_controller{};
};

class CgroupFileKnob : public Knob {
public:
    explicit CgroupFileKnob(const CgroupFile& file) : file_(file) {}

    [[nodiscard]] KnobTraits traits() const override;
    [[nodiscard]] KnobAbility ability(const Roots& roots, const std::string& knob) const override;
    [[nodiscard]] Duration patience(const KnobAt& at) const override {
        return file_.setting.name.empty() ? Duration{} : unit_patience(at.roots);
    }
    [[nodiscard]] Result<KnobState> read(const KnobAt& at) const override;
    /// fit_in() in a cgroup that is there, of which systemd would let us take the change back.
    [[nodiscard]] Result<Fitted> fit(const KnobAt& at, const PlannedWrite& planned, bool unsafe) const final;
    [[nodiscard]] Result<Written> write(const KnobAt& at, const KnobState& before, const Value& to) const override;
    [[nodiscard]] Result<KnobState> restore(const KnobAt& at, const KnobState& original, const KnobState& ours,
                                            Restore which) const override;
    [[nodiscard]] std::string left_alone(const KnobAt& at, const KnobState& original) const override;
    [[nodiscard]] Status clear(const KnobAt& at, const KnobState& original, const KnobState& ours) const override;
    [[nodiscard]] Result<bool> holds(const KnobAt& at, const KnobState& ours) const override;

protected:
    [[nodiscard]] virtual Result<Value> parse(std::string_view text) const = 0;
    /// `now`: what the file holds, of which a part may stay.
    [[nodiscard]] virtual Result<std::string> format(const Value& value, std::string_view now) const = 0;
    [[nodiscard]] virtual UnitValue unit_value(const Value& value) const;
    /// What systemd writes to the file for its setting. `now`: what the file holds, of which a part may stay.
    [[nodiscard]] virtual Result<std::string> text_of(const UnitValue& setting, std::string_view now) const;
    [[nodiscard]] virtual Result<Fitted> fit_in(const KnobAt& at, int directory, const PlannedWrite& planned,
                                                bool unsafe) const = 0;

    [[nodiscard]] static Result<Fd> open(const KnobAt& at);
    [[nodiscard]] static Error in_cgroup(Error error, const KnobAt& at, std::string_view controller);
    [[nodiscard]] Error in_cgroup(Error error, const KnobAt& at) const {
        return in_cgroup(std::move(error), at, file_.controller);
    }
    /// The file's text, or what a unit has without it.
    [[nodiscard]] virtual Result<std::string> text(const KnobAt& at, int directory) const;
    [[nodiscard]] virtual Status put_text(const KnobAt& at, const std::string& text) const;

    const CgroupFile& file_;

private:
    [[nodiscard]] Result<std::string> text(const KnobAt& at) const;
    /// After systemd has read its units again: what it holds to be set of the unit is in the file, too. `before`: what
    /// the file held before.
    [[nodiscard]] Status follow_unit(const KnobAt& at, const std::string& unit, const std::string& before) const;
};

/// For people who read preflight: whether the controller is in the unified hierarchy, and its files may be written.
KnobAbility controller_ability(const Roots& roots, std::string_view controller);

/// "max" or a number.
Result<double> parse_cgroup_limit(std::string_view text);
std::string format_cgroup_limit(double value);
Result<double> cgroup_number(int directory, const std::string& file);

/// The lowest value of a file of limits in the cgroups above, or `host`; in words whose it is.
Limit lowest_above(const KnobAt& at, const std::string& file, Limit host);

/// CPUs in use: cpu.stat's usage over a fifth of a second. Blocks that long, so for the Worker alone.
Result<double> cpus_in_use(int directory);

}  // namespace gotuned

// advise: changes nothing. What it says is a record for people, made by the engine.
#include "tune/knob.h"

namespace gotuned {
namespace {

class AdviseKnob final : public Knob {
public:
    [[nodiscard]] KnobTraits traits() const override {
        return {.name = "advise", .scope = Scope::host, .one_shot = true, .changes = false};
    }
    [[nodiscard]] KnobAbility ability(const Roots&, const std::string&) const override { return {}; }
    [[nodiscard]] Result<KnobState> read(const KnobAt&) const override { return KnobState{std::string(), {}}; }
    [[nodiscard]] Result<Fitted> fit(const KnobAt&, const PlannedWrite& planned, bool) const override {
        return Fitted{planned.text, planned.text, {}};
    }
    [[nodiscard]] Result<Written> write(const KnobAt&, const KnobState&, const Value& to) const override {
        return Written{{to, {}}, {}};
    }
    [[nodiscard]] Result<KnobState> restore(const KnobAt&, const KnobState& original, const KnobState&,
                                            Restore) const override {
        return original;
    }
    [[nodiscard]] Result<UndoSafety> undo_safe(const KnobAt&, const KnobState&) const override { return UndoSafety{}; }
};

}  // namespace

const Knob& advise_knob() {
    static const AdviseKnob knob;
    return knob;
}

}  // namespace gotuned

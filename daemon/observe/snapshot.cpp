#include "observe/snapshot.h"

#include <array>

namespace gotuned {
namespace {

struct StateName {
    AdjustmentState state;
    std::string_view name;
};
/// The names are in the journal and in metrics: they stay.
constexpr std::array state_names{
    StateName{AdjustmentState::planned, "planned"}, StateName{AdjustmentState::applied, "applied"},
    StateName{AdjustmentState::kept, "kept"},       StateName{AdjustmentState::undo_deferred, "undo_deferred"},
    StateName{AdjustmentState::undone, "undone"},   StateName{AdjustmentState::refused, "refused"},
    StateName{AdjustmentState::drifted, "drifted"}, StateName{AdjustmentState::gone, "gone"},
    StateName{AdjustmentState::failed, "failed"},
};

struct CauseName {
    UndoCause cause;
    std::string_view name;
};
/// In the journal and in JSON: they stay.
constexpr std::array cause_names{
    CauseName{UndoCause::other, "other"},
    CauseName{UndoCause::condition_over, "condition_over"},
    CauseName{UndoCause::verification_failed, "verification_failed"},
    CauseName{UndoCause::rule_gone, "rule_gone"},
    CauseName{UndoCause::asked_for, "asked_for"},
};

}  // namespace

std::string_view to_string(AdjustmentState state) {
    for (const StateName& entry : state_names)
        if (entry.state == state) return entry.name;
    return "unknown";
}

std::optional<AdjustmentState> parse_adjustment_state(std::string_view text) {
    for (const StateName& entry : state_names)
        if (entry.name == text) return entry.state;
    return std::nullopt;
}

std::string_view to_string(UndoCause cause) {
    for (const CauseName& entry : cause_names)
        if (entry.cause == cause) return entry.name;
    return "unknown";
}

std::optional<UndoCause> parse_undo_cause(std::string_view text) {
    for (const CauseName& entry : cause_names)
        if (entry.name == text) return entry.cause;
    return std::nullopt;
}

const CgroupState* Snapshot::cgroup_of(const ProcessState& process) const {
    if (process.process == nullptr || process.process->cgroup_inode == 0) return nullptr;
    const auto found = cgroups.find(CgroupId{process.process->cgroup_inode});
    return found == cgroups.end() ? nullptr : found->second.get();
}

}  // namespace gotuned

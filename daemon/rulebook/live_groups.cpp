#include "rulebook/live_groups.h"

#include <algorithm>

namespace gotuned {
namespace {

bool is_live(AdjustmentState state) {
    switch (state) {
        case AdjustmentState::planned:
        case AdjustmentState::applied:
        case AdjustmentState::kept:
        case AdjustmentState::undo_deferred:
        case AdjustmentState::drifted:
            return true;
        case AdjustmentState::undone:
        case AdjustmentState::refused:
        case AdjustmentState::gone:
        case AdjustmentState::failed:
            return false;
    }
    return false;
}

void sum_up(LiveGroup& group) {
    const auto any = [&group](AdjustmentState state) {
        return std::any_of(group.adjustments.begin(), group.adjustments.end(),
                           [state](const LiveAdjustment* a) { return a->state == state; });
    };
    group.drifted = any(AdjustmentState::drifted);
    for (const LiveAdjustment* adjustment : group.adjustments) {
        if (adjustment->state == AdjustmentState::drifted) continue;
        group.step = std::max(group.step, adjustment->step);
        group.read_back = std::max(group.read_back, adjustment->read_back);
        if (adjustment->state == AdjustmentState::kept) group.kept_at = std::max(group.kept_at, adjustment->kept_at);
    }
    if (any(AdjustmentState::undo_deferred)) {
        group.condition_over = std::all_of(group.adjustments.begin(), group.adjustments.end(), [](const auto* a) {
            return a->state != AdjustmentState::undo_deferred || a->undo_cause == UndoCause::condition_over;
        });
        return;
    }
    if (any(AdjustmentState::planned)) {
        group.phase = LiveGroup::Phase::writing;
    } else if (any(AdjustmentState::applied)) {
        group.phase = LiveGroup::Phase::verifying;
    } else if (any(AdjustmentState::kept)) {
        group.phase = LiveGroup::Phase::kept;
    }
}

}  // namespace

LiveGroups live_groups(const Snapshot& snapshot) {
    LiveGroups all;
    for (const LiveAdjustment& adjustment : snapshot.adjustments) {
        if (!is_live(adjustment.state)) continue;
        std::vector<LiveGroup>& groups = all[{adjustment.rule, adjustment.target}];
        auto group =
            std::find_if(groups.begin(), groups.end(), [&](const LiveGroup& g) { return g.id == adjustment.group; });
        if (group == groups.end()) {
            groups.emplace_back();
            group = groups.end() - 1;
            group->id = adjustment.group;
        }
        group->adjustments.push_back(&adjustment);
    }
    for (auto& [owner, groups] : all)
        for (LiveGroup& group : groups) sum_up(group);
    return all;
}

}  // namespace gotuned

// After a start: what was interrupted is finished, what still stands is adopted, the rest is put back.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/log.h"
#include "tune/engine_impl.h"

namespace gotuned {

/// Planned, and the daemon that planned it is gone: the value is still the old one (it was never written), or anything
/// else, which is ours (rounded by the kernel, half the threads written).
void EngineImpl::settle_planned(std::int64_t id) {
    Live& live = *find(id);
    if (live.knob == nullptr) return begin_undo(id, {});
    const KnobAt at = live.at(options_.roots);
    if (presence(options_.roots, live.entry.target, live.entry.place) == Presence::gone)
        return end_gone(id, "the target has ended");
    const bool first = live.entry.kept_at == MonoTime{};
    const auto unchanged = live.knob->unchanged(at, live.entry.before);
    if ((unchanged && *unchanged) || live.knob->traits().one_shot) {
        if (first) return close(id, AdjustmentState::undone, "it had not been written yet", "start");
        return back_to_kept(live, live.entry.before);
    }
    begin_undo(id, {.how_far = first ? Undoing::chain : Undoing::step,
                    .reason = "the daemon ended while it was written",
                    .actor = "start",
                    .which = Restore::anything});
}

void EngineImpl::adopt_or_undo(std::int64_t id, const Rulebook* rulebook) {
    Live& live = *find(id);
    JournalEntry& entry = live.entry;
    if (rulebook != nullptr) {
        const Rule* const rule = rulebook->find(entry.rule);
        std::string why;
        if (rule == nullptr) {
            why = "rule removed";
        } else if (rule->mode != Mode::enforce) {
            why = "rule no longer enforced";
        } else if (std::none_of(rule->adjust.begin(), rule->adjust.end(),
                                [&](const Adjust& adjust) { return adjust.knob == entry.knob; })) {
            why = "rule no longer writes this knob";
        }
        if (!why.empty()) return begin_undo(id, {.reason = std::move(why), .actor = "start"});
    }
    const Presence there = presence(options_.roots, entry.target, entry.place);
    if (there == Presence::gone) return end_gone(id, "the target has ended");
    if (there == Presence::replaced)
        return begin_undo(id, {.reason = "the process executes another program now", .actor = "start"});
    const auto holds = live.knob->holds(live.at(options_.roots), *entry.set);
    if (holds && !*holds) {
        const auto now = live.knob->read(live.at(options_.roots));
        return drift(live, fmt::format("it holds {}, not our {}", now ? live.knob->describe(*now) : "something else",
                                       live.knob->describe(*entry.set)));
    }
    if (entry.state == AdjustmentState::applied) {
        entry.read_back = clock_.mono();  // verification starts at settle
        save(entry);
    }
    // Children that were forked while nobody looked.
    for (const Heir& heir : find_heirs(*live.knob, live.at(options_.roots), entry.since_ticks, {entry.set->value})) {
        const bool known = std::any_of(entry.heirs.begin(), entry.heirs.end(), [&](const Heir& other) {
            return other.pid == heir.pid && other.start_ticks == heir.start_ticks;
        });
        if (known || !journal_->add_heir(id, heir)) continue;
        entry.heirs.push_back(heir);
        watch(heir.pid, 1);
    }
    record(live, "adopted", rulebook == nullptr ? "without a rulebook" : "its rule still stands", "start");
}

Status EngineImpl::recover(const Snapshot& snapshot, const Rulebook* rulebook) {
    std::set<std::int64_t> interrupted;
    for (auto& [id, live] : live_) {
        if (live.entry.state == AdjustmentState::planned) interrupted.insert(live.entry.group);
        const bool seen = !std::holds_alternative<ProcessId>(live.entry.target) ||
                          snapshot.processes.contains(std::get<ProcessId>(live.entry.target));
        if (seen && !std::holds_alternative<CgroupId>(live.entry.target))
            live.entry.label = label_of(live.entry.target, snapshot);
        watch_all(live, 1);
    }
    Ids all = ids();
    std::reverse(all.begin(), all.end());
    for (const std::int64_t id : all) {
        Live* const live = find(id);
        if (live == nullptr) continue;
        const JournalEntry& entry = live->entry;
        if (entry.boot != boot_) {
            close(id, AdjustmentState::gone, "the host was rebooted since", "start");
        } else if (entry.state == AdjustmentState::planned) {
            settle_planned(id);
        } else if (live->knob == nullptr || (entry.set == std::nullopt && entry.undoing == Undoing::none)) {
            begin_undo(
                id, {.reason = "the journal does not say what was set", .actor = "start", .which = Restore::anything});
        } else if (entry.undoing != Undoing::none) {
            begin_undo(id, {.how_far = entry.undoing, .reason = entry.undo_reason, .actor = "start"});
        } else if (entry.state == AdjustmentState::undo_deferred) {
            begin_undo(id, {.reason = entry.undo_reason, .actor = "start"});
        } else if (entry.state == AdjustmentState::applied && interrupted.contains(entry.group)) {
            const Undoing how_far = entry.kept_at == MonoTime{} ? Undoing::chain : Undoing::step;
            begin_undo(
                id, {.how_far = how_far, .reason = "the daemon ended while its group was written", .actor = "start"});
        } else if (entry.state != AdjustmentState::drifted) {
            adopt_or_undo(id, rulebook);
        }
    }
    return {};
}

}  // namespace gotuned

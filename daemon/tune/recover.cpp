// After a start: what was interrupted is finished, what still stands is adopted, the rest is put back.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/log.h"
#include "tune/engine_impl.h"

namespace gotuned {
namespace {

/// Why an adjustment does not stand by this rulebook; empty when it does. Without one everything stands.
std::string rule_objection(const Rulebook* rulebook, const JournalEntry& entry) {
    if (rulebook == nullptr) return {};
    const Rule* const rule = rulebook->find(entry.rule);
    if (rule == nullptr) return "rule removed";
    if (rule->mode != Mode::enforce) return "rule no longer enforced";
    const bool writes = std::any_of(rule->adjust.begin(), rule->adjust.end(),
                                    [&](const Adjust& adjust) { return adjust.knob == entry.knob; });
    return writes ? "" : "rule no longer writes this knob";
}

}  // namespace

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
        return back_a_step(live, live.entry.before);
    }
    begin_undo(id, {.how_far = first ? Undoing::chain : Undoing::step,
                    .reason = "the daemon ended while it was written",
                    .actor = "start",
                    .which = Restore::anything});
}

/// Children that were forked while nobody looked: by their parents and by the value, the newest or an earlier step's.
void EngineImpl::find_unseen_heirs(Live& live) {
    JournalEntry& entry = live.entry;
    std::vector<Value> values{entry.set->value};
    if (entry.before.value != entry.original.value) values.push_back(entry.before.value);
    for (const Heir& heir : find_heirs(*live.knob, live.at(options_.roots), entry.since_ticks, values)) {
        const bool known = std::any_of(entry.heirs.begin(), entry.heirs.end(), [&](const Heir& other) {
            return other.pid == heir.pid && other.start_ticks == heir.start_ticks;
        });
        if (known || !journal_->add_heir(entry.id, heir)) continue;
        entry.heirs.push_back(heir);
        watch(heir.pid, 1);
    }
}

void EngineImpl::adopt_or_undo(std::int64_t id, const Rulebook* rulebook) {
    Live& live = *find(id);
    JournalEntry& entry = live.entry;
    const Presence there = presence(options_.roots, entry.target, entry.place);
    if (there == Presence::gone) return end_gone(id, "the target has ended");
    if (there == Presence::outlived) return begin_undo(id, {.reason = "the process has ended", .actor = "start"});
    if (there == Presence::replaced)
        return begin_undo(id, {.reason = "the process executes another program now", .actor = "start"});
    find_unseen_heirs(live);
    const auto holds = live.knob->holds(live.at(options_.roots), *entry.set);
    if (holds && !*holds) {
        const auto now = live.knob->read(live.at(options_.roots));
        const std::string words = now ? live.knob->describe(*now) : "something else";
        return drift(live, drift_words(live, words), words);
    }
    if (entry.state == AdjustmentState::applied) {
        entry.read_back = clock_.mono();  // verification starts at settle
        save(entry);
    }
    record(live, "adopted", rulebook == nullptr ? "without a rulebook" : "its rule still stands", "start");
}

/// A yield of which no adjustment tells any more lasts, too; but not longer than its process.
void EngineImpl::forget_ended_yields() {
    for (const Standing& standing : guard_.yielding()) {
        const bool told = std::any_of(live_.begin(), live_.end(), [&standing](const auto& item) {
            return item.second.entry.rule == standing.rule && item.second.entry.target == standing.target;
        });
        if (told || !std::holds_alternative<ProcessId>(standing.target)) continue;
        if (presence(options_.roots, standing.target, {}) != Presence::gone) continue;
        static_cast<void>(guard_.forget(standing.rule, standing.target));
        static_cast<void>(journal_->forget(standing));
    }
}

Status EngineImpl::recover(const Snapshot& snapshot, const Rulebook* rulebook) {
    // One group is written, fails and ends as one, also when it was interrupted after its first entry was journaled.
    std::set<std::int64_t> interrupted;
    std::set<std::int64_t> ending;
    for (auto& [id, live] : live_) {
        const JournalEntry& entry = live.entry;
        if (entry.state == AdjustmentState::planned || entry.undoing == Undoing::step) interrupted.insert(entry.group);
        if (entry.undoing == Undoing::chain && entry.state != AdjustmentState::planned) ending.insert(entry.group);
        const auto* const process = std::get_if<ProcessId>(&entry.target);
        if (process != nullptr && snapshot.processes.contains(*process))
            live.entry.label = label_of(entry.target, snapshot);
        watch_all(live, 1);
    }
    forget_ended_yields();
    Ids all = ids();
    std::reverse(all.begin(), all.end());
    for (const std::int64_t id : all) {
        const Live* const live = find(id);
        if (live == nullptr) continue;
        const JournalEntry& entry = live->entry;
        const std::string objection = rule_objection(rulebook, entry);
        const bool in_group = ending.contains(entry.group);
        if (entry.boot != boot_) {
            close(id, AdjustmentState::gone, "the host was rebooted since", "start");
        } else if (entry.state == AdjustmentState::planned) {
            settle_planned(id);
            // What goes back to a step that was kept must still stand by its rule.
            if (!objection.empty() || in_group)
                begin_undo(id, {.cause = objection.empty() ? entry.undo_cause : UndoCause::rule_gone,
                                .reason = objection,
                                .actor = "start"});
        } else if (live->knob == nullptr || (!entry.set && entry.undoing == Undoing::none)) {
            begin_undo(
                id, {.reason = "the journal does not say what was set", .actor = "start", .which = Restore::anything});
        } else if (entry.state == AdjustmentState::drifted) {
            Live& drifted = *find(id);
            drifted.entry.undoing = Undoing::none;
            // The yield is journaled after the drift: it may be missing.
            if (!guard_.yields(entry.rule, entry.target))
                save(guard_.yield(entry.rule, entry.target, "it was changed by somebody else"));
        } else if (!objection.empty()) {
            begin_undo(id, {.cause = UndoCause::rule_gone, .reason = objection, .actor = "start"});
        } else if (entry.undoing == Undoing::chain || entry.state == AdjustmentState::undo_deferred || in_group) {
            const Undoing how_far = entry.undoing == Undoing::step && !in_group ? Undoing::step : Undoing::chain;
            const bool said = !entry.undo_reason.empty();
            begin_undo(id, {.how_far = how_far,
                            .cause = entry.undo_cause,
                            .reason = said ? entry.undo_reason : "its group was being put back",
                            .actor = "start"});
        } else if (entry.undoing == Undoing::step ||
                   (entry.state == AdjustmentState::applied && interrupted.contains(entry.group))) {
            const Undoing how_far = entry.kept_at == MonoTime{} ? Undoing::chain : Undoing::step;
            begin_undo(
                id, {.how_far = how_far, .reason = "the daemon ended while its group was written", .actor = "start"});
        } else {
            adopt_or_undo(id, rulebook);
        }
    }
    return {};
}

}  // namespace gotuned

// A decision's writes: journaled together, then made one after the other; if one fails, those before it are undone.
#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "tune/engine_impl.h"
#include "tune/process.h"

namespace gotuned {

void EngineImpl::advise(const Decision& decision, const PreparedWrite& write, const std::string& label) {
    HistoryEntry entry;
    entry.event = "advised";
    entry.rule = decision.rule;
    entry.target = label;
    entry.target_id = to_string(decision.target);
    entry.knob = write.planned->knob;
    entry.to = write.planned->text;
    entry.evidence = to_string(decision.evidence);
    entry.actor = "rule";
    record(std::move(entry));
    log_info("rule {} for {} advises: {}", decision.rule, label, write.planned->text);
    count(decision.rule, write.planned->knob, "applied");
}

void EngineImpl::apply(const Decision& decision, Prepared& prepared) {
    const MonoTime now = clock_.mono();
    std::vector<JournalEntry> entries;
    for (const PreparedWrite& write : prepared.writes) {
        if (write.advises() || write.refused) continue;
        JournalEntry entry;
        if (write.chain != 0) {
            entry = find(write.chain)->entry;
        } else {
            entry.rule = decision.rule;
            entry.target = decision.target;
            entry.place = write.at.place;
            entry.knob = write.planned->knob;
            entry.original = *write.now;
            entry.group = decision.step > 1 ? decision.group : 0;
            entry.since_ticks = boot_ticks();
        }
        entry.label = prepared.label;
        entry.state = AdjustmentState::planned;
        entry.step = decision.step;
        entry.before = *write.now;
        entry.wanted = write.fitted->to;
        entry.set.reset();
        entry.cooldown = decision.cooldown;
        entry.planned_at = now;
        entry.before_values = decision.before;
        entry.evidence = to_string(decision.evidence);
        entries.push_back(std::move(entry));
    }
    if (!entries.empty()) {
        if (auto planned = journal_->plan(entries); !planned) {
            return refuse(decision, {Refusal::journal, to_string(planned.error())}, prepared);
        }
        guard_.spend(entries.size(), now);
    }
    refused_.erase({decision.rule, decision.target});
    std::int64_t group = 0;
    for (JournalEntry& entry : entries) {
        group = entry.group;
        Live& live = live_[entry.id];
        const bool made = live.knob == nullptr;
        live.knob = find_knob(entry.knob);
        live.entry = std::move(entry);
        ++live.revision;
        if (made) watch_all(live, 1);  // before the write: a child that is forked meanwhile is not missed
        std::string clamped;
        for (const PreparedWrite& write : prepared.writes)
            if (write.fitted && write.planned->knob == live.entry.knob) clamped = write.fitted->clamped;
        record(live, "planned", clamped, "rule");
    }
    for (const PreparedWrite& write : prepared.writes)
        if (write.advises()) advise(decision, write, prepared.label);
    if (entries.empty()) {
        // Nothing is in force that would hold the rule back: only cooldown keeps it from saying the same each tick.
        save(guard_.chain_ended(decision.rule, decision.target, decision.cooldown, now));
        return;
    }
    next_write(group);
}

void EngineImpl::next_write(std::int64_t group) {
    for (const std::int64_t id : group_ids(group)) {
        Live& live = *find(id);
        if (live.in_flight) return;
        if (live.entry.state != AdjustmentState::planned || live.entry.undoing != Undoing::none) continue;
        WriteTask task{live.knob, live.at(options_.roots), live.entry.before, live.entry.wanted};
        hand_over(live, [this, id, task = std::move(task)]() -> Worker::Finish {
            WriteResult result = run_write(task);
            return [this, id, result = std::move(result)] { finish_write(id, result); };
        });
        return;
    }
}

void EngineImpl::finish_write(std::int64_t id, const WriteResult& result) {
    Live* const live = find(id);
    if (live == nullptr) return;
    live->in_flight = live->overdue = false;
    ++live->revision;
    if (result.outcome != WriteResult::Outcome::written) {
        abandon_group(id, result);
        Live* const left = find(id);
        if (left == nullptr || left->in_flight || !left->next) return;
        const UndoRequest request = *left->next;
        left->next.reset();
        return begin_undo(id, request);
    }
    live->entry.set = result.written->held;
    live->writer.clear();  // of the value before
    live->entry.state = AdjustmentState::applied;
    live->entry.read_back = clock_.mono();
    save(live->entry);
    record(*live, "applied", result.written->note, "rule");
    count(live->entry.rule, live->entry.knob, "applied");
    const std::int64_t group = live->entry.group;
    if (live->next) {
        const UndoRequest request = *live->next;
        live->next.reset();
        begin_undo(id, request);
    }
    next_write(group);
}

void EngineImpl::back_to_kept(Live& live) {
    live.entry.state = AdjustmentState::kept;
    live.entry.undoing = Undoing::none;
    live.entry.undo_reason.clear();
    live.entry.undo_cause = UndoCause::other;
    live.entry.told.clear();
    ++live.revision;
    save(live.entry);
}

void EngineImpl::back_a_step(Live& live, const KnobState& held) {
    live.entry.set = held;
    live.entry.step = std::max(1, live.entry.step - 1);
    back_to_kept(live);
}

void EngineImpl::abandon_group(std::int64_t failed_id, const WriteResult& result) {
    using Outcome = WriteResult::Outcome;
    const JournalEntry at_fault = find(failed_id)->entry;
    Ids ids = group_ids(at_fault.group);
    std::reverse(ids.begin(), ids.end());
    if (result.outcome == Outcome::gone) {
        for (const std::int64_t id : ids) end_gone(id, result.reason);
        return;
    }
    if (result.outcome == Outcome::failed) {
        save(guard_.write_failed(at_fault.rule, at_fault.target, at_fault.cooldown, clock_.mono()));
        log_warning("rule {}: writing {} of {} failed: {}", at_fault.rule, at_fault.knob, at_fault.label,
                    result.reason);
    }
    const std::string others = fmt::format("writing {} failed: {}", at_fault.knob, result.reason);
    for (const std::int64_t id : ids) {
        Live& live = *find(id);
        const bool first = live.entry.kept_at == MonoTime{};
        const Undoing how_far = first ? Undoing::chain : Undoing::step;
        if (id == failed_id && result.outcome == Outcome::failed) {
            // Something of it may be written: half the threads, or a value that could not be read back.
            begin_undo(id, {.how_far = how_far,
                            .reason = result.reason,
                            .which = Restore::anything,
                            .end = AdjustmentState::failed});
        } else if (live.entry.state == AdjustmentState::planned && live.entry.undoing == Undoing::none) {
            // Never written.
            if (first) {
                const bool foreign = id == failed_id;
                close(id, foreign ? AdjustmentState::refused : AdjustmentState::failed,
                      foreign ? result.reason : others, "rule");
            } else {
                back_a_step(live, live.entry.before);
                if (id == failed_id) drift(live, result.reason, {});
            }
        } else if (live.entry.state == AdjustmentState::applied && live.entry.undoing == Undoing::none) {
            begin_undo(id, {.how_far = how_far, .reason = others});
        }
    }
}

}  // namespace gotuned

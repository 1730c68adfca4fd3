// Records, standings and ends: what the engine keeps of what it did.
#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "tune/engine_impl.h"

namespace gotuned {

Live* EngineImpl::find(std::int64_t id) {
    const auto found = live_.find(id);
    return found == live_.end() ? nullptr : &found->second;
}

EngineImpl::Ids EngineImpl::ids() const {
    Ids all;
    for (const auto& [id, live] : live_) all.push_back(id);
    return all;
}

EngineImpl::Ids EngineImpl::group_ids(std::int64_t group) const {
    Ids all;
    for (const auto& [id, live] : live_)
        if (live.entry.group == group) all.push_back(id);
    return all;
}

/// What cannot be saved is tried again each tick. Until then the journal has the state before, which a start
/// after a crash resolves to the safe side: something is looked at or put back once more.
void EngineImpl::save(const JournalEntry& entry) {
    unsaved_.erase(entry.id);
    if (auto saved = journal_->save(entry); !saved) {
        log_error("adjustment {}: {}", entry.id, to_string(saved.error()));
        unsaved_[entry.id] = entry;
    }
}

void EngineImpl::save(const Standing& standing) {
    if (auto saved = journal_->save(standing); !saved)
        log_error("rule {}: {}", standing.rule, to_string(saved.error()));
}

void EngineImpl::close(std::int64_t id, AdjustmentState state, const std::string& reason, const std::string& actor) {
    const auto found = live_.find(id);
    if (found == live_.end()) return;
    Live live = std::move(found->second);
    live_.erase(found);
    JournalEntry& entry = live.entry;
    const bool quiet = live.knob != nullptr && live.knob->traits().one_shot && state == AdjustmentState::undone;
    const bool known = state == AdjustmentState::drifted;  // drift() has told
    entry.state = state;
    entry.let_go = known;
    entry.undoing = Undoing::none;
    save(entry);
    if (!quiet && !known) {
        record(live, std::string(to_string(state)), reason, actor);
        count(entry.rule, entry.knob, to_string(state));
    }
    watch_all(live, -1);
    resolve(id, outcome_of(live, state, reason));
    if (!group_ids(entry.group).empty()) {
        if (!quiet && !known) broken_.insert(entry.group);
        return;
    }
    broken_.erase(entry.group);
    if (state == AdjustmentState::gone) {
        if (const auto standing = guard_.forget(entry.rule, entry.target))
            static_cast<void>(journal_->forget(*standing));
    } else if (!known) {
        save(guard_.chain_ended(entry.rule, entry.target, entry.cooldown, clock_.mono()));
    }
}

void EngineImpl::record(HistoryEntry entry) {
    entry.at = clock_.wall();
    if (history_ != nullptr) history_->add(std::move(entry));
}

void EngineImpl::record(const Live& live, const std::string& event, const std::string& reason,
                        const std::string& actor) {
    const JournalEntry& entry = live.entry;
    const auto words = [&live](const KnobState& state) {
        return live.knob != nullptr ? live.knob->describe(state) : to_string(state.value);
    };
    HistoryEntry out;
    out.event = event;
    out.adjustment = entry.id;
    out.group = entry.group;
    out.rule = entry.rule;
    out.target = entry.label;
    out.target_id = to_string(entry.target);
    out.knob = entry.knob;
    out.original = words(entry.original);
    const std::string set = entry.set ? words(*entry.set) : to_string(entry.wanted);
    const bool back = event == "undone" || event == "undo_deferred";
    const bool step = entry.undoing == Undoing::step;
    out.from = back ? set : words(entry.before);
    out.to = back ? words(step ? entry.before : entry.original) : set;
    out.reason = reason;
    out.evidence = entry.evidence;
    out.actor = actor;
    const std::string line =
        fmt::format("adjustment {}: {} of {} {}: {} → {} by rule {}{}{}", entry.id, entry.knob, entry.label, event,
                    out.from, out.to, entry.rule, reason.empty() ? "" : ": ", reason);
    const bool bad = event == "failed" || event == "drifted" || event == "verify_failed" || event == "undo_deferred" ||
                     event == "overdue";
    log_line(bad ? LogLevel::warning : event == "planned" ? LogLevel::debug : LogLevel::info, line);
    record(std::move(out));
}

void EngineImpl::count(const std::string& rule, const std::string& knob, std::string_view outcome) {
    ++totals_[{rule, knob, std::string(outcome)}];
}

std::string EngineImpl::why(const UndoRequest& request) {
    std::string_view cause;
    switch (request.cause) {
        case UndoCause::condition_over:
            cause = "condition over";
            break;
        case UndoCause::verification_failed:
            cause = "verification failed";
            break;
        case UndoCause::rule_gone:
            cause = "rule gone";
            break;
        case UndoCause::asked_for:
            cause = "asked for";
            break;
        case UndoCause::other:
            return request.reason;
    }
    return request.reason.empty() ? std::string(cause) : fmt::format("{}: {}", cause, request.reason);
}

UndoOutcome EngineImpl::outcome_of(const Live& live, AdjustmentState state, const std::string& reason) {
    return {live.entry.id, live.entry.rule, live.entry.label, live.entry.knob, state, reason};
}

void EngineImpl::start_batch(const Ids& ids, std::function<void(std::vector<UndoOutcome>)> done) {
    batches_.push_back({{ids.begin(), ids.end()}, {}, std::move(done)});
}

void EngineImpl::resolve(std::int64_t id, const UndoOutcome& outcome) {
    for (Batch& batch : batches_)
        if (batch.waiting.erase(id) != 0) batch.outcomes.push_back(outcome);
}

void EngineImpl::finish_batches() {
    std::vector<Batch> finished;
    for (auto batch = batches_.begin(); batch != batches_.end();) {
        if (!batch->waiting.empty()) {
            ++batch;
            continue;
        }
        finished.push_back(std::move(*batch));
        batch = batches_.erase(batch);
    }
    for (Batch& batch : finished)
        if (batch.done) batch.done(std::move(batch.outcomes));  // may ask for more
}

void EngineImpl::report_circuit() {
    if (!guard_.circuit_open() || circuit_told_) return;
    circuit_told_ = true;
    if (auto kept = journal_->set_flag(NodeFlag::circuit_open, true); !kept) log_error("{}", to_string(kept.error()));
    log_error(
        "too many verifications failed: every rule only observes now; look at gotunectl history, then gotunectl "
        "resume");
    HistoryEntry entry;
    entry.event = "circuit_open";
    entry.reason = "too many verifications failed: every rule only observes until gotunectl resume";
    entry.actor = "guard";
    record(std::move(entry));
}

}  // namespace gotuned

// Putting back: only what is still ours, and only when it is safe now; else it waits and is tried again. And the look
// at everything in force each tick, which finds what somebody else has changed and what has ended.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "base/log.h"
#include "tune/engine_impl.h"

namespace gotuned {
namespace {

/// "505 in use, the old limit is 256" and "504 in use, …" are one reason.
std::string without_numbers(std::string text) {
    std::erase_if(text, [](char c) { return c >= '0' && c <= '9'; });
    return text;
}

}  // namespace

void EngineImpl::begin_undo(std::int64_t id, const UndoRequest& request) {
    Live* const live = find(id);
    if (live == nullptr) return;
    if (live->in_flight) {
        // A forced request must not be lost to one that is not, nor the whole chain to a step.
        const bool weaker =
            live->next && (live->next->force || live->next->how_far == Undoing::chain) && !request.force;
        if (!weaker) live->next = request;
        // Whoever asked is not kept waiting for what may never come.
        if (live->overdue) resolve(id, outcome_of(*live, AdjustmentState::failed, late_words(*live)));
        return;
    }
    if (live->knob == nullptr) {
        log_error("adjustment {}: this version does not know the knob {}; it stays as it is", id, live->entry.knob);
        resolve(id, outcome_of(*live, AdjustmentState::failed, "this version does not know the knob"));
        return;
    }
    if (live->entry.state == AdjustmentState::planned && request.which == Restore::ours) {
        // Its turn in the group has not come: nothing of this step is written.
        if (live->entry.kept_at == MonoTime{})
            return close(id, AdjustmentState::undone, "it had not been written yet", request.actor);
        back_a_step(*live, live->entry.before);
        if (request.how_far == Undoing::step) return;
    }
    // An end of the daemon says nothing of why a chain is being put back already.
    const bool said = live->entry.undoing == Undoing::chain && request.cause == UndoCause::other;
    live->entry.undoing = request.how_far;
    live->undo = request;
    if (said) {
        live->undo.cause = live->entry.undo_cause;
        live->undo.reason = live->entry.undo_reason;
    }
    live->entry.undo_cause = live->undo.cause;
    live->entry.undo_reason = live->undo.reason;
    live->last_reason.clear();
    save(live->entry);
    submit_undo(*live);
}

void EngineImpl::submit_undo(Live& live) {
    ++live.revision;
    const JournalEntry& entry = live.entry;
    UndoTask task;
    task.knob = live.knob;
    task.at = live.at(options_.roots);
    task.to = entry.undoing == Undoing::step ? entry.before : entry.original;
    task.original = entry.original;
    task.ours = entry.set ? *entry.set : KnobState{entry.wanted, {}};
    // An undo of the step alone may have been interrupted before this one.
    if (entry.before != entry.original) task.earlier = entry.before;
    // Without a value that was read back nobody knows what the kernel made of ours.
    task.which = entry.set ? live.undo.which : Restore::anything;
    task.force = live.undo.force;
    task.heirs = entry.heirs;
    task.since_ticks = entry.since_ticks;
    task.ends = entry.undoing == Undoing::chain;
    hand_over(live, [this, id = entry.id, task = std::move(task)]() -> Worker::Finish {
        UndoResult result = run_undo(task);
        return [this, id, result = std::move(result)] { finish_undo(id, result); };
    });
}

/// To the worker: a write, or an undo.
void EngineImpl::hand_over(Live& live, Worker::Job job) {
    live.in_flight = true;
    live.overdue = false;
    live.handed_over = clock_.mono();
    worker_.submit(
        live.handed_over, std::move(job), [this, id = live.entry.id] { came_late(id); },
        live.knob->patience(live.at(options_.roots)));
}

void EngineImpl::came_late(std::int64_t id) {
    Live* const live = find(id);
    if (live == nullptr || !live->in_flight) return;
    live->overdue = true;
    const std::string words = late_words(*live);
    record(*live, "overdue", words, "worker");
    count(live->entry.rule, live->entry.knob, "overdue");
    resolve(id, outcome_of(*live, AdjustmentState::failed, words));
    finish_batches();
}

std::string EngineImpl::late_words(const Live& live) const {
    const auto took = std::chrono::duration_cast<std::chrono::seconds>(clock_.mono() - live.handed_over);
    return fmt::format("{} is still running after {}, and is settled when it comes back",
                       live.entry.undoing == Undoing::none ? "the write" : "the undo", to_string(time(took)));
}

void EngineImpl::finish_undo(std::int64_t id, const UndoResult& result) {
    using Outcome = UndoResult::Outcome;
    Live* const live = find(id);
    if (live == nullptr) return;
    live->in_flight = live->overdue = false;
    ++live->revision;
    take_heirs(*live, result.heirs);
    const UndoRequest request = live->undo;
    live->back = result.held.has_value();
    std::string reason = why(request);
    if (!result.reason.empty()) reason += (reason.empty() ? "" : "; ") + result.reason;
    switch (result.outcome) {
        case Outcome::undone:
            if (live->entry.undoing == Undoing::step) {
                record(*live, "undone", reason, request.actor);
                count(live->entry.rule, live->entry.knob, "undone");
                if (!live->next) resolve(id, outcome_of(*live, AdjustmentState::undone, reason));
                back_a_step(*live, result.held ? *result.held : live->entry.before);
                break;
            }
            return close(id, request.end, reason, request.actor);
        case Outcome::gone:
            return close(id, AdjustmentState::gone, result.reason, request.actor);
        case Outcome::drifted: {
            // It stays: people are to see the original for as long as the rule yields.
            const std::string words = drift_words(*live, result.now);
            const std::string began = why(request);
            drift(*live, began.empty() ? words : fmt::format("{}; found when it was to be put back ({})", words, began),
                  result.now);
            if (!live->next) resolve(id, outcome_of(*live, AdjustmentState::drifted, words + "; it is left alone"));
            break;
        }
        case Outcome::deferred:
            put_off(*live, AdjustmentState::undo_deferred, result.reason);
            break;
        case Outcome::failed:
            put_off(*live, AdjustmentState::failed, result.reason);
            break;
    }
    if (live->next) {
        const UndoRequest next = *live->next;
        live->next.reset();
        begin_undo(id, next);
    }
}

void EngineImpl::put_off(Live& live, AdjustmentState outcome, const std::string& reason) {
    live.last_reason = reason;
    live.undo.force = false;  // forcing was meant for now, not for later
    const std::string began = why(live.undo);
    const std::string words = began.empty() ? reason : fmt::format("{}; {}", began, reason);
    const std::string kind = fmt::format("{}: {}", to_string(outcome), without_numbers(words));
    if (live.entry.state != AdjustmentState::undo_deferred || live.entry.told != kind) {
        live.entry.state = AdjustmentState::undo_deferred;
        live.entry.told = kind;
        save(live.entry);
        record(live, std::string(to_string(outcome)), words, live.undo.actor);
        if (outcome == AdjustmentState::failed) count(live.entry.rule, live.entry.knob, "failed");
    }
    if (!live.next) resolve(live.entry.id, outcome_of(live, outcome, reason));
}

std::string EngineImpl::drift_words(const Live& live, const std::string& now) {
    const auto words = [&live](const KnobState& state) {
        return live.knob != nullptr ? live.knob->describe(state) : to_string(state.value);
    };
    return fmt::format("it holds {}, not our {}; the original was {}{}{}", now,
                       live.entry.set ? words(*live.entry.set) : to_string(live.entry.wanted),
                       words(live.entry.original), live.writer.empty() ? "" : "; written by ", live.writer);
}

void EngineImpl::drift(Live& live, const std::string& reason, const std::string& now) {
    const bool known = live.entry.state == AdjustmentState::drifted;
    live.now = now;
    live.entry.state = AdjustmentState::drifted;
    live.entry.undoing = Undoing::none;
    live.entry.undo_reason.clear();
    live.entry.undo_cause = UndoCause::other;
    ++live.revision;
    save(live.entry);
    if (known) return;
    // Cooldown counts from here: `resume` means now.
    save(guard_.chain_ended(live.entry.rule, live.entry.target, live.entry.cooldown, clock_.mono()));
    save(guard_.yield(live.entry.rule, live.entry.target, reason));
    record(live, "drifted", reason, live.writer.empty() ? "someone else" : live.writer);
    count(live.entry.rule, live.entry.knob, "drifted");
}

void EngineImpl::look_at_all() {
    if (looking_) return;
    std::vector<LookTask> tasks;
    for (const auto& [id, live] : live_) {
        const AdjustmentState state = live.entry.state;
        const bool in_force =
            state == AdjustmentState::applied || state == AdjustmentState::kept || state == AdjustmentState::drifted;
        if (!in_force || live.in_flight || live.unseen || live.knob == nullptr || !live.entry.set) continue;
        tasks.push_back({id, live.revision, live.knob, live.at(options_.roots), *live.entry.set});
    }
    if (tasks.empty()) return;
    looking_ = true;
    const std::uint64_t number = ++looks_;
    auto look = std::make_shared<Look>();
    look->tasks = std::move(tasks);
    worker_.submit(
        clock_.mono(),
        [this, number, look]() -> Worker::Finish {
            std::vector<LookResult> results = run_look(*look);
            return [this, number, results = std::move(results)] {
                if (number == looks_) looking_ = false;
                for (const LookResult& result : results)
                    if (Live* const live = find(result.id)) live->unseen = false;
                looked(results);
                if (!looking_ && std::exchange(look_again_, false)) look_at_all();
            };
        },
        [this, look] {
            looking_ = false;
            Live* const live = find(look->tasks[look->at].id);
            if (live == nullptr) return;
            live->unseen = true;
            log_warning("adjustment {}: reading {} of {} does not come back; until it does nobody sees it change",
                        live->entry.id, live->entry.knob, live->entry.label);
        });
}

void EngineImpl::looked(const std::vector<LookResult>& results) {
    for (const LookResult& result : results) {
        Live* const live = find(result.id);
        if (live == nullptr || live->revision != result.revision || live->in_flight) continue;
        if (result.presence == Presence::gone) {
            end_gone(result.id, "the target has ended");
        } else if (result.presence == Presence::outlived) {
            begin_undo(result.id, {.reason = "the process has ended", .actor = "exit"});
        } else if (result.presence == Presence::replaced) {
            begin_undo(result.id, {.reason = "the process executes another program now", .actor = "exec"});
        } else if (live->entry.state == AdjustmentState::drifted) {
            live->now = result.holds ? live->knob->describe(*live->entry.set) : result.now;
        } else if (!result.holds) {
            drift(*live, drift_words(*live, result.now), result.now);
        }
    }
}

void EngineImpl::undo(std::int64_t id, bool force, const std::string& actor,
                      std::function<void(std::vector<UndoOutcome>)> done) {
    Ids meant = ids();
    if (id != 0) {
        const Live* const live = find(id);
        meant = live != nullptr ? group_ids(live->entry.group) : Ids{};
    }
    start_batch(meant, std::move(done));
    std::reverse(meant.begin(), meant.end());
    for (const std::int64_t one : meant)
        begin_undo(one,
                   {.cause = UndoCause::asked_for, .reason = force ? "forced" : "", .actor = actor, .force = force});
    // Whatever could be answered at once is answered from complete(), too.
    worker_.submit(clock_.mono(), []() -> Worker::Finish { return {}; });
}

std::vector<UndoOutcome> EngineImpl::wait_for_undo(const Ids& ids, const UndoRequest& request, Duration patience) {
    std::vector<UndoOutcome> outcomes;
    start_batch(ids, [&outcomes](std::vector<UndoOutcome> all) { outcomes = std::move(all); });
    for (auto id = ids.rbegin(); id != ids.rend(); ++id) {
        const Live* const live = find(*id);
        if (live != nullptr && live->entry.boot != boot_)
            close(*id, AdjustmentState::gone, "the host was rebooted since", request.actor);
        else if (live != nullptr && live->entry.state == AdjustmentState::planned && !live->in_flight)
            settle_planned(*id);
        begin_undo(*id, request);  // after a settled step the chain is still to be undone
    }
    worker_.drain(clock_, patience);
    for (Batch& batch : batches_) {
        for (const std::int64_t id : batch.waiting)
            if (const Live* const live = find(id))
                batch.outcomes.push_back(outcome_of(*live, AdjustmentState::failed, "it has not come back in time"));
        batch.waiting.clear();
    }
    finish_batches();
    return outcomes;
}

std::vector<UndoOutcome> EngineImpl::stop(Duration patience) {
    if (!options_.undo_on_stop) {
        worker_.drain(clock_, patience);
        finish_batches();
        return {};
    }
    return wait_for_undo(ids(), {.reason = "the daemon stops", .actor = "stop"}, patience);
}

std::vector<UndoOutcome> EngineImpl::undo_everything(bool force, Duration patience) {
    return wait_for_undo(ids(), {.reason = "no daemon is running", .actor = "lease", .force = force}, patience);
}

}  // namespace gotuned

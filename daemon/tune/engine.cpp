// Opening, and what is done with each kind of decision.
#include "tune/engine.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "tune/engine_impl.h"

namespace gotuned {
namespace {

/// A decision that was not repeated for so long begins anew: its refusal is worth a new record.
constexpr Duration refusal_remembered = std::chrono::minutes(1);

}  // namespace

std::string boot_id(const Roots& roots) {
    const auto content = read_file(roots.proc + "/sys/kernel/random/boot_id");
    return content ? std::string(trim(*content)) : std::string();
}

EngineImpl::EngineImpl(const EngineOptions& options, const Clock& clock, History* history, RunLock lock,
                       std::unique_ptr<Journal> journal, std::string boot)
    : options_(options),
      clock_(clock),
      history_(history),
      lock_(std::move(lock)),
      journal_(std::move(journal)),
      boot_(std::move(boot)),
      guard_(GuardOptions{.per_minute = options.per_minute}),
      worker_(options.write_deadline) {}

Status EngineImpl::load() {
    const auto standings = journal_->standings();
    const auto paused = journal_->flag(NodeFlag::paused);
    const auto circuit = journal_->flag(NodeFlag::circuit_open);
    const auto spent = journal_->planned_since(clock_.mono() - Guard::budget_window);
    auto entries = journal_->open_entries();
    if (!spent) return fail(spent.error());
    if (!standings) return fail(standings.error());
    if (!paused) return fail(paused.error());
    if (!circuit) return fail(circuit.error());
    if (!entries) return fail(entries.error());
    guard_.restore(*standings, *paused, *circuit, *spent);
    circuit_told_ = *circuit;
    for (JournalEntry& entry : *entries) {
        Live live;
        live.knob = find_knob(entry.knob);
        live.entry = std::move(entry);
        const std::int64_t id = live.entry.id;
        live_.emplace(id, std::move(live));
    }
    if (const std::string warning = journal_->warning(); !warning.empty()) {
        HistoryEntry entry;
        entry.event = "failed";
        entry.reason = warning;
        entry.actor = "start";
        record(std::move(entry));
        log_error("{}", warning);
    }
    return find_broken_groups();
}

Status EngineImpl::find_broken_groups() {
    std::set<std::int64_t> ending;
    for (const auto& [id, live] : live_)
        if (live.entry.undoing == Undoing::chain) ending.insert(live.entry.group);
    if (ending.empty()) return {};
    const auto entries = journal_->all_entries();
    if (!entries) return fail(entries.error());
    for (const JournalEntry& entry : *entries) {
        const Knob* const knob = find_knob(entry.knob);
        const bool one_shot = knob != nullptr && knob->traits().one_shot;
        if (entry.closed() && !entry.let_go && !one_shot && ending.contains(entry.group)) broken_.insert(entry.group);
    }
    return {};
}

Result<std::unique_ptr<Engine>> Engine::open(const EngineOptions& options, const Clock& clock, History* history) {
    auto lock = RunLock::take(options.run_dir);
    if (!lock) return fail(lock.error());
    const std::string boot = boot_id(options.roots);
    auto journal = Journal::open(options.run_dir + "/journal.db", boot);
    if (!journal) return fail(journal.error());
    auto engine = std::make_unique<EngineImpl>(options, clock, history, std::move(*lock), std::move(*journal), boot);
    if (auto loaded = engine->load(); !loaded) return fail(loaded.error());
    return engine;
}

void EngineImpl::act(const std::vector<Decision>& decisions, const SnapshotPtr& snapshot) {
    worker_.overtake(clock_.mono());
    for (const Decision& decision : decisions) {
        switch (decision.kind) {
            case DecisionKind::fire:
                on_fire(decision, *snapshot);
                break;
            case DecisionKind::keep:
                on_keep(decision);
                break;
            case DecisionKind::fail:
                on_fail(decision);
                break;
            case DecisionKind::undo:
                on_undo(decision);
                break;
            case DecisionKind::call_off:
                on_call_off(decision);
                break;
        }
    }
}

void EngineImpl::on_fire(const Decision& decision, const Snapshot& snapshot) {
    const MonoTime now = clock_.mono();
    // The cheap objections first: a rule that only observes must not cost reads of the kernel at each Snapshot.
    if (const auto busy = chain_objection(decision)) return;  // its own adjustment: nothing worth a record
    const auto known = refused_.find({decision.rule, decision.target});
    if (const auto quick = guard_.admit(decision, now);
        quick && known != refused_.end() && known->second.word == word(quick->why)) {
        known->second.at = now;
        return;
    }
    Prepared prepared = prepare(decision, snapshot);
    if (prepared.refused) return refuse(decision, *prepared.refused, prepared);
    apply(decision, prepared);
}

void EngineImpl::refuse(const Decision& decision, const Refused& refused, const Prepared& prepared) {
    Seen& seen = refused_[{decision.rule, decision.target}];
    seen.at = clock_.mono();
    if (seen.word == word(refused.why)) return;
    seen.word = std::string(word(refused.why));
    for (const PreparedWrite& write : prepared.writes) {
        HistoryEntry entry;
        entry.event = "refused";
        entry.rule = decision.rule;
        entry.target = prepared.label;
        entry.target_id = to_string(decision.target);
        entry.knob = write.planned->knob;
        if (write.now) entry.from = write.knob->describe(*write.now);
        if (write.fitted)
            entry.to = to_string(write.fitted->to);
        else if (write.wanted.present())
            entry.to = to_string(*write.wanted);
        entry.reason = write.refused ? write.refused->text() : refused.text();
        entry.evidence = to_string(decision.evidence);
        entry.actor = "rule";
        record(std::move(entry));
        count(decision.rule, write.planned->knob, "refused");
    }
    const auto level = refused.why == Refusal::nothing_changes ? LogLevel::debug
                       : refused.why == Refusal::journal       ? LogLevel::error
                                                               : LogLevel::info;
    log_line(level, fmt::format("rule {} for {}: refused: {}", decision.rule, prepared.label, refused.text()));
}

void EngineImpl::on_keep(const Decision& decision) {
    bool any = false;
    for (const std::int64_t id : group_ids(decision.group)) {
        Live& live = *find(id);
        if (live.entry.state != AdjustmentState::applied || live.entry.undoing != Undoing::none) continue;
        any = true;
        live.entry.state = AdjustmentState::kept;
        live.entry.kept_at =
            decision.at;  // not the clock, which is past the Snapshot: `every` counts between Snapshots
        save(live.entry);
        record(live, "kept", decision.verified ? decision.reason : "unverified: " + decision.reason, "rule");
        count(live.entry.rule, live.entry.knob, "kept");
        if (live.knob != nullptr && live.knob->traits().one_shot)
            close(id, AdjustmentState::undone, "nothing to undo", "rule");
    }
    if (any && decision.verified) save(guard_.verified(decision.rule, decision.target));
}

void EngineImpl::on_fail(const Decision& decision) {
    Ids ids = group_ids(decision.group);
    std::erase_if(ids, [this](std::int64_t id) {
        const JournalEntry& entry = find(id)->entry;
        return entry.state != AdjustmentState::applied || entry.undoing != Undoing::none;
    });
    if (ids.empty()) return;
    const bool keeps = decision.otherwise == Otherwise::keep;
    for (const std::int64_t id : ids) {
        Live& live = *find(id);
        count(live.entry.rule, live.entry.knob, "verify_failed");
        record(live, "verify_failed", decision.reason, "rule");
        if (!keeps) continue;
        live.entry.state = AdjustmentState::kept;
        live.entry.kept_at = decision.at;
        save(live.entry);
        record(live, "kept", "otherwise: keep", "rule");
    }
    if (keeps) return;
    const Duration cooldown = find(ids.front())->entry.cooldown;
    save(guard_.verification_failed(decision.rule, decision.target, cooldown, clock_.mono()));
    report_circuit();
    std::reverse(ids.begin(), ids.end());
    for (const std::int64_t id : ids) {
        const bool first = find(id)->entry.kept_at == MonoTime{};
        begin_undo(id, {.how_far = first ? Undoing::chain : Undoing::step,
                        .cause = UndoCause::verification_failed,
                        .reason = decision.reason});
    }
}

void EngineImpl::on_undo(const Decision& decision) {
    Ids ids = group_ids(decision.group);
    std::reverse(ids.begin(), ids.end());
    for (const std::int64_t id : ids) {
        const Live& live = *find(id);
        if (live.entry.undoing == Undoing::chain || live.next) continue;  // said already
        begin_undo(id, {.how_far = Undoing::chain, .cause = decision.cause, .reason = decision.reason});
    }
}

void EngineImpl::on_call_off(const Decision& decision) {
    // One group is kept or put back as one. What the worker has may be written already: the next Snapshot says more.
    const Ids ids = group_ids(decision.group);
    const bool may = !broken_.contains(decision.group) && std::none_of(ids.begin(), ids.end(), [this](std::int64_t id) {
        const Live& live = *find(id);
        const bool waits = live.entry.undoing == Undoing::chain;
        return live.in_flight || live.back || (waits && live.entry.undo_cause != UndoCause::condition_over);
    });
    if (!may) return;
    for (const std::int64_t id : ids) {
        Live& live = *find(id);
        if (live.entry.state != AdjustmentState::undo_deferred) continue;
        const std::string began = why(live.undo);
        live.undo = {};
        live.last_reason.clear();
        back_to_kept(live);
        record(live, "kept", fmt::format("{}: its undo is called off ({})", decision.reason, began), "rule");
    }
}

void EngineImpl::tick(const SnapshotPtr& snapshot) {
    const MonoTime now = clock_.mono();
    worker_.overtake(now);
    std::map<std::int64_t, JournalEntry> again;
    std::swap(again, unsaved_);
    for (const auto& [id, entry] : again) save(entry);
    for (const Standing& standing : guard_.expire(now)) static_cast<void>(journal_->forget(standing));
    const Duration remembered = std::max(refusal_remembered, snapshot->window * 3);
    std::erase_if(refused_, [&](const auto& item) { return now - item.second.at > remembered; });
    for (auto& [id, live] : live_)
        if (live.entry.undoing != Undoing::none && !live.in_flight && live.knob != nullptr) submit_undo(live);
    look_at_all();
}

void EngineImpl::complete() {
    worker_.complete(clock_.mono());
    finish_batches();
}

std::vector<LiveAdjustment> EngineImpl::live() const {
    std::vector<LiveAdjustment> all;
    for (const auto& [id, live] : live_) {
        const JournalEntry& entry = live.entry;
        LiveAdjustment out;
        out.id = id;
        out.group = entry.group;
        out.rule = entry.rule;
        out.target = entry.target;
        out.knob = entry.knob;
        out.original = entry.original.value;
        out.set = entry.set ? entry.set->value : entry.before.value;
        out.state = entry.state;
        out.step = entry.step;
        out.read_back = entry.read_back;
        out.kept_at = entry.kept_at;
        out.undo_cause = entry.undo_cause;
        if (entry.state == AdjustmentState::drifted) {
            out.now = live.now;
            out.note = (live.writer.empty() ? "" : "written by " + live.writer + "; ") + "the rule yields until " +
                       resume_command(entry.rule, entry.target);
        } else if (entry.state == AdjustmentState::undo_deferred) {
            const std::string began = why(live.undo);
            out.note = began + (began.empty() || live.last_reason.empty() ? "" : "; ") + live.last_reason;
        }
        if (live.overdue) out.note = late_words(live);
        out.before = entry.before_values;
        all.push_back(std::move(out));
    }
    return all;
}

void EngineImpl::pause(bool paused, const std::string& actor) {
    guard_.pause(paused);
    if (auto kept = journal_->set_flag(NodeFlag::paused, paused); !kept) log_error("{}", to_string(kept.error()));
    if (!paused && guard_.circuit_open()) {
        guard_.close_circuit();
        circuit_told_ = false;
        if (auto kept = journal_->set_flag(NodeFlag::circuit_open, false); !kept)
            log_error("{}", to_string(kept.error()));
    }
    HistoryEntry entry;
    entry.event = paused ? "pause" : "resume";
    entry.actor = actor;
    record(std::move(entry));
}

Status EngineImpl::resume(const std::string& rule, const TargetId& target, const std::string& actor) {
    const auto standing = guard_.resume(rule, target);
    if (!standing) return fail(fmt::format("rule {} does not yield", clean_text(rule)), 0, to_string(target));
    save(*standing);
    for (const std::int64_t id : ids()) {
        const Live& live = *find(id);
        if (live.entry.rule != rule || live.entry.target != target || live.entry.state != AdjustmentState::drifted)
            continue;
        close(id, AdjustmentState::drifted, "what is there now is taken as it is", actor);
    }
    HistoryEntry entry;
    entry.event = "resume";
    entry.rule = rule;
    entry.target_id = to_string(target);
    entry.actor = actor;
    record(std::move(entry));
    return {};
}

void EngineImpl::rulebook_changed(const Rulebook& rulebook) {
    // A rule that is gone refuses nothing any more; its adjustments are the evaluator's to undo.
    std::erase_if(refused_, [&rulebook](const auto& item) { return rulebook.find(item.first.first) == nullptr; });
}

std::vector<Yield> EngineImpl::yields() const {
    std::vector<Yield> all;
    for (const Standing& standing : guard_.yielding())
        all.push_back(
            {standing.rule, standing.target, standing.yields_why, resume_command(standing.rule, standing.target)});
    return all;
}

std::vector<AdjustmentTotal> EngineImpl::totals() const {
    std::vector<AdjustmentTotal> all;
    for (const auto& [key, number] : totals_)
        all.push_back({std::get<0>(key), std::get<1>(key), std::get<2>(key), number});
    return all;
}

}  // namespace gotuned

// Children forked after a change inherit it: they are journaled, and undone with it. And targets that end.
#include <algorithm>

#include "base/log.h"
#include "tune/engine_impl.h"
#include "tune/process.h"

namespace gotuned {
namespace {

/// A fork bomb below an adjusted process must not fill the journal; the search at undo finds more by their parents.
constexpr std::size_t most_heirs = 4096;

}  // namespace

void EngineImpl::watch(pid_t pid, int by) {
    int& users = watched_[pid];
    const bool before = users > 0;
    users += by;
    const bool after = users > 0;
    if (!after) watched_.erase(pid);
    if (before != after && heir_changed) heir_changed(pid, after);
}

void EngineImpl::watch_all(const Live& live, int by) {
    if (live.knob == nullptr || !live.knob->traits().inherited) return;
    if (const auto* process = std::get_if<ProcessId>(&live.entry.target)) watch(process->pid, by);
    for (const Heir& heir : live.entry.heirs) watch(heir.pid, by);
}

void EngineImpl::take_heirs(Live& live, std::vector<Heir> heirs) {
    const auto same = [](const Heir& a) {
        return [&a](const Heir& b) { return a.pid == b.pid && a.start_ticks == b.start_ticks; };
    };
    for (const Heir& old : live.entry.heirs) {
        if (std::any_of(heirs.begin(), heirs.end(), same(old))) continue;
        static_cast<void>(journal_->drop_heir(live.entry.id, old));  // a row too many is looked at once more, no harm
        watch(old.pid, -1);
    }
    for (const Heir& heir : heirs) {
        const auto known = std::find_if(live.entry.heirs.begin(), live.entry.heirs.end(), same(heir));
        if (known != live.entry.heirs.end() && *known == heir) continue;
        if (auto added = journal_->add_heir(live.entry.id, heir); !added) log_error("{}", to_string(added.error()));
        if (known == live.entry.heirs.end()) watch(heir.pid, 1);
    }
    live.entry.heirs = std::move(heirs);
}

void EngineImpl::forked(pid_t parent, pid_t child) {
    std::optional<ProcessStat> stat;
    for (auto& [id, live] : live_) {
        JournalEntry& entry = live.entry;
        if (live.knob == nullptr || !live.knob->traits().inherited) continue;
        const auto* const process = std::get_if<ProcessId>(&entry.target);
        const bool ours = (process != nullptr && process->pid == parent) ||
                          std::any_of(entry.heirs.begin(), entry.heirs.end(),
                                      [parent](const Heir& heir) { return heir.pid == parent; });
        if (!ours || entry.heirs.size() >= most_heirs) continue;
        if (!stat) {
            const auto read = read_stat(options_.roots.proc, child);
            if (!read) return;  // ended already
            stat = *read;
        }
        KnobAt at = live.at(options_.roots);
        at.target = ProcessId{child, stat->start_ticks, 0};
        const auto now = live.knob->read(at);
        // Only what it can have from us: a child that was forked before the write has the old value.
        if (!now) continue;
        const bool newest = now->value == entry.wanted || (entry.set && now->value == entry.set->value);
        const bool kept = entry.kept_at != MonoTime{} && now->value == entry.before.value;
        if (now->value == entry.original.value || !(newest || kept)) continue;
        Heir heir{child, stat->start_ticks, *now};
        if (std::any_of(entry.heirs.begin(), entry.heirs.end(), [&](const Heir& other) {
                return other.pid == child && other.start_ticks == heir.start_ticks;
            })) {
            continue;
        }
        if (auto added = journal_->add_heir(id, heir); !added) log_error("{}", to_string(added.error()));
        entry.heirs.push_back(std::move(heir));
        watch(child, 1);
    }
}

void EngineImpl::end_gone(std::int64_t id, const std::string& reason) {
    Live* const live = find(id);
    if (live == nullptr) return;
    if (live->in_flight) return;  // the worker finds it gone, too
    // Its children live on with what they inherited, its successor with what outlives it.
    if (live->knob != nullptr && (!live->entry.heirs.empty() || live->knob->traits().outlives)) {
        if (live->entry.undoing != Undoing::chain || live->entry.state == AdjustmentState::planned)
            begin_undo(id, {.reason = reason, .actor = "exit", .which = Restore::anything});
        return;
    }
    close(id, AdjustmentState::gone, reason, "exit");
}

void EngineImpl::exited(pid_t pid) {
    for (const std::int64_t id : ids()) {
        Live* const live = find(id);
        if (live == nullptr) continue;
        std::vector<Heir> left = live->entry.heirs;
        std::erase_if(left, [&](const Heir& heir) {
            return heir.pid == pid &&
                   presence(options_.roots, ProcessId{heir.pid, heir.start_ticks, 0}, {}) == Presence::gone;
        });
        if (left.size() != live->entry.heirs.size() && !live->in_flight) take_heirs(*live, std::move(left));
        const auto* const process = std::get_if<ProcessId>(&live->entry.target);
        if (process == nullptr || process->pid != pid) continue;
        // The event may be of a thread, or of the process that had this number before.
        switch (presence(options_.roots, live->entry.target, live->entry.place)) {
            case Presence::gone:
                end_gone(id, "the process has ended");
                break;
            case Presence::outlived:
                if (live->entry.undoing != Undoing::chain)
                    begin_undo(id, {.reason = "the process has ended", .actor = "exit"});
                break;
            case Presence::there:
            case Presence::replaced:
                break;
        }
    }
}

}  // namespace gotuned

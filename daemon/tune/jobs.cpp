#include "tune/jobs.h"

#include <fmt/format.h>

#include <algorithm>

#include "tune/process.h"

namespace gotuned {
namespace {

using Outcome = UndoResult::Outcome;

struct One {
    Outcome outcome = Outcome::undone;
    std::string reason{};
    std::optional<KnobState> held{};
    std::string now{};
};

bool is_gone(const KnobAt& at) { return presence(at.roots, at.target, at.place) == Presence::gone; }

One failed_or_gone(const KnobAt& at, const Error& error) {
    if (is_gone(at)) return {Outcome::gone, "the target has ended", std::nullopt, {}};
    return {Outcome::failed, to_string(error), std::nullopt, {}};
}

/// One target or heir. Doing it twice is doing it once: an undo that was interrupted is simply done again.
One undo_one(const Knob& knob, const KnobAt& at, const KnobState& to, const KnobState& ours, Restore which, bool force,
             const std::optional<KnobState>& earlier) {
    if (knob.traits().one_shot) return {Outcome::undone, "nothing to undo", std::nullopt, {}};
    if (is_gone(at)) return {Outcome::gone, "the target has ended", std::nullopt, {}};
    const auto already = knob.unchanged(at, to);
    if (!already) return failed_or_gone(at, already.error());
    if (*already) return {Outcome::undone, {}, to, {}};
    if (which == Restore::ours) {
        auto holds = knob.holds(at, ours);
        if (holds && !*holds && earlier) holds = knob.holds(at, *earlier);
        if (!holds) return failed_or_gone(at, holds.error());
        if (!*holds) {
            const auto now = knob.read(at);
            return {Outcome::drifted, "it is not ours any more", std::nullopt,
                    now ? knob.describe(*now) : "something else"};
        }
    }
    if (!force) {
        const auto safe = knob.undo_safe(at, to);
        if (!safe) return failed_or_gone(at, safe.error());
        if (!safe->safe) return {Outcome::deferred, safe->reason, std::nullopt, {}};
    }
    auto held = knob.restore(at, to, ours, which);
    // An undo of the newest step alone may have been interrupted halfway: some threads have what the step before set.
    if (held && earlier) {
        const auto holds = knob.holds(at, *earlier);
        if (holds && *holds) held = knob.restore(at, to, *earlier, Restore::ours);
    }
    if (!held) return failed_or_gone(at, held.error());
    std::string note = knob.left_alone(at, to);
    if (note.empty() && held->value != to.value)
        note = fmt::format("the kernel made {} of {}", knob.describe(*held), to_string(to.value));
    return {Outcome::undone, std::move(note), std::move(*held), {}};
}

KnobAt at_heir(const KnobAt& at, const Heir& heir) {
    KnobAt there = at;
    there.target = ProcessId{heir.pid, heir.start_ticks, 0};
    return there;
}

}  // namespace

WriteResult run_write(const WriteTask& task) {
    switch (presence(task.at.roots, task.at.target, task.at.place)) {
        case Presence::gone:
        case Presence::outlived:
            return {WriteResult::Outcome::gone, std::nullopt, "the target has ended"};
        case Presence::replaced:
            return {WriteResult::Outcome::gone, std::nullopt, "the process executes another program now"};
        case Presence::there:
            break;
    }
    if (!task.knob->traits().one_shot) {
        const auto unchanged = task.knob->unchanged(task.at, task.before);
        if (!unchanged)
            return {is_gone(task.at) ? WriteResult::Outcome::gone : WriteResult::Outcome::foreign, std::nullopt,
                    to_string(unchanged.error())};
        if (!*unchanged)
            return {WriteResult::Outcome::foreign, std::nullopt,
                    "it was changed by somebody else while we were about to"};
    }
    auto written = task.knob->write(task.at, task.before, task.to);
    if (!written)
        return {is_gone(task.at) ? WriteResult::Outcome::gone : WriteResult::Outcome::failed, std::nullopt,
                to_string(written.error())};
    if (!task.knob->traits().one_shot && task.knob->same(task.before, written->held.value)) {
        return {WriteResult::Outcome::failed, std::nullopt,
                fmt::format("the kernel kept {}", to_string(written->held.value))};
    }
    return {WriteResult::Outcome::written, std::move(*written), {}};
}

UndoResult run_undo(const UndoTask& task) {
    UndoResult result;
    One target = undo_one(*task.knob, task.at, task.to, task.ours, task.which, task.force, task.earlier);
    if (target.outcome == Outcome::gone) {
        if (const auto cleared = task.knob->clear(task.at, task.original, task.ours); !cleared)
            target = {Outcome::failed,
                      fmt::format("the target has ended, but what is left of it: {}", to_string(cleared.error())),
                      std::nullopt,
                      {}};
    }
    result.outcome = target.outcome;
    result.reason = target.reason;
    result.held = target.held;
    result.now = target.now;
    if (!task.knob->traits().inherited) return result;

    std::vector<Heir> heirs = task.heirs;
    std::vector<Value> values{task.ours.value};
    if (task.earlier && task.earlier->value != task.to.value) values.push_back(task.earlier->value);
    for (Heir& found : find_heirs(*task.knob, task.at, task.since_ticks, values)) {
        const auto known = std::find_if(heirs.begin(), heirs.end(), [&](const Heir& heir) {
            return heir.pid == found.pid && heir.start_ticks == found.start_ticks;
        });
        if (known == heirs.end()) heirs.push_back(std::move(found));
    }
    std::string waiting;
    for (const Heir& heir : heirs) {
        const KnobAt at = at_heir(task.at, heir);
        if (!task.ends && heir.held.value != task.ours.value) {  // of an earlier step, which stays
            if (!is_gone(at)) result.heirs.push_back(heir);
            continue;
        }
        const One child = undo_one(*task.knob, at, task.to, heir.held, Restore::ours, task.force, std::nullopt);
        if (child.outcome == Outcome::undone && !task.ends)
            result.heirs.push_back({heir.pid, heir.start_ticks, task.to});
        if (child.outcome == Outcome::deferred || child.outcome == Outcome::failed) {
            result.heirs.push_back(heir);
            if (waiting.empty()) waiting = fmt::format("child pid {}: {}", heir.pid, child.reason);
        }
    }
    if (!waiting.empty() && result.outcome != Outcome::failed && result.outcome != Outcome::deferred) {
        result.outcome = Outcome::deferred;
        result.reason = waiting;
    }
    return result;
}

std::vector<Heir> find_heirs(const Knob& knob, const KnobAt& at, std::uint64_t since_ticks,
                             const std::vector<Value>& values) {
    std::vector<Heir> heirs;
    const auto* const process = std::get_if<ProcessId>(&at.target);
    if (process == nullptr || !knob.traits().inherited || is_gone(at)) return heirs;
    for (const ProcessId& child : descendants_since(at.roots.proc, process->pid, since_ticks)) {
        KnobAt there = at;
        there.target = child;
        const auto now = knob.read(there);
        if (now && std::find(values.begin(), values.end(), now->value) != values.end())
            heirs.push_back({child.pid, child.start_ticks, *now});
    }
    return heirs;
}

std::vector<LookResult> run_look(Look& look) {
    std::vector<LookResult> results;
    for (std::size_t i = 0; i < look.tasks.size(); ++i) {
        look.at = i;
        const LookTask& task = look.tasks[i];
        LookResult result{task.id, task.revision, presence(task.at.roots, task.at.target, task.at.place), true, {}};
        if (result.presence != Presence::gone) {
            const auto holds = task.knob->holds(task.at, task.ours);
            if (holds && !*holds) {
                result.holds = false;
                const auto now = task.knob->read(task.at);
                result.now = now ? task.knob->describe(*now) : "something else";
            }
        }
        results.push_back(std::move(result));
    }
    return results;
}

}  // namespace gotuned

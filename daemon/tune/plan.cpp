// What a decision would write: each knob is read, the value moved into its bounds, and objections are found. Changes
// nothing; `gotunectl plan` and the engine use the same.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "tune/engine_impl.h"
#include "tune/net_namespace.h"

namespace gotuned {

std::string label_of(const TargetId& target, const Snapshot& snapshot) {
    if (const auto* process = std::get_if<ProcessId>(&target)) {
        const auto found = snapshot.processes.find(*process);
        if (found == snapshot.processes.end()) return fmt::format("pid {}", process->pid);
        return clean_text(fmt::format("{} pid {}", found->second->service, process->pid));
    }
    if (const auto* cgroup = std::get_if<CgroupId>(&target)) {
        const auto found = snapshot.cgroups.find(*cgroup);
        if (found == snapshot.cgroups.end()) return fmt::format("cgroup {}", cgroup->inode);
        return clean_text("cgroup " + found->second->path);
    }
    return "host";
}

std::optional<Refused> EngineImpl::chain_objection(const Decision& decision) const {
    const Live* of_chain = nullptr;
    for (const auto& [id, live] : live_) {
        const JournalEntry& entry = live.entry;
        if (entry.rule != decision.rule || entry.target != decision.target) continue;
        if (entry.state == AdjustmentState::drifted) continue;  // the guard knows that the rule yields
        if (live.in_flight || entry.undoing != Undoing::none || entry.state == AdjustmentState::planned) {
            return Refused{Refusal::in_force, "it is being written or put back"};
        }
        if (decision.step <= 1 || entry.group != decision.group)
            return Refused{Refusal::in_force, fmt::format("adjustment {}", id)};
        if (entry.state != AdjustmentState::kept)
            return Refused{Refusal::in_force, fmt::format("step {} is not kept yet", entry.step)};
        of_chain = &live;
    }
    if (decision.step > 1 && of_chain == nullptr) return Refused{Refusal::gone, "the chain has ended"};
    return std::nullopt;
}

std::optional<Refused> EngineImpl::owner_objection(const Decision& decision, const PreparedWrite& write) const {
    const auto* const process = std::get_if<ProcessId>(&decision.target);
    for (const auto& [id, live] : live_) {
        const JournalEntry& entry = live.entry;
        if (entry.knob != write.planned->knob || id == write.chain) continue;
        const bool drifted = entry.state == AdjustmentState::drifted;
        const bool same_place = !entry.place.empty() && entry.place == write.at.place;
        const bool shared = same_place && is_net_place(entry.place);
        if (entry.target != decision.target && same_place && !shared)
            return Refused{Refusal::held,
                           fmt::format("adjustment {} of the cgroup that had its name is not cleared away yet", id)};
        if (entry.target == decision.target && entry.rule == decision.rule && drifted) continue;
        if (entry.target == decision.target || shared)
            return Refused{Refusal::held,
                           fmt::format("by rule {} (adjustment {}{})", entry.rule, id, drifted ? ", drifted" : "")};
        const bool inherited =
            process != nullptr && std::any_of(entry.heirs.begin(), entry.heirs.end(), [process](const Heir& heir) {
                return heir.pid == process->pid && heir.start_ticks == process->start_ticks;
            });
        if (inherited) return Refused{Refusal::held, fmt::format("inherited from {} (adjustment {})", entry.label, id)};
    }
    return std::nullopt;
}

void EngineImpl::look_closer(PreparedWrite& write, const Decision& decision, const Snapshot& snapshot) const {
    const PlannedWrite& planned = *write.planned;
    const auto object = [&write](Refusal why, std::string detail) { write.refused = Refused{why, std::move(detail)}; };
    write.knob = find_knob(planned.knob);
    if (write.knob == nullptr) return object(Refusal::not_built, planned.knob);
    if (write.advises()) {
        write.wanted = Value(planned.text);
        return;
    }
    if (!write.knob->turns(planned.knob, scope_of(decision.target))) {
        return object(Refusal::scope,
                      fmt::format("{} is a knob of a {}, the rule is of scope {}", planned.knob,
                                  to_string(write.knob->traits().scope), to_string(scope_of(decision.target))));
    }
    write.at = {options_.roots, planned.knob, decision.target, {}};
    if (const auto* cgroup = std::get_if<CgroupId>(&decision.target)) {
        const auto found = snapshot.cgroups.find(*cgroup);
        if (found == snapshot.cgroups.end()) return object(Refusal::gone, "the cgroup is not seen any more");
        write.at.place = found->second->path;
        if (std::string objection = kubelet_objection(write.at.place, planned.knob); !objection.empty()) {
            return object(Refusal::kubelet, std::move(objection));
        }
    }
    for (const auto& [id, live] : live_) {
        const bool same_chain = decision.step > 1 && live.entry.group == decision.group;
        if (same_chain && live.entry.knob == planned.knob && live.entry.target == decision.target) write.chain = id;
    }
    auto place = write.knob->place(write.at);
    if (!place) return object(Refusal::unreadable, to_string(place.error()));
    write.at.place = std::move(*place);
    if (auto objection = owner_objection(decision, write)) {
        write.refused = std::move(objection);
        return;
    }
    if (!planned.placement && !planned.to.present()) return object(Refusal::unknown, to_string(planned.to.absent()));
    if (planned.to.present()) write.wanted = planned.to;
    switch (presence(options_.roots, decision.target, write.at.place)) {
        case Presence::gone:
        case Presence::outlived:
            return object(Refusal::gone, "it has ended");
        case Presence::replaced:
            return object(Refusal::gone, "it executes another program now");
        case Presence::there:
            break;
    }
    auto now = write.knob->read(write.at);
    if (!now) return object(Refusal::unreadable, to_string(now.error()));
    write.now = std::move(*now);
    if (write.chain != 0) {
        const auto& set = live_.at(write.chain).entry.set;
        const auto holds = set ? write.knob->holds(write.at, *set) : Result<bool>(false);
        if (holds && !*holds) return object(Refusal::yields, "it does not hold our value any more");
    }
    auto fitted = write.knob->fit(write.at, planned, options_.unsafe_bounds);
    if (!fitted) return object(Refusal::out_of_bounds, to_string(fitted.error()));
    write.fitted = std::move(*fitted);
    write.wanted = write.fitted->wanted;
    if (write.knob->same(*write.now, write.fitted->to)) {
        object(Refusal::nothing_changes, fmt::format("it holds {} already{}{}", write.knob->describe(*write.now),
                                                     write.fitted->clamped.empty() ? "" : "; ", write.fitted->clamped));
    }
}

Prepared EngineImpl::prepare(const Decision& decision, const Snapshot& snapshot) const {
    Prepared prepared;
    prepared.label = label_of(decision.target, snapshot);
    std::size_t changes = 0;
    std::size_t advice = 0;
    std::optional<Refused> unchanged;
    std::optional<Refused> objection;
    for (const PlannedWrite& planned : decision.writes) {
        PreparedWrite& write = prepared.writes.emplace_back();
        write.planned = &planned;
        look_closer(write, decision, snapshot);
        if (write.advises())
            ++advice;
        else if (!write.refused)
            ++changes;
        else if (write.refused->why == Refusal::nothing_changes)
            unchanged = write.refused;
        else if (!objection)
            objection = write.refused;
    }
    const MonoTime now = clock_.mono();
    prepared.standing = guard_.objections(decision, now);
    if (!prepared.standing.empty()) prepared.refused = prepared.standing.front();
    if (!prepared.refused) prepared.refused = chain_objection(decision);
    if (prepared.refused) return prepared;
    // A group is made whole or not at all; but what holds its value already needs no write.
    if (objection)
        prepared.refused = objection;
    else if (changes == 0 && advice == 0)
        prepared.refused = unchanged ? *unchanged : Refused{Refusal::nothing_changes, "it writes nothing"};
    else if (changes != 0 && worker_.blocked(now))
        prepared.refused = Refused{Refusal::worker_blocked, "an earlier write has not come back"};
    else
        prepared.refused = guard_.afford(changes, now);
    return prepared;
}

namespace {

/// Everything that holds one write back, so that nobody lifts one thing only to meet the next.
std::string objections(const Prepared& prepared, const PreparedWrite& write) {
    std::string text;
    const auto add = [&text](const Refused& refused) { text += (text.empty() ? "" : "; ") + refused.text(); };
    if (write.refused) add(*write.refused);
    for (const Refused& refused : prepared.standing) add(refused);
    if (text.empty() && prepared.refused) add(*prepared.refused);
    return text;
}

}  // namespace

std::vector<PlanItem> EngineImpl::plan(const std::vector<Decision>& decisions, const Snapshot& snapshot) const {
    std::vector<PlanItem> items;
    for (const Decision& decision : decisions) {
        if (decision.kind != DecisionKind::fire) continue;
        const Prepared prepared = prepare(decision, snapshot);
        for (const PreparedWrite& write : prepared.writes) {
            PlanItem item;
            item.rule = decision.rule;
            item.target = decision.target;
            item.knob = write.planned->knob;
            if (write.now) item.now = write.now->value;
            item.wanted = write.wanted.present() ? write.wanted : write.planned->to;
            if (write.fitted) {
                item.to = write.fitted->to;
                item.clamped = write.fitted->clamped;
            } else if (write.advises()) {
                item.to = Value(write.planned->text);
            }
            item.refused = objections(prepared, write);
            item.mode = decision.mode;
            item.evidence = to_string(decision.evidence);
            items.push_back(std::move(item));
        }
    }
    return items;
}

}  // namespace gotuned

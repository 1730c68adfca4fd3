#include "rulebook/judged_target.h"

#include <algorithm>
#include <bitset>
#include <iterator>
#include <utility>

#include "rulebook/rule_needs.h"

namespace gotuned {
namespace {

/// No expression tells one from the other. Distributions must be the very same, and of events over the same time.
bool reads_the_same(const SignalReading& a, const SignalReading& b) {
    if (a.value != b.value || looked(a.exposure.observed) != looked(b.exposure.observed)) return false;
    if (looked(a.exposure.observed) == Looked::too_little)
        return a.exposure == b.exposure;  // the reason says for how long
    if (!a.value.present()) return true;
    const auto* distribution = std::get_if<DistributionPtr>(&*a.value);
    return distribution == nullptr || *distribution == nullptr || (*distribution)->count() == 0 ||
           a.exposure == b.exposure;
}

using Changed = std::bitset<static_cast<std::size_t>(Signal::end_of_signals)>;

/// Adds what reads otherwise of a process or a cgroup than before.
template <typename State>
void add_changes(Changed& changed, Scope scope, const State* before, const State* now) {
    if (before == now) return;
    if (before == nullptr || now == nullptr) {
        for (const SignalInfo& signal : signals())
            if (signal.scope == scope) changed.set(static_cast<std::size_t>(signal.id));
        return;
    }
    before->signals.for_each_difference(now->signals, [&](Signal id) {
        if (!reads_the_same(before->signals.get(id), now->signals.get(id))) changed.set(static_cast<std::size_t>(id));
    });
}

}  // namespace

std::vector<RuleFacts> facts_of(const Rulebook& rulebook) {
    std::vector<RuleFacts> facts;
    facts.reserve(rulebook.rules.size());
    for (const Rule& rule : rulebook.rules) {
        const auto of_host = [](Signal id) { return info(id).scope == Scope::host; };
        const auto by_when = rule.when != nullptr ? rule.when->needs().signals : std::set<Signal>{};
        RuleFacts made;
        made.follows = follows_from_state(rule);
        std::ranges::remove_copy_if(reaches_back(rule) ? needs_of(rule).signals : by_when,
                                    std::back_inserter(made.reads), of_host);
        made.reads_host = std::ranges::any_of(by_when, of_host);
        facts.push_back(std::move(made));
    }
    return facts;
}

void JudgedTarget::renew(const std::vector<RuleFacts>& facts, std::shared_ptr<const ProcessState> process_now,
                         std::shared_ptr<const CgroupState> cgroup_now) {
    if (outcomes.size() != facts.size()) {
        outcomes.assign(facts.size(), Outcome::anew);
        unknown.clear();
        waiting.clear();
    } else if (process != process_now || cgroup != cgroup_now) {
        Changed changed;
        add_changes(changed, Scope::process, process.get(), process_now.get());
        add_changes(changed, Scope::cgroup, cgroup.get(), cgroup_now.get());
        const auto is_changed = [&changed](Signal id) { return changed.test(static_cast<std::size_t>(id)); };
        for (std::size_t place = 0; changed.any() && place < facts.size(); ++place)
            if (outcomes[place] != Outcome::anew && std::ranges::any_of(facts[place].reads, is_changed)) forget(place);
    }
    process = std::move(process_now);
    cgroup = std::move(cgroup_now);
}

void JudgedTarget::forget(std::size_t place) {
    if (place >= outcomes.size()) return;  // nothing was judged
    const auto of_it = [place](const auto& entry) { return entry.first == place; };
    outcomes[place] = Outcome::anew;
    std::erase_if(unknown, of_it);
    std::erase_if(waiting, of_it);
}

const std::shared_ptr<const Absent>& JudgedTarget::why_unknown(std::size_t place) const {
    return std::ranges::find(unknown, place, &decltype(unknown)::value_type::first)->second;
}

Cell* JudgedTarget::waiting_cell(std::size_t place) const {
    const auto found = std::ranges::find(waiting, place, &std::pair<std::size_t, Cell*>::first);
    return found == waiting.end() ? nullptr : found->second;
}

}  // namespace gotuned

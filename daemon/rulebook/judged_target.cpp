#include "rulebook/judged_target.h"

#include <algorithm>
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

bool reads_the_same(const std::vector<Signal>& signals, const ProcessState* process_before,
                    const ProcessState* process_now, const CgroupState* cgroup_before, const CgroupState* cgroup_now) {
    const auto same = [](const auto* before, const auto* now, Signal id) {
        if (before == now) return true;
        return before != nullptr && now != nullptr && reads_the_same(before->signals.get(id), now->signals.get(id));
    };
    return std::all_of(signals.begin(), signals.end(), [&](Signal id) {
        return info(id).scope == Scope::process ? same(process_before, process_now, id)
                                                : same(cgroup_before, cgroup_now, id);
    });
}

}  // namespace

std::vector<RuleFacts> facts_of(const Rulebook& rulebook) {
    std::vector<RuleFacts> facts;
    facts.reserve(rulebook.rules.size());
    for (const Rule& rule : rulebook.rules) {
        const auto signals = reaches_back(rule)     ? needs_of(rule).signals
                             : rule.when != nullptr ? rule.when->needs().signals
                                                    : std::set<Signal>{};
        facts.push_back({follows_from_state(rule), {signals.begin(), signals.end()}});
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
        for (std::size_t place = 0; place < facts.size(); ++place) {
            if (outcomes[place] == Outcome::anew ||
                reads_the_same(facts[place].reads, process.get(), process_now.get(), cgroup.get(), cgroup_now.get()))
                continue;
            forget(place);
        }
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

#include "rulebook/evaluator.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "rulebook/precedence.h"
#include "rulebook/pressure_rules.h"
#include "rulebook/rule_state.h"
#include "rulebook/rule_targets.h"

namespace gotuned {
namespace {

class Evaluator {
public:
    Evaluator(const Rulebook& rulebook, const Snapshot& snapshot, RuleState::Data& memory,
              std::vector<RuleStanding> room)
        : rulebook_(rulebook),
          snapshot_(snapshot),
          memory_(memory),
          targets_(rulebook, snapshot),
          live_(live_groups(snapshot)),
          claims_(rulebook, live_) {
        room.clear();
        out_.standings = std::move(room);
    }

    gotuned::Evaluation run() {
        if (snapshot_.woken_for) return run_woken();
        ++memory_.round;
        end_orphans();
        if (std::exchange(memory_.rules, rulebook_.rules.data()) != rulebook_.rules.data() ||
            memory_.facts.size() != rulebook_.rules.size()) {
            memory_.judged.clear();
            memory_.facts = facts_of(rulebook_);
            memory_.order = by_precedence(rulebook_);
        }
        for (const Rule* rule : memory_.order) {
            RuleFacts& facts = memory_.facts[place_of(*rule)];
            if (facts.follows && facts.reads_host) {
                auto parts = rule->when->host_parts(snapshot_);
                facts.host_changed = parts != std::exchange(facts.host_parts, parts);
            }
            const auto& targets = targets_.of(*rule);
            out_.targets[rule->name] = targets.size();
            if (!facts.follows) {
                for (const TargetId& target : targets) step(*rule, target);
                continue;
            }
            const auto& judged = judged_of(targets);
            for (std::size_t i = 0; i < targets.size(); ++i) step_if_changed(*rule, targets[i], *judged[i]);
            for (const auto& [reason, count] : std::exchange(still_unknown_, {}))
                out_.unknowns[{rule->name, reason}] += count;
        }
        std::erase_if(memory_.judged, [this](const auto& entry) { return entry.second.round != memory_.round; });
        std::erase_if(memory_.cells, [this](const auto& entry) { return entry.second.round != memory_.round; });
        std::erase_if(memory_.unmatched, [this](const auto& entry) {
            return std::none_of(snapshot_.adjustments.begin(), snapshot_.adjustments.end(),
                                [&entry](const LiveAdjustment& live) { return live.group == entry.first; });
        });
        for (Decision& decision : fires_) out_.decisions.push_back(std::move(decision));
        return std::move(out_);
    }

private:
    /// Between two ticks: those rules whose every value is new. Nothing is forgotten, and no rule is missed.
    gotuned::Evaluation run_woken() {
        for (const Rule* rule : by_precedence(rulebook_)) {
            const bool answers = answers_pressure(*rule);
            for (const TargetId& target : targets_.of(*rule)) {
                const auto known = memory_.cells.find(RuleAndTargetView{rule->name, target});
                if (answers && concerns(target)) {
                    // What it remembers from here on is not what was settled.
                    if (const auto judged = memory_.judged.find(target); judged != memory_.judged.end())
                        judged->second.forget(place_of(*rule));
                    step(*rule, target);
                } else if (known != memory_.cells.end() && known->second.fires) {
                    claims_.fires(*rule, target);  // it goes on firing, so what comes after it goes on yielding
                }
            }
        }
        for (Decision& decision : fires_) out_.decisions.push_back(std::move(decision));
        return std::move(out_);
    }
    [[nodiscard]] bool concerns(const TargetId& target) const {
        if (std::holds_alternative<HostId>(target)) return true;
        const std::uint64_t inode = targets_.cgroup_inode(target);
        return inode != 0 && snapshot_.woken_for->contains(CgroupId{inode});
    }

    [[nodiscard]] const std::vector<LiveGroup>& groups_of(const Rule& rule, const TargetId& target) const {
        static const std::vector<LiveGroup> none;
        const auto found = live_.find(RuleAndTargetView{rule.name, target});
        return found == live_.end() ? none : found->second;
    }
    [[nodiscard]] Decision decision(DecisionKind kind, const Rule& rule, const TargetId& target) const {
        return decision_of(kind, rule, target, snapshot_.at);
    }

    /// Live groups that no rule stands behind any more.
    void end_orphans() {
        for (const auto& [owner, groups] : live_) {
            const auto& [name, target] = owner;
            if (targets_.left(target)) continue;
            const Rule* rule = rulebook_.find(name);
            for (const LiveGroup& group : groups) {
                if (group.phase == LiveGroup::Phase::hands_off || group.phase == LiveGroup::Phase::writing) continue;
                std::string reason = rule == nullptr ? "rule removed" : why_end(*rule, group);
                if (reason.empty()) {
                    reason = targets_.why_not(*rule, target);
                    if (!lasts(group.id, target, !reason.empty())) continue;
                }
                ended_.insert(group.id);
                Rule unknown;
                unknown.name = name;
                unknown.mode = Mode::enforce;
                Decision made = decision(DecisionKind::undo, rule == nullptr ? unknown : *rule, target);
                made.group = group.id;
                made.step = group.step;
                made.cause = UndoCause::rule_gone;
                made.reason = std::move(reason);
                out_.decisions.push_back(std::move(made));
            }
        }
    }
    /// Whether a target has been unmatched for long enough. A cgroup (or the host, by its processes) is for a moment
    /// without a Go process when a service re-execs or restarts, and in the first Snapshots of a daemon, before the
    /// binaries are recognised: that must not shake it.
    bool lasts(std::int64_t group, const TargetId& target, bool unmatched) {
        constexpr int snapshots = 3;
        if (!unmatched) {
            memory_.unmatched.erase(group);
            return false;
        }
        if (scope_of(target) == Scope::process) return true;
        int& seen = memory_.unmatched[group];
        seen = std::min(seen + 1, snapshots);
        return seen == snapshots;
    }
    static std::string why_end(const Rule& rule, const LiveGroup& group) {
        if (rule.mode != Mode::enforce) return "rule no longer enforced";
        for (const LiveAdjustment* adjustment : group.adjustments) {
            const bool writes = std::any_of(rule.adjust.begin(), rule.adjust.end(),
                                            [&](const Adjust& line) { return line.knob == adjustment->knob; });
            if (!writes) return fmt::format("rule no longer writes {}", adjustment->knob);
        }
        return {};
    }

    [[nodiscard]] std::size_t place_of(const Rule& rule) const {
        return static_cast<std::size_t>(&rule - rulebook_.rules.data());
    }

    /// A rule whose condition was false or unknown for a target still is while what it reads is the same.
    void step_if_changed(const Rule& rule, const TargetId& target, JudgedTarget& judged) {
        using Outcome = JudgedTarget::Outcome;
        const std::size_t place = place_of(rule);
        if (memory_.facts[place].host_changed) judged.forget(place);
        Outcome& outcome = judged.outcomes[place];
        if (outcome != Outcome::anew && (live_.empty() || !live_.contains(RuleAndTargetView{rule.name, target}))) {
            if (Cell* cell = judged.waiting_cell(place)) {
                cell->waits = true;
                cell->round = memory_.round;
            }
            if (outcome == Outcome::unknown) still_unknown(rule, target, judged.why_unknown(place));
            return;
        }
        judged.forget(place);
        looked_at_host_ = false;
        const auto [state, cell] = step(rule, target);
        if (looked_at_host_) return;
        if (state != RuleStanding::State::idle && state != RuleStanding::State::unknown) return;
        if (cell != nullptr && !cell->settled()) return;
        if (cell != nullptr) judged.waiting.emplace_back(place, cell);
        outcome = state == RuleStanding::State::idle ? Outcome::idle : Outcome::unknown;
        if (outcome == Outcome::unknown) judged.unknown.emplace_back(place, out_.standings.back().unknown);
    }
    void still_unknown(const Rule& rule, const TargetId& target, const std::shared_ptr<const Absent>& why) {
        ++still_unknown_[why->reason];
        out_.standings.push_back({rule.name, target, RuleStanding::State::unknown, {}, why, {}});
    }
    /// Most rules are for the same targets.
    const std::vector<JudgedTarget*>& judged_of(const std::vector<TargetId>& targets) {
        auto& judged = judged_of_[&targets];
        if (judged.size() == targets.size()) return judged;
        judged.reserve(targets.size());
        for (const TargetId& target : targets) judged.push_back(&judged_as_of_now(target));
        return judged;
    }
    JudgedTarget& judged_as_of_now(const TargetId& target) {
        JudgedTarget& judged = memory_.judged[target];
        if (judged.round == memory_.round) return judged;
        judged.round = memory_.round;
        std::shared_ptr<const ProcessState> process;
        if (const auto* id = std::get_if<ProcessId>(&target))
            if (const auto found = snapshot_.processes.find(*id); found != snapshot_.processes.end())
                process = found->second;
        std::shared_ptr<const CgroupState> cgroup;
        if (const auto found = snapshot_.cgroups.find(CgroupId{targets_.cgroup_inode(target)});
            found != snapshot_.cgroups.end())
            cgroup = found->second;
        judged.renew(memory_.facts, std::move(process), std::move(cgroup));
        return judged;
    }

    struct Stepped {
        RuleStanding::State state{};
        Cell* cell = nullptr;  ///< null: nothing is remembered
    };
    Stepped step(const Rule& rule, const TargetId& target) {
        const auto known = memory_.cells.find(RuleAndTargetView{rule.name, target});
        Cell fresh;
        Cell& cell = known == memory_.cells.end() ? fresh : known->second;
        const RuleStanding::State state = look(rule, target, cell);
        if (cell.empty()) {
            if (known != memory_.cells.end()) memory_.cells.erase(known);
            return {state, nullptr};
        }
        if (known != memory_.cells.end()) return {state, &known->second};
        return {state, &memory_.cells.emplace(RuleAndTarget{rule.name, target}, std::move(fresh)).first->second};
    }

    RuleStanding::State look(const Rule& rule, const TargetId& target, Cell& cell) {
        cell.round = memory_.round;
        if (cell.waits) cell.stayed(snapshot_.at - snapshot_.window);
        const bool news = !cell.evaluated || snapshot_.at > cell.last;
        const auto& groups = groups_of(rule, target);
        const EvaluationContext plain{snapshot_, target, {}, targets_.page_of(rule, target), &looked_at_host_};
        std::optional<EvaluationContext> with_adjustments;
        if (!groups.empty()) with_adjustments.emplace(plain);
        for (const LiveGroup& group : groups)
            with_adjustments->adjustments.insert(with_adjustments->adjustments.end(), group.adjustments.begin(),
                                                 group.adjustments.end());
        const EvaluationContext& live = with_adjustments ? *with_adjustments : plain;

        observe(rule, cell, plain, live);
        const Reading<Value> when = value(rule.when, cell.when, plain);
        if (!when) count_unknown(rule, when.absent());
        if (news) cell.clock.update(truth_of(when), snapshot_.at);

        for (const LiveGroup& group : groups) judge(rule, cell, group, live, news);
        std::erase_if(cell.groups, [&groups](const auto& entry) {
            return std::none_of(groups.begin(), groups.end(),
                                [&entry](const LiveGroup& group) { return group.id == entry.first; });
        });
        cell.settle_anew = false;
        cell.evaluated = true;
        cell.last = std::max(cell.last, snapshot_.at);

        RuleStanding::State state = state_of(rule, cell, groups, when);
        std::string yields_to;
        const Duration held = cell.clock.held();
        const int next = next_step(rule, cell, groups);
        cell.fires = false;
        if (next > 0) {
            const std::string blocker = claims_.comes_first(rule, target, targets_);
            if (blocker.empty()) {
                fire(rule, cell, target, next, next > 1 ? groups.front().id : 0, plain);
                cell.fires = true;
                state = RuleStanding::State::firing;
            } else {
                state = RuleStanding::State::yielding;
                yields_to = blocker;
            }
        }
        // Between two ticks the idle ones are told, too: what was carried on of them is over.
        if (state != RuleStanding::State::idle || snapshot_.woken_for)
            out_.standings.push_back(
                {rule.name, target, state, held,
                 state == RuleStanding::State::unknown ? std::make_shared<const Absent>(when.absent()) : nullptr,
                 yields_to});
        return state;
    }

    static void observe(const Rule& rule, Cell& cell, const EvaluationContext& plain, const EvaluationContext& live) {
        const auto remembers = [](const ExpressionPtr& expression) {
            return expression != nullptr && expression->remembers();
        };
        const auto take = [&](const ExpressionPtr& expression, SeriesMemory& series, const EvaluationContext& context) {
            if (remembers(expression)) expression->observe(context, series.of(expression));
        };
        take(rule.when, cell.when, plain);
        take(rule.verify.expect, cell.expect, live);
        take(rule.undo_when, cell.undo_when, live);
        for (std::size_t i = 0; i < rule.adjust.size(); ++i)
            if (remembers(rule.adjust[i].to)) take(rule.adjust[i].to, at(cell.to, i), plain);
        if (rule.verify.expect == nullptr) return;
        const auto& arguments = rule.verify.expect->before_arguments();
        for (std::size_t i = 0; i < arguments.size(); ++i)
            if (remembers(arguments[i])) take(arguments[i], at(cell.before, i), plain);
    }
    static SeriesMemory& at(std::vector<SeriesMemory>& all, std::size_t index) {
        if (all.size() <= index) all.resize(index + 1);
        return all[index];
    }

    static Reading<Value> value(const ExpressionPtr& expression, SeriesMemory& series,
                                const EvaluationContext& context) {
        if (expression == nullptr) return Absence::not_observed;
        return expression->evaluate(context, series.of(expression));
    }
    void count_unknown(const Rule& rule, const Absent& why) { ++out_.unknowns[{rule.name, why.reason}]; }

    void judge(const Rule& rule, Cell& cell, const LiveGroup& group, const EvaluationContext& live, bool news) {
        if (group.condition_over) return call_off(rule, cell, group, live);
        if (group.phase == LiveGroup::Phase::hands_off || group.phase == LiveGroup::Phase::writing ||
            ended_.count(group.id) > 0)
            return;
        GroupMemory& memory = cell.groups[group.id];
        if (group.phase == LiveGroup::Phase::verifying) verify(rule, cell, group, memory, live, news);
        if (group.phase == LiveGroup::Phase::kept) watch_kept(rule, cell, group, memory, live, news);
    }

    void verify(const Rule& rule, Cell& cell, const LiveGroup& group, GroupMemory& memory,
                const EvaluationContext& live, bool news) {
        memory.undo_clock.reset();
        if (cell.settle_anew || !memory.verification.is_of(group.step, group.read_back)) {
            // What was written before this window was written while nobody looked (a restart): it settles from now on.
            const MonoTime from = cell.settle_anew ? snapshot_.at : snapshot_.at - snapshot_.window;
            memory.verification = Verification(group.step, group.read_back, std::max(group.read_back, from));
        }
        const Reading<Value> expect = value(rule.verify.expect, cell.expect, live);
        if (rule.verify.expect != nullptr && !expect) count_unknown(rule, expect.absent());
        const Verdict verdict =
            news ? memory.verification.judge(rule.verify, snapshot_.at, snapshot_.window, truth_of(expect))
                 : memory.verification.verdict();
        if (verdict == Verdict::open) return;
        const bool kept = verdict == Verdict::keep || verdict == Verdict::keep_unverified;
        Decision made = decision(kept ? DecisionKind::keep : DecisionKind::fail, rule, live.target);
        made.group = group.id;
        made.step = group.step;
        made.verified = verdict == Verdict::keep;
        if (rule.verify.expect != nullptr)
            made.evidence = rule.verify.expect->explain(live, cell.expect.of(rule.verify.expect));
        const std::string hold = to_string(time(rule.verify.hold));
        switch (verdict) {
            case Verdict::keep:
                made.reason = fmt::format("expect held for {}", hold);
                break;
            case Verdict::keep_unverified:
                made.reason = "unverified";
                break;
            case Verdict::failed:
                made.reason = "expect false";
                break;
            default:
                made.reason = fmt::format("expect unknown through hold, twice {}", hold);
                break;
        }
        out_.decisions.push_back(std::move(made));
    }

    void watch_kept(const Rule& rule, Cell& cell, const LiveGroup& group, GroupMemory& memory,
                    const EvaluationContext& live, bool news) {
        if (rule.undo_when == nullptr) return;
        const Reading<Value> undo = value(rule.undo_when, cell.undo_when, live);
        if (!undo) count_unknown(rule, undo.absent());
        if (news) memory.undo_clock.update(truth_of(undo), snapshot_.at);
        if (!memory.undo_clock.satisfied(rule.undo_for)) return;
        ended_.insert(group.id);
        Decision made = decision(DecisionKind::undo, rule, live.target);
        made.group = group.id;
        made.step = group.step;
        made.cause = UndoCause::condition_over;
        made.reason = fmt::format("undo_when held for {}", to_string(time(rule.undo_for)));
        made.evidence = rule.undo_when->explain(live, cell.undo_when.of(rule.undo_when));
        out_.decisions.push_back(std::move(made));
    }

    /// An undo that waits until it is safe is not wanted any more once the condition that it followed is back.
    void call_off(const Rule& rule, Cell& cell, const LiveGroup& group, const EvaluationContext& live) {
        if (!why_end(rule, group).empty() || !cell.clock.satisfied(rule.for_)) return;
        // undo_when that is true beside the condition would begin the undo anew; unknown clears nothing.
        if (rule.undo_when != nullptr && truth_of(value(rule.undo_when, cell.undo_when, live)) != Truth(false)) return;
        cell.groups[group.id].undo_clock.reset();
        Decision made = decision(DecisionKind::call_off, rule, live.target);
        made.group = group.id;
        made.step = group.step;
        made.reason = fmt::format("when held for {} again", to_string(time(cell.clock.held())));
        made.evidence = rule.when->explain(live, cell.when.of(rule.when));
        out_.decisions.push_back(std::move(made));
    }

    /// 1, the next step of a chain, or 0 when it does not fire.
    [[nodiscard]] int next_step(const Rule& rule, const Cell& cell, const std::vector<LiveGroup>& groups) const {
        if (!cell.clock.satisfied(rule.for_)) return 0;
        if (groups.empty()) return 1;
        if (groups.size() > 1) return 0;
        const LiveGroup& chain = groups.front();
        const bool may = chain.phase == LiveGroup::Phase::kept && !chain.drifted && ended_.count(chain.id) == 0 &&
                         chain.step < rule.repeat.at_most && snapshot_.at - chain.kept_at >= rule.repeat.every;
        return may ? chain.step + 1 : 0;
    }

    static RuleStanding::State state_of(const Rule& rule, const Cell& cell, const std::vector<LiveGroup>& groups,
                                        const Reading<Value>& when) {
        using State = RuleStanding::State;
        for (const LiveGroup& group : groups)
            if (group.phase == LiveGroup::Phase::verifying || group.phase == LiveGroup::Phase::writing)
                return State::verifying;
        if (!groups.empty()) return State::kept;
        if (!when) return State::unknown;
        if (truth_of(when) != Truth(true)) return State::idle;
        return cell.clock.satisfied(rule.for_) ? State::firing : State::pending;
    }

    void fire(const Rule& rule, Cell& cell, const TargetId& target, int step, std::int64_t group,
              const EvaluationContext& context) {
        Decision made = decision(DecisionKind::fire, rule, target);
        made.step = step;
        made.group = group;
        made.reason = fmt::format("when held for {}", to_string(time(cell.clock.held())));
        made.evidence = rule.when->explain(context, cell.when.of(rule.when));
        for (std::size_t i = 0; i < rule.adjust.size(); ++i) {
            const Adjust& line = rule.adjust[i];
            PlannedWrite write{line.knob, {}, line.placement, line.text, line.least, line.most};
            if (line.to != nullptr) write.to = value(line.to, at(cell.to, i), context);
            made.writes.push_back(std::move(write));
        }
        if (rule.verify.expect != nullptr) {
            const auto& arguments = rule.verify.expect->before_arguments();
            for (std::size_t i = 0; i < arguments.size(); ++i)
                made.before[arguments[i]->print()] = value(arguments[i], at(cell.before, i), context);
        }
        claims_.fires(rule, target);
        fires_.push_back(std::move(made));
    }

    const Rulebook& rulebook_;
    const Snapshot& snapshot_;
    RuleState::Data& memory_;
    RuleTargets targets_;
    LiveGroups live_;
    Claims claims_;
    std::set<std::int64_t> ended_{};  ///< groups that this evaluation undoes
    std::vector<Decision> fires_{};
    std::map<const std::vector<TargetId>*, std::vector<JudgedTarget*>> judged_of_{};  ///< by RuleTargets::of()
    bool looked_at_host_ = false;                       ///< EvaluationContext::looked_at_host
    std::map<Absence, std::uint64_t> still_unknown_{};  ///< of the rule that is being looked at
    gotuned::Evaluation out_{};
};

}  // namespace

Evaluation evaluate(const Rulebook& rulebook, const Snapshot& snapshot, RuleState& state, Evaluation last) {
    return Evaluator(rulebook, snapshot, state.data(), std::move(last.standings)).run();
}

}  // namespace gotuned

#include "tune/guard.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/text.h"

namespace gotuned {
namespace {

std::string left(MonoTime until, MonoTime now) {
    const auto whole = std::chrono::ceil<std::chrono::seconds>(until - now);
    return to_string(time(whole)) + " left";
}

/// Names of containers' cgroups: the runtime's prefix with systemd's driver, the bare id with cgroupfs.
bool is_container(std::string_view name) {
    for (const std::string_view runtime : {"cri-containerd-", "crio-", "docker-", "libpod-"})
        if (name.starts_with(runtime)) return true;
    return name.size() == 64 && std::all_of(name.begin(), name.end(),
                                            [](char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; });
}

}  // namespace

std::string_view word(Refusal refusal) {
    switch (refusal) {
        case Refusal::observe:
            return "observe";
        case Refusal::circuit_open:
            return "circuit_open";
        case Refusal::paused:
            return "paused";
        case Refusal::yields:
            return "yields";
        case Refusal::cooldown:
            return "cooldown";
        case Refusal::quarantine:
            return "quarantine";
        case Refusal::in_force:
            return "in_force";
        case Refusal::held:
            return "held";
        case Refusal::unknown:
            return "unknown";
        case Refusal::not_built:
            return "not_built";
        case Refusal::scope:
            return "scope";
        case Refusal::kubelet:
            return "kubelet";
        case Refusal::gone:
            return "gone";
        case Refusal::unreadable:
            return "unreadable";
        case Refusal::out_of_bounds:
            return "out_of_bounds";
        case Refusal::nothing_changes:
            return "nothing_changes";
        case Refusal::budget:
            return "budget";
        case Refusal::worker_blocked:
            return "worker_blocked";
        case Refusal::journal:
            return "journal";
    }
    return "";
}

std::string Refused::text() const {
    return detail.empty() ? std::string(word(why)) : fmt::format("{}: {}", word(why), detail);
}

void Guard::restore(const std::vector<Standing>& standings, bool paused, bool circuit_open,
                    const std::vector<MonoTime>& spent) {
    for (const Standing& standing : standings) standings_[{standing.rule, standing.target}] = standing;
    paused_ = paused;
    circuit_open_ = circuit_open;
    spent_.assign(spent.begin(), spent.end());
}

Standing& Guard::at(const std::string& rule, const TargetId& target) {
    Standing& standing = standings_[{rule, target}];
    standing.rule = rule;
    standing.target = target;
    return standing;
}

std::optional<Refused> Guard::admit(const Decision& decision, MonoTime now) const {
    std::vector<Refused> all = objections(decision, now);
    if (all.empty()) return std::nullopt;
    return std::move(all.front());
}

std::vector<Refused> Guard::objections(const Decision& decision, MonoTime now) const {
    std::vector<Refused> all;
    const auto object = [&all](Refusal why, std::string detail) { all.push_back({why, std::move(detail)}); };
    if (decision.mode != Mode::enforce) object(Refusal::observe, "the rule only observes");
    if (circuit_open_) object(Refusal::circuit_open, "too many verifications failed; gotunectl resume closes it");
    if (paused_) object(Refusal::paused, "gotunectl resume lifts it");
    const auto found = standings_.find({decision.rule, decision.target});
    if (found == standings_.end()) return all;
    const Standing& standing = found->second;
    if (standing.yields)
        object(Refusal::yields,
               fmt::format("{}; until {}", standing.yields_why, resume_command(standing.rule, standing.target)));
    if (standing.quarantine_until && now < *standing.quarantine_until)
        object(Refusal::quarantine,
               fmt::format("{} failed in a row, {}", standing.failures, left(*standing.quarantine_until, now)));
    if (decision.step > 1 || !standing.cooldown_until) return all;
    // A reloaded rulebook may have shortened it; what it lengthens counts from the next end of a chain.
    MonoTime until = *standing.cooldown_until;
    if (standing.cooldown_from) until = std::min(until, *standing.cooldown_from + decision.cooldown);
    if (now < until) object(Refusal::cooldown, left(until, now));
    return all;
}

std::optional<Refused> Guard::afford(std::size_t writes, MonoTime now) const {
    const auto recent =
        std::count_if(spent_.begin(), spent_.end(), [now](MonoTime at) { return now - at < budget_window; });
    if (recent + static_cast<std::ptrdiff_t>(writes) <= options_.per_minute) return std::nullopt;
    return Refused{Refusal::budget, fmt::format("{} changes in the last minute, {} more wanted, {} allowed", recent,
                                                writes, options_.per_minute)};
}

void Guard::spend(std::size_t writes, MonoTime now) {
    while (!spent_.empty() && now - spent_.front() >= budget_window) spent_.pop_front();
    spent_.insert(spent_.end(), writes, now);
}

Standing Guard::chain_ended(const std::string& rule, const TargetId& target, Duration cooldown, MonoTime now) {
    Standing& standing = at(rule, target);
    standing.cooldown_from = now;
    standing.cooldown_until = now + cooldown;
    return standing;
}

Standing Guard::verification_failed(const std::string& rule, const TargetId& target, Duration cooldown, MonoTime now) {
    while (!failures_.empty() && now - failures_.front() >= options_.circuit_window) failures_.pop_front();
    failures_.push_back(now);
    if (static_cast<int>(failures_.size()) >= options_.circuit_failures) circuit_open_ = true;
    return write_failed(rule, target, cooldown, now);
}

Standing Guard::write_failed(const std::string& rule, const TargetId& target, Duration cooldown, MonoTime now) {
    Standing& standing = at(rule, target);
    standing.failures = std::min(standing.failures + 1, 30);
    const Duration longest = std::max(options_.longest_quarantine, cooldown);
    Duration length = std::max<Duration>(cooldown, std::chrono::seconds(1));
    for (int i = 0; i < standing.failures && length < longest; ++i) length *= 2;
    standing.quarantine_until = now + std::min(length, longest);
    return standing;
}

Standing Guard::verified(const std::string& rule, const TargetId& target) {
    Standing& standing = at(rule, target);
    standing.failures = 0;
    standing.quarantine_until.reset();
    return standing;
}

Standing Guard::yield(const std::string& rule, const TargetId& target, const std::string& why) {
    Standing& standing = at(rule, target);
    standing.yields = true;
    standing.yields_why = why;
    return standing;
}

std::optional<Standing> Guard::resume(const std::string& rule, const TargetId& target) {
    const auto found = standings_.find({rule, target});
    if (found == standings_.end() || !found->second.yields) return std::nullopt;
    found->second.yields = false;
    found->second.yields_why.clear();
    return found->second;
}

std::optional<Standing> Guard::forget(const std::string& rule, const TargetId& target) {
    const auto found = standings_.find({rule, target});
    if (found == standings_.end()) return std::nullopt;
    Standing standing = std::move(found->second);
    standings_.erase(found);
    return standing;
}

std::vector<Standing> Guard::expire(MonoTime now) {
    std::vector<Standing> expired;
    for (auto next = standings_.begin(); next != standings_.end();) {
        const Standing& standing = next->second;
        const bool cooling = standing.cooldown_until && now < *standing.cooldown_until;
        // Failures in a row are remembered as long again as the quarantine was at most, so that it goes on doubling.
        const bool failing =
            standing.quarantine_until && now - *standing.quarantine_until < options_.longest_quarantine;
        if (cooling || failing || standing.yields) {
            ++next;
            continue;
        }
        expired.push_back(standing);
        next = standings_.erase(next);
    }
    return expired;
}

bool Guard::yields(const std::string& rule, const TargetId& target) const {
    const auto found = standings_.find({rule, target});
    return found != standings_.end() && found->second.yields;
}

std::vector<Standing> Guard::yielding() const {
    std::vector<Standing> all;
    for (const auto& [key, standing] : standings_)
        if (standing.yields) all.push_back(standing);
    return all;
}

void Guard::close_circuit() {
    circuit_open_ = false;
    failures_.clear();
}

std::string resume_command(const std::string& rule, const TargetId& target) {
    const auto* const process = std::get_if<ProcessId>(&target);
    return fmt::format("gotunectl resume {} {}", rule,
                       process != nullptr ? std::to_string(process->pid) : to_string(target));
}

std::string kubelet_objection(std::string_view cgroup_path, std::string_view knob) {
    const auto parts = split(cgroup_path, '/');
    const auto kubelets = [](std::string_view part) { return part.starts_with("kubepods"); };
    if (std::none_of(parts.begin(), parts.end(), kubelets)) return {};
    const bool container = std::any_of(parts.begin(), parts.end(), is_container);
    if (!container) return "kubelet owns the cgroups of pods and their classes";
    if (knob == "cgroup.memory.high" || knob == "cgroup.memory.reclaim" || knob == "cgroup.cpu.max.burst") return {};
    return fmt::format("kubelet sets {} of containers itself", knob);
}

}  // namespace gotuned

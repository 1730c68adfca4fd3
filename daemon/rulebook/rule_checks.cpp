#include "rulebook/rule_checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/text.h"
#include "rulebook/table.h"

namespace gotuned {
namespace {

using Graph = std::map<std::string_view, std::vector<std::string_view>>;

Graph graph_of(const std::vector<ReadRule>& rules) {
    Graph graph;
    for (const ReadRule& read : rules) {
        auto& edges = graph[read.rule.name];
        edges.insert(edges.end(), read.rule.yields_to.begin(), read.rule.yields_to.end());
    }
    return graph;
}

/// A way from `from` to `to` along yields_to (breadth first, so it is the shortest); empty when there is none.
std::vector<std::string_view> way(const Graph& graph, std::string_view from, std::string_view to) {
    std::map<std::string_view, std::string_view> came_from;
    std::vector<std::string_view> queue = {from};
    for (std::size_t i = 0; i < queue.size(); ++i) {
        const auto edges = graph.find(queue[i]);
        if (edges == graph.end()) continue;
        for (const std::string_view next : edges->second) {
            if (!came_from.emplace(next, queue[i]).second) continue;
            if (next != to) {
                queue.push_back(next);
                continue;
            }
            std::vector<std::string_view> path = {to};
            for (std::string_view at = queue[i]; at != from; at = came_from[at]) path.push_back(at);
            path.push_back(from);
            std::reverse(path.begin(), path.end());
            return path;
        }
    }
    return {};
}

bool certainly_meet(const Rule& a, const Rule& b) {
    if (a.scope != b.scope) return false;
    if (a.targets.empty() || b.targets.empty()) return true;
    return std::any_of(a.targets.begin(), a.targets.end(), [&](const std::string& name) {
        return std::find(b.targets.begin(), b.targets.end(), name) != b.targets.end();
    });
}

}  // namespace

void check_yields_to(const std::vector<ReadRule>& rules, Errors& errors) {
    const Graph graph = graph_of(rules);
    std::vector<std::string_view> names;
    for (const ReadRule& read : rules) names.push_back(read.rule.name);
    std::vector<std::string_view> in_a_cycle;
    for (const ReadRule& read : rules) {
        for (std::size_t i = 0; i < read.rule.yields_to.size() && i < read.yields_to_at.size(); ++i) {
            const std::string& other = read.rule.yields_to[i];
            const auto& [file, offset] = read.yields_to_at[i];
            if (!graph.contains(other)) {
                errors.add(*file, offset, fmt::format("yields_to names an unknown rule: {}", clean_text(other, 64)),
                           did_you_mean(other, names));
                continue;
            }
            std::vector<std::string_view> back = way(graph, other, read.rule.name);
            if (other == read.rule.name) back = {other};
            if (back.empty() || std::find(in_a_cycle.begin(), in_a_cycle.end(), read.rule.name) != in_a_cycle.end())
                continue;
            in_a_cycle.insert(in_a_cycle.end(), back.begin(), back.end());
            errors.add(*file, offset,
                       fmt::format("yields_to goes in a circle: {} → {}", read.rule.name, fmt::join(back, " → ")));
        }
    }
}

void check_owners(const std::vector<ReadRule>& rules, Errors& errors) {
    const Graph graph = graph_of(rules);
    std::map<std::string_view, std::vector<std::pair<const ReadRule*, std::size_t>>> owners;
    for (const ReadRule& read : rules) {
        if (read.rule.packaged || read.rule.mode != Mode::enforce) continue;
        for (std::size_t i = 0; i < read.rule.adjust.size(); ++i) {
            const std::string& knob = read.rule.adjust[i].knob;
            if (knob != "advise") owners[knob].emplace_back(&read, i);
        }
    }
    for (const auto& [knob, list] : owners) {
        for (std::size_t later = 1; later < list.size() && !errors.full(); ++later) {
            for (std::size_t earlier = 0; earlier < later; ++earlier) {
                const Rule& a = list[earlier].first->rule;
                const Rule& b = list[later].first->rule;
                if (&a == &b || !certainly_meet(a, b)) continue;
                if (!way(graph, a.name, b.name).empty() || !way(graph, b.name, a.name).empty()) continue;
                const auto& [file, offset] = list[later].first->adjust_at[list[later].second];
                errors.add(*file, offset,
                           fmt::format("{} has two owners: {} and {} are both enforced for it", knob, a.name, b.name),
                           fmt::format("let one yield: yields_to: [{}]", a.name));
                break;
            }
        }
    }
}

void check_app(const std::vector<ReadRule>& rules, const std::vector<TargetDefinition>& targets, Errors& errors) {
    for (const ReadRule& read : rules) {
        if (read.app_at.empty()) continue;
        const auto& [file, offset] = read.app_at.front();
        if (read.rule.targets.empty()) {
            const bool host = read.rule.scope == Scope::host;
            errors.add(*file, offset, "app() reads the metrics page of a target, and this rule names none",
                       host ? "a rule of host scope has no targets: ask prometheus(\"…\")"
                            : "write targets: [NAME], and metrics: http://127.0.0.1:8080/metrics in that target");
        }
        for (const std::string& name : read.rule.targets) {
            const auto found = std::find_if(targets.begin(), targets.end(),
                                            [&](const TargetDefinition& target) { return target.name == name; });
            if (found != targets.end() && found->metrics.empty())
                errors.add(*file, offset,
                           fmt::format("app() reads the metrics page of target {}, which names none", name),
                           "add metrics: http://127.0.0.1:8080/metrics to the target");
        }
    }
}

}  // namespace gotuned

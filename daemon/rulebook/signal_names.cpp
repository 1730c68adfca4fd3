// From the name in a rule to the signal, or to the error that helps most.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "rulebook/types.h"

namespace gotuned {
namespace {

constexpr std::string_view all_statistics = "p50 p90 p99 max mean stddev count rate";

tl::unexpected<ExpressionError> error(std::string message, std::string hint = {}) {
    return tl::unexpected(ExpressionError{0, std::move(message), std::move(hint)});
}

/// A rule reads signals of its own scope and of wider ones.
bool readable(Scope signal, Scope rule) { return static_cast<int>(signal) <= static_cast<int>(rule); }
static_assert(Scope::host < Scope::cgroup && Scope::cgroup < Scope::process);

std::string_view reads(Scope rule) {
    switch (rule) {
        case Scope::host:
            return "a host rule reads only host.…";
        case Scope::cgroup:
            return "a cgroup rule reads only cgroup.… and host.…";
        case Scope::process:
            return "a process rule reads its own signals bare, cgroup.… and host.…";
    }
    return "";
}

std::string suggestion(std::string_view name, Scope scope) {
    for (const std::string_view prefix : {"cgroup.", "host."}) {
        if (prefix == "cgroup." && scope == Scope::host) continue;
        const std::string longer = std::string(prefix) + std::string(name);
        const std::size_t dot = longer.rfind('.');
        const bool statistic = parse_statistic(longer.substr(dot + 1)).has_value();
        if (find_signal(longer) || (statistic && find_signal(longer.substr(0, dot))))
            return fmt::format("did you mean {}?", longer);
    }
    std::vector<std::string> with_statistics;
    std::vector<std::string_view> names;
    for (const SignalInfo& entry : signals()) {
        if (!readable(entry.scope, scope)) continue;
        if (entry.kind != SignalKind::distribution) {
            names.push_back(entry.name);
            continue;
        }
        for (const std::string_view statistic : split(all_statistics, ' '))
            with_statistics.push_back(fmt::format("{}.{}", entry.name, statistic));
    }
    for (const std::string& entry : with_statistics) names.push_back(entry);
    const std::string near = nearest(name, names);
    if (near.empty()) return "gotunectl signals lists them";
    return fmt::format("did you mean {}?", near);
}

}  // namespace

tl::expected<NamedSignal, ExpressionError> resolve_signal(std::string_view name, Scope scope) {
    NamedSignal named{};
    auto found = find_signal(name);
    if (!found) {
        const std::size_t dot = name.rfind('.');
        const std::string_view last = dot == std::string_view::npos ? std::string_view() : name.substr(dot + 1);
        if (const auto whole = dot == std::string_view::npos ? std::nullopt : find_signal(name.substr(0, dot))) {
            named.statistic = parse_statistic(last);
            if (info(*whole).kind != SignalKind::distribution)
                return error(fmt::format("{} is no distribution and has no statistic {}", info(*whole).name,
                                         clean_text(last, 60)),
                             fmt::format("write {}", info(*whole).name));
            if (!named.statistic)
                return error(fmt::format("{} has no statistic {}", info(*whole).name, clean_text(last, 60)),
                             fmt::format("there are {}", all_statistics));
            found = whole;
        }
    }
    if (!found) return error(fmt::format("unknown signal {}", clean_text(name, 80)), suggestion(name, scope));
    named.signal = *found;
    const SignalInfo& entry = info(*found);
    if (!readable(entry.scope, scope))
        return error(
            fmt::format("{} is a signal of a {}; {}", clean_text(name, 80), to_string(entry.scope), reads(scope)),
            fmt::format("write scope: {}", to_string(entry.scope)));
    return named;
}

}  // namespace gotuned

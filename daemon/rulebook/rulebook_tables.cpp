#include "rulebook/rulebook_tables.h"

#include <array>

namespace gotuned {
namespace {

using enum FieldType;
using Choices = std::array<std::string_view, 3>;

constexpr double longest_time = 86400.0 * 366;

constexpr std::array<std::string_view, 2> modes = {"observe", "enforce"};
constexpr std::array<std::string_view, 2> otherwises = {"undo", "keep"};
constexpr Choices scopes = {"host", "cgroup", "process"};
constexpr Choices severities = {"info", "warning", "critical"};

constexpr std::array match_fields = {
    Field{.key = "unit", .type = texts, .doc = "systemd unit"},
    Field{.key = "exe", .type = texts, .doc = "path of the executable"},
    Field{.key = "cmdline", .type = texts, .doc = "command line, arguments joined by spaces"},
    Field{.key = "cgroup", .type = texts, .doc = "path of the cgroup"},
    Field{.key = "user", .type = texts, .doc = "name of the user"},
    Field{.key = "env", .type = texts, .doc = "NAME (is set) or NAME=pattern"},
    Field{.key = "container", .type = texts, .doc = "container id"},
    Field{.key = "pod", .type = texts, .doc = "pod uid"},
    Field{.key = "namespace", .type = texts, .doc = "Kubernetes namespace"},
    Field{.key = "label", .type = texts, .doc = "key (is set) or key=pattern, of the pod or container"},
    Field{.key = "go", .type = texts, .doc = "Go version: comparisons that must all hold, as in \">=1.19, <1.25\""},
};
constexpr Table match_table = {"match", "match",
                               "All keys must match; of a list under a key one. Globs; /…/ is a regular expression.",
                               match_fields};

constexpr std::array target_fields = {
    Field{.key = "match", .type = map, .doc = "what a process must match", .required = true, .table = &match_table},
    Field{.key = "not", .type = map, .doc = "what it must not match: any key excludes", .table = &match_table},
    Field{.key = "metrics",
          .type = text,
          .doc = "address of its own metrics page on this host's loopback, which app(\"…\") reads: "
                 "http://127.0.0.1:8080/metrics"},
};
constexpr Table target_table = {"a target", "target", "A name for a set of Go processes.", target_fields};

constexpr std::array adjust_fields = {
    Field{.key = "knob",
          .type = text,
          .doc = "what is turned: rlimit.nofile, sysctl.vm.swappiness, cpu.affinity, advise, …",
          .required = true},
    Field{.key = "to",
          .type = expression,
          .doc = "its new value; for cpu.affinity also pack(n), spread(n) or a CPU list"},
    Field{.key = "text", .type = text, .doc = "what advise says"},
    Field{.key = "least", .type = literal, .doc = "never set it lower; narrows the knob's own bounds"},
    Field{.key = "most", .type = literal, .doc = "never set it higher; narrows the knob's own bounds"},
};
constexpr Table adjust_table = {"a line of adjust", "adjust", "One knob and its new value.", adjust_fields};

template <bool Override>
constexpr std::array verify_fields_of = {
    Field{
        .key = "settle", .type = time, .doc = "do not look at all for so long", .fallback = "5s", .most = longest_time},
    Field{.key = "hold",
          .type = time,
          .doc = "then expect must be true at every Snapshot for so long",
          .fallback = "30s",
          .most = longest_time},
    Field{.key = "expect", .type = expression, .doc = "what must be true after the change", .required = !Override},
    Field{.key = "otherwise",
          .type = choice,
          .doc = "what happens when it is not",
          .fallback = "undo",
          .choices = otherwises},
};
template <bool Override>
constexpr Table verify_table_of = {"verify", Override ? "verify_override" : "verify", "How a change proves itself.",
                                   verify_fields_of<Override>};

template <bool Override>
constexpr std::array repeat_fields_of = {
    Field{.key = "at_most",
          .type = integer,
          .doc = "steps, the first included",
          .required = !Override,
          .least = 1,
          .most = 100},
    Field{.key = "every",
          .type = time,
          .doc = "time between steps, from kept",
          .required = !Override,
          .most = longest_time},
};
template <bool Override>
constexpr Table repeat_table_of = {"repeat", Override ? "repeat_override" : "repeat",
                                   "May step on while the condition holds.", repeat_fields_of<Override>};

/// The fields that a rule and an override share.
template <bool Override>
constexpr std::array shared_fields_of = {
    Field{.key = "why", .type = text, .doc = "the reason for the rule, for people"},
    Field{.key = "source", .type = text, .doc = "where the reason is documented"},
    Field{.key = "targets", .type = texts, .doc = "names of targets; without it every Go process"},
    Field{.key = "when", .type = expression, .doc = "the condition", .required = !Override},
    Field{.key = "for",
          .type = time,
          .doc = "the condition must hold for so long",
          .fallback = "0s",
          .most = longest_time},
    Field{.key = "adjust",
          .type = list,
          .doc = "what is changed: written in order, undone in reverse",
          .required = !Override,
          .table = &adjust_table},
    Field{.key = "verify",
          .type = map,
          .doc = "how the change proves itself; without it it is kept unverified",
          .table = &verify_table_of<Override>},
    Field{.key = "undo_when", .type = expression, .doc = "when the change is no longer needed"},
    Field{.key = "undo_for",
          .type = time,
          .doc = "undo_when must hold for so long",
          .fallback = "1m",
          .most = longest_time},
    Field{.key = "cooldown",
          .type = time,
          .doc = "how long the rule rests for this target afterwards",
          .fallback = "10m",
          .most = longest_time},
    Field{.key = "repeat", .type = map, .doc = "steps; without it one", .table = &repeat_table_of<Override>},
    Field{.key = "canary", .type = ratio, .doc = "share of nodes", .fallback = "100%", .most = 1},
    Field{.key = "severity",
          .type = choice,
          .doc = "of its decisions",
          .fallback = "info",
          .choices = severities,
          .unbuilt_map = "graded severity"},
    Field{.key = "active", .type = text, .doc = "when decisions are more than reported", .unbuilt = "active"},
    Field{.key = "yields_to", .type = texts, .doc = "rules that keep a knob when both want it"},
    Field{.key = "mode",
          .type = choice,
          .doc = "whether it acts or only reports",
          .fallback = "observe",
          .choices = modes},
};
constexpr auto& override_fields = shared_fields_of<true>;
constexpr Table override_table = {"an override", "override", "Changes single fields of a rule.", override_fields};

constexpr auto rule_fields = [] {
    std::array<Field, shared_fields_of<false>.size() + 3> out{};
    out[0] = {.key = "name", .type = name, .doc = "what it is known by", .required = true};
    out[1] = {.key = "scope", .type = choice, .doc = "what it is evaluated for", .required = true, .choices = scopes};
    out[2] = {.key = "was", .type = name, .doc = "its name before it was renamed", .unbuilt = "was"};
    for (std::size_t i = 0; i < shared_fields_of<false>.size(); ++i) out[i + 3] = shared_fields_of<false>[i];
    return out;
}();
constexpr Table rule_table = {"a rule", "rule", "When something is so, adjust something, and see that it helped.",
                              rule_fields};

constexpr std::array rulebook_fields = {
    Field{.key = "version", .type = integer, .doc = "of the format", .fallback = "1", .least = 1, .most = 1},
    Field{.key = "targets", .type = named, .doc = "names for sets of Go processes", .table = &target_table},
    Field{.key = "rules", .type = list, .doc = "the rules", .table = &rule_table},
    Field{.key = "overrides",
          .type = named,
          .doc = "changes single fields of a packaged rule, by its name",
          .table = &override_table},
    Field{.key = "baselines", .type = text, .doc = "declared values that the host should hold", .unbuilt = "baselines"},
};
constexpr Table rulebook_root = {"a rulebook", "rulebook", "A gotuned rulebook file.", rulebook_fields};

constexpr std::array profile_fields = {
    Field{.key = "overrides",
          .type = named,
          .doc = "changes single fields of a packaged rule, by its name",
          .table = &override_table},
};
constexpr Table profile_root = {"a profile", "profile", "A gotuned profile: nothing but overrides.", profile_fields};

}  // namespace

const Table& rulebook_table() { return rulebook_root; }
const Table& profile_table() { return profile_root; }

}  // namespace gotuned

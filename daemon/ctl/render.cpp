// The one translation unit of ctl with nlohmann-json.
#include "ctl/render.h"

#include <fmt/format.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "base/value.h"
#include "ctl/table.h"

namespace gotuned {
namespace {

using Json = nlohmann::json;

const Json& at(const Json& json, const char* field) {
    static const Json nothing;
    if (!json.is_object()) return nothing;
    const auto found = json.find(field);
    return found == json.end() ? nothing : *found;
}
std::string str(const Json& json, const char* field) {
    const Json& value = at(json, field);
    if (value.is_string()) return clean_text(one_line(value.get<std::string>()), 4096);
    if (value.is_number_float()) return fmt::format("{:.6g}", value.get<double>());
    if (value.is_null()) return {};
    return value.dump();
}
double number(const Json& json, const char* field) {
    const Json& value = at(json, field);
    return value.is_number() ? value.get<double>() : 0;
}
bool flag(const Json& json, const char* field) {
    const Json& value = at(json, field);
    return value.is_boolean() && value.get<bool>();
}

/// A value with its text, or why there is none.
std::string reading(const Json& json) {
    const std::string absent = str(json, "absent");
    if (absent.empty()) return str(json, "text");
    const std::string detail = str(json, "detail");
    return "absent: " + absent + (detail.empty() ? "" : " (" + detail + ")");
}
/// For narrow columns: a dash says enough.
std::string brief(const Json& json) { return json.contains("absent") || !json.is_object() ? "–" : str(json, "text"); }
std::string p99(const Json& json) {
    const Json& value = at(json, "p99");
    return value.is_number() ? to_string(Quantity{value.get<double>(), unit::time}) : "–";
}
std::string target_name(const Json& json) { return str(at(json, "target"), "name"); }

/// Parses, and hands the answer on as it is when it is not JSON.
std::string with(const std::string& text, const std::function<std::string(const Json&)>& print) {
    const Json json = Json::parse(text, nullptr, false);
    if (!json.is_object()) return text + "\n";
    return print(json);
}

std::string processes_table(const Json& processes, unsigned width) {
    if (processes.empty()) return "No Go process was found.\n";
    TextTable table({{"SERVICE", false, true},
                     {"PID", true},
                     {"GO", false, true},
                     {"EPOLL WAKE P99", true},
                     {"RUN QUEUE P99", true},
                     {"FDS", true},
                     {"MEMORY", true},
                     {"CPU", true},
                     {"", false, true}});
    for (const Json& process : processes) {
        const std::string opted = str(process, "opted_out");
        table.row({str(process, "service"), str(process, "pid"), str(process, "go"), p99(at(process, "epoll_wake")),
                   p99(at(process, "runq")), brief(at(process, "fd_used")) + "/" + brief(at(process, "fd_limit")),
                   brief(at(process, "mem_rss")), brief(at(process, "cpu_usage")),
                   opted.empty() ? "" : "opted out (" + opted + ")"});
    }
    return table.print(width);
}

std::string standings_table(const Json& standings, unsigned width) {
    TextTable table({{"RULE", false, true}, {"TARGET", false, true}, {"STATE"}, {"FOR", true}, {"", false, true}});
    for (const Json& standing : standings) {
        if (str(standing, "state") == "unknown") continue;
        table.row({str(standing, "rule"), target_name(standing), str(standing, "state"),
                   to_string(Quantity{number(standing, "held_seconds"), unit::time}),
                   str(standing, "yields_to").empty() ? "" : "to " + str(standing, "yields_to")});
    }
    return table.empty() ? std::string() : "\n" + table.print(width);
}

std::string adjustments_table(const Json& adjustments, unsigned width) {
    if (adjustments.empty()) return "\nNo adjustment is in force.\n";
    TextTable table({{"ID", true},
                     {"RULE", false, true},
                     {"TARGET", false, true},
                     {"KNOB"},
                     {"WAS", true},
                     {"SET", true},
                     {"STATE"},
                     {"", false, true}});
    for (const Json& one : adjustments) {
        const std::string now = str(one, "now");
        std::string note = str(one, "note");
        if (!now.empty()) note = "now " + now + (note.empty() ? "" : "; " + note);
        table.row({str(one, "id"), str(one, "rule"), target_name(one), str(one, "knob"), brief(at(one, "original")),
                   brief(at(one, "set")), str(one, "state"), note});
    }
    return "\nAdjustments in force:\n" + table.print(width);
}

std::string yields_text(const Json& yields) {
    std::string out;
    for (const Json& one : yields)
        out += fmt::format("  {} on {}: {}; until {}\n", str(one, "rule"), target_name(one), str(one, "why"),
                           str(one, "command"));
    return out.empty() ? out : "\nRules that yield, because somebody else changed a value:\n" + out;
}

/// Only what does not work: probes that are not attached, knobs that cannot be written, events that were lost.
std::string troubles(const Json& status) {
    std::string out;
    for (const Json& probe : at(status, "probes"))
        if (!flag(probe, "attached"))
            out += fmt::format("  probe {} is not attached: {}\n", str(probe, "probe"), str(probe, "reason"));
    for (const Json& one : at(at(status, "pressure"), "refused"))
        out += fmt::format("  a stall of {} on memory does not wake the daemon: {}\n", str(one, "where"),
                           str(one, "reason"));
    for (const Json& item : at(status, "preflight"))
        if (!flag(item, "writable"))
            out += fmt::format("  {} cannot be changed here: {}\n", str(item, "knob"), str(item, "reason"));
    for (const Json& drop : at(status, "drops"))
        if (number(drop, "count") > 0)
            out += fmt::format("  probe {} left out {} events ({})\n", str(drop, "probe"), str(drop, "count"),
                               str(drop, "reason") == "stale" ? "stale: their time stamps contradicted each other"
                                                              : str(drop, "reason"));
    return out.empty() ? out : "\nWhat does not work here:\n" + out;
}

/// What the probes cost now, and what the budget took from them.
std::string budget_lines(const Json& status) {
    const Json& budget = at(status, "probe_budget");
    if (!budget.is_object()) return {};
    const auto percent = [&budget](const char* field) { return fmt::format("{:.3g}%", number(budget, field) * 100); };
    if (at(budget, "scheduler_cost").is_null() && at(budget, "window_cost").is_null())
        return fmt::format("probes: what they cost is not measured yet, {} of one CPU allowed\n", percent("budget"));
    std::string out = fmt::format("probes cost {} of one CPU, {} allowed", percent("cost"), percent("budget"));
    if (const std::string process = str(budget, "process"); !process.empty())
        out += fmt::format("; {} of the CPU time of {}, which gives most", percent("process_cost"), process);
    if (flag(budget, "assumed")) out += "; assumed, not measured: that takes CAP_SYS_ADMIN";
    out += "\n";
    if (const std::string shortened = str(budget, "shortened"); !shortened.empty())
        out += fmt::format("  to stay within it: {}\n", shortened);
    return out;
}

std::string to_be_aware_of(const Json& status) {
    std::string out;
    if (const std::string lost = str(status, "journal_warning"); !lost.empty())
        out += "  " + lost + "; gotunectl history has what was set, and its originals\n";
    if (flag(status, "unsafe")) out += "  adjust.unsafe: rules may write values outside the safe bounds\n";
    for (const Json& line : at(status, "conflicts"))
        if (line.is_string()) out += "  " + clean_text(line.get<std::string>(), 4096) + "\n";
    return out.empty() ? out : "\nTo be aware of:\n" + out;
}

std::string pressure_line(const Json& pressure) {
    const double triggers = number(pressure, "cgroups") + (flag(pressure, "host") ? 1 : 0);
    if (!flag(pressure, "wanted") || triggers < 1) return {};
    return fmt::format("memory stalls of {} in {} wake it at once: {:.0f} triggers, {} wake-ups so far\n",
                       to_string(Quantity{number(pressure, "stall_seconds"), unit::time}),
                       to_string(Quantity{number(pressure, "window_seconds"), unit::time}), triggers,
                       str(pressure, "wakes"));
}

std::string status_text(const Json& status, unsigned width) {
    const Json& rulebook = at(status, "rulebook");
    std::string out = fmt::format(
        "gotuned {}, {}, up {}\n", str(status, "version"),
        flag(status, "ready") ? "ready" : "NOT READY: " + str(status, "not_ready"),
        to_string(Quantity{static_cast<double>(static_cast<long long>(number(status, "uptime_seconds"))), unit::time}));
    out += fmt::format("profile {}, {} rules, {} enforced{}\n", str(status, "profile"),
                       rulebook.contains("rules") ? str(rulebook, "rules") : "0",
                       rulebook.contains("enforced") ? str(rulebook, "enforced") : "0",
                       str(rulebook, "origin") == "last-good" ? " (last good rulebook: the files are wrong)" : "");
    for (const Json& address : at(status, "listening"))
        if (address.is_string())
            out += fmt::format("metrics at {}{}\n", address.get<std::string>().starts_with("unix:") ? "" : "http://",
                               clean_text(address.get<std::string>()) + "/metrics");
    out += budget_lines(status);
    out += pressure_line(at(status, "pressure"));
    if (flag(status, "paused")) out += "PAUSED\n";
    if (flag(status, "circuit_open"))
        out += "CIRCUIT OPEN: too many verifications failed, every rule is back to observe\n";
    if (const std::string next = str(status, "next_step"); !next.empty()) out += next + "\n";
    for (const Json& error : at(rulebook, "errors"))
        if (at(error, "text").is_string()) out += "\n" + at(error, "text").get<std::string>() + "\n";
    out += "\n" + processes_table(at(status, "processes"), width) + standings_table(at(status, "standings"), width) +
           adjustments_table(at(status, "adjustments"), width) + yields_text(at(status, "yields")) + troubles(status) +
           to_be_aware_of(status);
    return out;
}

void evidence_lines(const Json& evidence, std::size_t depth, std::string& out) {
    constexpr std::size_t deepest = 32;
    if (depth > deepest) return;
    const std::string value = reading(at(evidence, "value"));
    if (depth > 0 && value == str(evidence, "text")) return;  // a literal says nothing new
    out += fmt::format("{:{}}{}{}{}\n", "", 4 + depth * 2, str(evidence, "text"), value.empty() ? "" : "  =  ", value);
    for (const Json& part : at(evidence, "parts")) evidence_lines(part, depth + 1, out);
}

/// "would" only of what would be made at once.
std::string explained_write(const Json& write, bool free) {
    const std::string advice = str(write, "text");
    const std::string refused = str(write, "refused");
    const bool would = free && refused.empty();
    if (would && !advice.empty()) return fmt::format("  advises: {}\n", advice);
    std::string what = advice.empty() ? fmt::format("set {} to {}", str(write, "knob"), reading(at(write, "to")))
                                      : "advise: " + advice;
    if (const Json& now = at(write, "now"); now.is_object()) what += " (now " + reading(now) + ")";
    if (const std::string clamped = str(write, "clamped"); !clamped.empty()) what += "; clamped: " + clamped;
    return fmt::format("  {} {}{}\n", would ? "would" : "would not now", what,
                       refused.empty() ? "" : "; refused: " + refused);
}

std::string explained_target(const Json& one) {
    std::string out = "\n" + target_name(one) + "\n";
    if (const std::string error = str(one, "error"); !error.empty()) return out + "  " + error + "\n";
    if (const std::string note = str(one, "note"); !note.empty() && at(one, "held_back").empty())
        out += "  " + note + "\n";
    out += fmt::format("  {} for {} of {}\n", str(one, "sentence"),
                       to_string(Quantity{number(one, "held_seconds"), unit::time}),
                       to_string(Quantity{number(one, "needed_seconds"), unit::time}));
    const auto tree = [&](const char* field, const char* title) {
        if (!at(one, field).is_object()) return;
        out += fmt::format("  {}:\n", title);
        evidence_lines(at(one, field), 0, out);
    };
    tree("when", "when");
    tree("expect", "expect");
    tree("undo_when", "undo_when");
    for (const Json& reason : at(one, "held_back"))
        if (reason.is_string()) out += fmt::format("  held back: {}\n", clean_text(reason.get<std::string>(), 4096));
    for (const Json& write : at(one, "writes")) out += explained_write(write, at(one, "held_back").empty());
    return out;
}

std::string explanation_text(const Json& json) {
    std::string out = fmt::format("{} ({}, {} by {}, {})\n", str(json, "rule"), str(json, "scope"), str(json, "mode"),
                                  str(json, "mode_source"), str(json, "severity"));
    if (const std::string why = str(json, "why"); !why.empty()) out += why + "\n";
    if (const std::string source = str(json, "source"); !source.empty()) out += "source: " + source + "\n";
    out += fmt::format("when: {}\n", str(json, "when"));
    if (at(json, "targets").empty()) out += "No such target in the last Snapshot.\n";
    for (const Json& one : at(json, "targets")) out += explained_target(one);
    return out;
}

std::string plan_text(const Json& json, unsigned width) {
    if (at(json, "items").empty()) return fmt::format("No rule would act now (profile {}).\n", str(json, "profile"));
    TextTable table(
        {{"RULE", false, true}, {"TARGET", false, true}, {"KNOB"}, {"NOW", true}, {"TO", true}, {"WHAT", false, true}});
    for (const Json& item : at(json, "items")) {
        std::string what = str(item, "refused");
        if (what.empty())
            what = str(item, "mode") == "enforce" ? "would be made" : "observed only";
        else
            what = "refused: " + what;
        if (const std::string clamped = str(item, "clamped"); !clamped.empty()) what += "; clamped: " + clamped;
        table.row({str(item, "rule"), target_name(item), str(item, "knob"), brief(at(item, "now")),
                   brief(at(item, "to")), what});
    }
    return table.print(width);
}

std::string history_text(const Json& json, unsigned width) {
    if (at(json, "entries").empty()) return "The history has no such entry.\n";
    TextTable table({{"AT"},
                     {"EVENT"},
                     {"ID", true},
                     {"RULE", false, true},
                     {"TARGET", false, true},
                     {"CHANGE", false, true},
                     {"BY", false, true},
                     {"WHY", false, true}});
    for (const Json& entry : at(json, "entries")) {
        const std::string from = str(entry, "from");
        const std::string to = str(entry, "to");
        const std::string change = str(entry, "knob") + (from.empty() && to.empty() ? "" : " " + from + " → " + to);
        const std::string id = str(entry, "adjustment");
        table.row({str(entry, "at").substr(0, 19), str(entry, "event"), id == "0" ? "" : id, str(entry, "rule"),
                   str(entry, "target"), change, str(entry, "actor"),
                   str(entry, "reason").empty() ? str(entry, "evidence") : str(entry, "reason")});
    }
    return table.print(width);
}

}  // namespace

std::string render_status(const std::string& json, unsigned width) {
    return with(json, [width](const Json& status) { return status_text(status, width); });
}

std::string render_catalogue(const std::string& text, unsigned width) {
    return with(text, [width](const Json& json) {
        TextTable table({{"SIGNAL"}, {"UNIT"}, {"MEANING", false, true}});
        for (const Json& signal : at(json, "signals"))
            table.row({str(signal, "name") + (str(signal, "kind") == "distribution" ? ".*" : "") +
                           (str(signal, "key").empty() ? "" : "(\"" + str(signal, "key") + "\")"),
                       str(signal, "kind") == "text" ? "text" : str(signal, "unit"), str(signal, "meaning")});
        return table.print(width) + "\n.* stands for p50 p90 p99 max mean stddev count rate.\n";
    });
}

std::string render_values(const std::string& text, unsigned width) {
    return with(text, [width](const Json& json) {
        std::string out;
        for (const Json& target : at(json, "targets")) {
            TextTable table({{target_name(target)}, {"", false, true}});
            for (const auto& [name, value] : at(target, "signals").items()) table.row({"  " + name, reading(value)});
            out += (out.empty() ? "" : "\n") + table.print(width);
        }
        return out.empty() ? std::string("No such target in the last Snapshot.\n") : out;
    });
}

std::string render_plan(const std::string& text, unsigned width) {
    return with(text, [width](const Json& json) { return plan_text(json, width); });
}

std::string render_explanation(const std::string& text, unsigned) { return with(text, explanation_text); }

std::string render_history(const std::string& text, unsigned width) {
    return with(text, [width](const Json& json) { return history_text(json, width); });
}

std::string render_outcomes(const std::string& text, unsigned width) {
    return with(text, [width](const Json& json) {
        if (at(json, "outcomes").empty()) return std::string("Nothing was to be undone.\n");
        TextTable table(
            {{"ID", true}, {"RULE", false, true}, {"TARGET", false, true}, {"KNOB"}, {"RESULT"}, {"", false, true}});
        for (const Json& one : at(json, "outcomes"))
            table.row({str(one, "id"), str(one, "rule"), str(one, "target"), str(one, "knob"), str(one, "state"),
                       str(one, "reason")});
        return table.print(width);
    });
}

std::string render_loaded(const std::string& text) {
    return with(text, [](const Json& json) {
        return fmt::format("Loaded: {} rules, {} enforced, profile {} (sha256 {})\n", str(json, "rules"),
                           str(json, "enforced"), str(json, "profile"), str(json, "sha256").substr(0, 12));
    });
}

std::string render_done(const std::string& text) {
    return with(text, [](const Json& json) { return str(json, "done") + "\n"; });
}

bool nothing_undone(const std::string& text) { return at(Json::parse(text, nullptr, false), "outcomes").empty(); }

bool all_undone(const std::string& text) {
    const Json json = Json::parse(text, nullptr, false);
    for (const Json& one : at(json, "outcomes"))
        if (const std::string state = str(one, "state"); state != "undone" && state != "gone") return false;
    return json.is_object();
}

std::vector<std::string> describe_adjustments(const std::string& text, long long id) {
    std::vector<std::string> out;
    const Json json = Json::parse(text, nullptr, false);
    for (const Json& one : at(json, "adjustments"))
        if (id == 0 || number(one, "id") == static_cast<double>(id))
            out.push_back(fmt::format("{}  {} of {}: {} → {}", str(one, "id"), str(one, "knob"), target_name(one),
                                      brief(at(one, "set")), brief(at(one, "original"))));
    return out;
}

std::string profile_of(const std::string& text) { return str(Json::parse(text, nullptr, false), "profile"); }

}  // namespace gotuned

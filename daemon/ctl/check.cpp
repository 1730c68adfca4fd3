#include "ctl/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/text.h"
#include "rulebook/knob_catalogue.h"
#include "rulebook/loader.h"
#include "rulebook/settings.h"

namespace gotuned {
namespace {

constexpr const char* installed_rules = "/etc/gotuned/rulebook.d";

bool is_directory(const std::string& path) {
    std::error_code ignored;
    return std::filesystem::is_directory(path, ignored);
}
bool exists(const std::string& path) {
    std::error_code ignored;
    return std::filesystem::exists(path, ignored);
}

Diagnostic complaint(const std::string& file, std::string message, std::string hint = {}) {
    Diagnostic out;
    out.place.file = file;
    out.message = std::move(message);
    out.hint = std::move(hint);
    return out;
}

std::string list_json(const Diagnostics& diagnostics) {
    std::string list;
    for (const Diagnostic& one : diagnostics)
        list += fmt::format(R"({}{{"file":{},"line":{},"column":{},"message":{},"hint":{},"text":{}}})",
                            list.empty() ? "" : ",", json_quote(one.place.file), one.place.line, one.place.column,
                            json_quote(one.message), json_quote(one.hint), json_quote(to_string(one)));
    return list;
}

/// Below /proc/sys. The loader has refused what leads elsewhere; as in sysctl.d(5), slashes stand for dots in a part.
std::string sysctl_file(std::string name) {
    const std::size_t separator = name.find_first_of("./");
    if (separator == std::string::npos || name[separator] == '/') return name;
    for (char& c : name) c = c == '.' ? '/' : c == '/' ? '.' : c;
    return name;
}

/// Names in the deepest directory of the name that exists below /proc/sys, and those that packaged bounds know.
std::string nearest_sysctl(const std::string& sys, const std::string& name, std::string path) {
    std::set<std::string> names;
    for (const std::string_view known : bounded_sysctls()) names.emplace(known);
    do path.erase(path.find('/') == std::string::npos ? 0 : path.rfind('/'));
    while (!path.empty() && !is_directory(sys + path));
    std::error_code error;
    for (std::filesystem::directory_iterator entry(sys + path, error), end; !error && entry != end;
         entry.increment(error)) {
        std::string sibling = (path.empty() ? "" : path + "/") + entry->path().filename().string();
        std::replace(sibling.begin(), sibling.end(), '/', '.');
        names.insert(std::move(sibling));
    }
    return nearest(name, {names.begin(), names.end()});
}

/// Sysctls, disks and settings of the rules under check that this host does not have. No errors: another kernel may,
/// and a module may bring one later.
Diagnostics missing_here(const Rulebook& rulebook, const std::string& proc, const std::string& sys) {
    Diagnostics missing;
    std::set<std::string> told;
    const auto look = [&](const std::string& name, const Place& place) {
        const std::string path = sysctl_file(name);
        if (exists(proc + "/sys/" + path) || !told.insert(name).second) return;
        const std::string near = nearest_sysctl(proc + "/sys/", name, path);
        Diagnostic out;
        out.place = place;
        out.message = fmt::format("this host has no sysctl {}", clean_text(name));
        out.hint = near.empty() ? "" : "did you mean " + near + "?";
        missing.push_back(std::move(out));
    };
    const auto look_at_setting = [&](const Adjust& adjust) {
        const std::string path = "/" + sysfs_file(adjust.knob);
        if (exists(sys + path) || !told.insert(adjust.knob).second) return;
        Diagnostic out;
        out.place = adjust.place;
        out.message = fmt::format("this host has no {}: there is no /sys{}", adjust.knob, path);
        missing.push_back(std::move(out));
    };
    for (const Rule& rule : rulebook.rules) {
        if (rule.packaged) continue;
        for (const Adjust& adjust : rule.adjust)
            if (adjust.knob.starts_with("sysfs.")) look_at_setting(adjust);
        for (const Adjust& adjust : rule.adjust)
            if (adjust.knob.starts_with("sysctl.")) look(adjust.knob.substr(7), adjust.place);
        for (const ExpressionPtr& part : {rule.when, rule.verify.expect, rule.undo_when})
            if (part)
                for (const std::string& name : part->needs().sysctls) look(name, rule.place);
    }
    return missing;
}

/// What the arguments mean; a complaint for each that is not there.
Diagnostics find_sources(const Invocation& invocation, RulebookSources& sources) {
    Diagnostics wrong;
    sources.packaged = invocation.packaged;
    sources.profiles = invocation.profiles;
    sources.profile = invocation.with_profile;
    sources.operators.clear();
    if (invocation.files.empty()) sources.operators = installed_rules;
    for (const std::string& path : invocation.files) {
        if (!exists(path)) {
            wrong.push_back(complaint(path, "no such file or directory"));
        } else if (!is_directory(path)) {
            sources.files.push_back(path);
        } else if (sources.operators.empty()) {
            sources.operators = path;
        } else {
            wrong.push_back(complaint(path, "a second directory", "check one directory at a time"));
        }
    }
    return wrong;
}

}  // namespace

CheckReport check_files(const Invocation& invocation) {
    Diagnostics errors;
    RulebookPtr rulebook;
    const bool settings_alone = !invocation.config.empty() && invocation.files.empty();
    if (!invocation.config.empty()) {
        if (!exists(invocation.config)) errors.push_back(complaint(invocation.config, "no such file"));
        if (auto settings = load_settings(invocation.config, invocation.profiles); !settings)
            errors.insert(errors.end(), settings.error().begin(), settings.error().end());
    }
    if (!settings_alone) {
        RulebookSources sources;
        const Diagnostics wrong = find_sources(invocation, sources);
        errors.insert(errors.end(), wrong.begin(), wrong.end());
        if (wrong.empty()) {
            auto loaded = load_rulebook(sources);
            if (loaded)
                rulebook = *loaded;
            else
                errors.insert(errors.end(), loaded.error().begin(), loaded.error().end());
        }
    }

    const Diagnostics warnings = rulebook ? missing_here(*rulebook, invocation.proc, invocation.sys) : Diagnostics{};
    CheckReport report;
    report.good = errors.empty();
    for (const Diagnostic& error : errors) report.text += to_string(error) + "\n";
    for (const Diagnostic& warning : warnings) report.warnings += "warning: " + to_string(warning) + "\n";
    const auto enforced = rulebook ? std::count_if(rulebook->rules.begin(), rulebook->rules.end(),
                                                   [](const Rule& rule) { return rule.mode == Mode::enforce; })
                                   : 0;
    const std::size_t rules = rulebook ? rulebook->rules.size() : 0;
    if (!report.good)
        report.text += fmt::format("{} error{}\n", errors.size(), errors.size() == 1 ? "" : "s");
    else if (settings_alone)
        report.text = "ok\n";
    else
        report.text =
            fmt::format("ok: {} rules, {} enforced with profile {}\n", rules, enforced, invocation.with_profile);
    report.json = fmt::format(R"({{"ok":{},"rules":{},"enforced":{},"sha256":{},"errors":[{}],"warnings":[{}]}})",
                              report.good, rules, enforced, json_quote(rulebook ? rulebook->sha256 : ""),
                              list_json(errors), list_json(warnings));
    return report;
}

}  // namespace gotuned

#include "ctl/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/text.h"
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

std::string error_json(const Diagnostic& diagnostic) {
    return fmt::format(R"({{"file":{},"line":{},"column":{},"message":{},"hint":{},"text":{}}})",
                       json_quote(diagnostic.place.file), diagnostic.place.line, diagnostic.place.column,
                       json_quote(diagnostic.message), json_quote(diagnostic.hint), json_quote(to_string(diagnostic)));
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
        if (auto settings = load_settings(invocation.config); !settings)
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

    CheckReport report;
    report.good = errors.empty();
    std::string list;
    for (const Diagnostic& error : errors) {
        report.text += to_string(error) + "\n";
        list += (list.empty() ? "" : ",") + error_json(error);
    }
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
    report.json = fmt::format(R"({{"ok":{},"rules":{},"enforced":{},"sha256":{},"errors":[{}]}})", report.good, rules,
                              enforced, json_quote(rulebook ? rulebook->sha256 : ""), list);
    return report;
}

}  // namespace gotuned

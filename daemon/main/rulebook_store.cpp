#include "main/rulebook_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/log.h"

namespace gotuned {
namespace {

std::string all_of(const Diagnostics& errors) {
    std::string text;
    for (const Diagnostic& error : errors) {
        if (!text.empty()) text += "\n";
        text += to_string(error);
    }
    return text;
}

/// For the log, which has one line an entry: "FILE:LINE:COLUMN: message (hint)".
std::string one_line(const Diagnostic& error) {
    std::string text = error.place.file;
    if (error.place.line > 0) text += fmt::format(":{}:{}", error.place.line, error.place.column);
    text += ": " + error.message;
    if (!error.hint.empty()) text += " (" + error.hint + ")";
    return text;
}

std::vector<std::string> directories_of(const RulebookSources& sources) {
    return {sources.packaged, sources.operators, sources.profiles};
}
bool exists(const std::string& directory) {
    std::error_code error;
    return std::filesystem::is_directory(directory, error);
}

}  // namespace

std::string_view to_string(RulebookStore::Origin origin) {
    switch (origin) {
        case RulebookStore::Origin::none:
            return "none";
        case RulebookStore::Origin::sources:
            return "sources";
        case RulebookStore::Origin::last_good:
            return "last_good";
    }
    return "unknown";
}

bool RulebookStore::refuse(Diagnostics errors) {
    errors_ = std::move(errors);
    ++failed_loads_;
    for (const Diagnostic& error : errors_) log_error("rulebook: {}", one_line(error));
    return false;
}

Diagnostics RulebookStore::missing(const RulebookSources& sources) const {
    Diagnostics gone;
    for (const std::string& directory : directories_of(sources))
        if (std::find(directories_.begin(), directories_.end(), directory) != directories_.end() && !exists(directory))
            gone.push_back(
                {{directory, 0, 0}, "the directory is gone", "to run without its rules leave it there, empty", {}});
    return gone;
}

bool RulebookStore::take(const RulebookSources& sources) {
    if (auto gone = missing(sources); !gone.empty()) return refuse(std::move(gone));
    auto loaded = load_rulebook(sources);
    if (!loaded) return refuse(std::move(loaded.error()));
    directories_.clear();
    for (const std::string& directory : directories_of(sources)) {
        if (exists(directory)) {
            directories_.push_back(directory);
        } else {
            log_warning("there is no {}: no rules or profiles are read from it", directory);
        }
    }
    if (!errors_.empty()) log_info("the rulebook's errors are mended");
    sources_ = sources;
    running_ = std::move(*loaded);
    origin_ = Origin::sources;
    errors_.clear();
    if (const auto saved = save_last_good(sources_, *running_, last_good_); !saved)
        log_warning("the rulebook runs, but could not be saved as last-good: {}", to_string(saved.error()));
    return true;
}

void RulebookStore::load_at_start() {
    if (take(sources_)) return;
    auto last_good = load_last_good(last_good_);
    if (last_good) {
        running_ = std::move(*last_good);
        origin_ = Origin::last_good;
        log_error("the rulebook has errors; the last good one is used until they are mended");
        return;
    }
    log_error("the rulebook has errors and there is no last good one: nothing is decided until they are mended");
}

Status RulebookStore::reload() {
    if (take(sources_)) return {};
    return fail(fmt::format("the rulebook was not loaded; the running one goes on\n{}", all_of(errors_)));
}

Status RulebookStore::set_profile(const std::string& profile) {
    RulebookSources changed = sources_;
    changed.profile = profile;
    if (take(changed)) return {};
    return fail(fmt::format("the profile was not changed; the running rulebook goes on\n{}", all_of(errors_)));
}

}  // namespace gotuned

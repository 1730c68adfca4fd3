#include "main/rulebook_store.h"

#include <fmt/format.h>

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

bool RulebookStore::take(const RulebookSources& sources) {
    auto loaded = load_rulebook(sources);
    if (!loaded) {
        errors_ = std::move(loaded.error());
        ++failed_loads_;
        for (const Diagnostic& error : errors_) log_error("rulebook: {}", to_string(error));
        return false;
    }
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

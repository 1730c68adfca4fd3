#include "rulebook/profiles.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "rulebook/table.h"

namespace gotuned {

std::vector<std::string> profile_names(const std::string& directory) {
    namespace fs = std::filesystem;
    std::set<std::string> names{"observe"};
    std::error_code error;
    for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
        const fs::path file = entry->path().filename();
        if (file.extension() == ".yaml" && is_kebab_case(file.stem().string())) names.insert(file.stem().string());
    }
    return {names.begin(), names.end()};
}

std::string missing_profile(const std::string& name, const std::string& directory) {
    const std::vector<std::string> names = profile_names(directory);
    if (std::find(names.begin(), names.end(), name) != names.end()) return {};
    const std::string meant = did_you_mean(name, {names.begin(), names.end()});
    return fmt::format("{}{}the profiles in {}: {}", meant, meant.empty() ? "" : " ", directory,
                       fmt::join(names, ", "));
}

}  // namespace gotuned

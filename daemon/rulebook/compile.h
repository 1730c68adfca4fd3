// From texts to a Rulebook: everything of the loader that touches no file. What is checked against what, in which
// layer, with which precedence, is decided here and in rule_reader.h and rule_checks.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "rulebook/loader.h"

namespace gotuned {

struct SourceText {
    std::string path{};  ///< as people know the file: in errors and in Rulebook::files
    std::string text{};
    bool packaged = false;
    [[nodiscard]] std::string name() const { return path.substr(path.rfind('/') + 1); }
};

struct SourceSet {
    std::vector<SourceText> files{};  ///< in order: packaged, then the operator's; masked ones are not here
    std::string profile = "observe";
    std::optional<SourceText> profile_file{};
    /// Every packaged rule is here: a profile that names another is wrong. False once a file is masked or replaced.
    bool packaged_whole = true;
    bool unsafe_bounds = false;
};

tl::expected<RulebookPtr, Diagnostics> compile_rulebook(const SourceSet& sources);

/// Of the names and contents of all files, the profile's included, in order.
std::string sha256_of(const SourceSet& sources);

}  // namespace gotuned

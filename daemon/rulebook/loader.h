// Reads layered rulebook directories into a Rulebook, or into errors with their places; never both.
// Needs no root and no daemon: `gotunectl check` is this and nothing else.
#pragma once

#include <string>
#include <vector>

#include "rulebook/rulebook.h"

namespace gotuned {

struct RulebookSources {
    std::string packaged = "/usr/lib/gotuned/rulebook.d";  ///< may be absent
    std::string operators = "/etc/gotuned/rulebook.d";     ///< may be absent; same file name replaces, empty masks
    std::vector<std::string> files{};                      ///< given by name: of the operator's layer, last
    std::string profiles = "/usr/lib/gotuned/profiles";    ///< NAME.yaml, nothing but overrides
    std::string profile = "observe";
    std::string environment{};   ///< default of env("GOTUNED_ENVIRONMENT")
    bool unsafe_bounds = false;  ///< gotuned.yaml's adjust.unsafe: constants may leave safe bounds
};
tl::expected<RulebookPtr, Diagnostics> load_rulebook(const RulebookSources& sources);

/// Copies the files that took part into `directory` (state-dir/last-good), so that a later start with a broken
/// rulebook can load them; load_last_good reads them.
Status save_last_good(const RulebookSources& sources, const Rulebook& rulebook, const std::string& directory);
tl::expected<RulebookPtr, Diagnostics> load_last_good(const std::string& directory);

/// JSON Schema (draft 2020-12) of a rulebook file, generated from the loader's own table.
std::string rulebook_schema();
/// The same of a profile.
std::string profile_schema();

}  // namespace gotuned

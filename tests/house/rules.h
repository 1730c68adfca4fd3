// The rules of the house that a compiler does not hold: which room may include which, what never stands in a header,
// how long a file may be. Each rule gives the places that break it, "daemon/base/x.h:12: why".
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace gotuned::house {

/// Includes that point against the layers base ← discover, probe ← observe ← rulebook ← tune ← export ← main (ctl: base
/// and rulebook alone), that are not written from daemon/, or that name a room that does not exist.
std::vector<std::string> includes_against_the_layers(const std::filesystem::path& root);

/// Headers that include yaml-cpp, CLI11 or nlohmann-json (each costs seconds of compiling wherever it is included),
/// and rooms that have no business with them.
std::vector<std::string> heavy_includes(const std::filesystem::path& root);

/// Sources of daemon/, bpf/, tests/ and scripts/ of more than 500 lines.
std::vector<std::string> long_files(const std::filesystem::path& root);

}  // namespace gotuned::house

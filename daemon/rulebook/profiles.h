// Which profiles there are: the files of a directory, not a list in the code. For the loader, gotuned.yaml and
// --profile.
#pragma once

#include <string>
#include <vector>

namespace gotuned {

/// NAME of every NAME.yaml in `directory`, sorted; observe always, since it enforces nothing and needs no file.
std::vector<std::string> profile_names(const std::string& directory);

/// Empty when there is such a profile; else which there are: "did you mean latency? the profiles in DIRECTORY: latency,
/// observe".
std::string missing_profile(const std::string& name, const std::string& directory);

}  // namespace gotuned

// `gotunectl check`: loads rulebooks and settings as the daemon would, and says what is wrong. Needs no daemon.
#pragma once

#include <string>

#include "ctl/options.h"

namespace gotuned {

struct CheckReport {
    bool good = false;
    std::string text{};      ///< for people
    std::string warnings{};  ///< for people: what may be wrong, and only on this host
    /// {"ok", "rules", "enforced", "sha256", "errors": [{file, line, column, message, hint, text}], "warnings": […]}
    std::string json{};
};
CheckReport check_files(const Invocation& invocation);

}  // namespace gotuned

// What gotunectl's commands do: asks the daemon, prints, and says with which status to exit.
#pragma once

#include <functional>
#include <iosfwd>
#include <string>

#include "ctl/options.h"

namespace gotuned {

/// Where a command speaks to: a test hands in its own.
struct Terminal {
    std::ostream& out;
    std::ostream& error;
    unsigned width = 0;  ///< columns; 0: not a terminal, nothing is cut
    /// Asks a yes-or-no question; null when nobody can be asked.
    std::function<bool(const std::string& question)> ask{};
};
/// Standard output and error, asking on the terminal when both ends are one.
Terminal standard_terminal();

/// Returns one of exit_status.
int run_command(const Invocation& invocation, const Terminal& terminal);

}  // namespace gotuned

// `gotuned undo`: puts back what the journal holds when no daemon does. Run by people and by the lease timer.
#pragma once

#include "main/options.h"

namespace gotuned {

/// Exit status: 0 everything is back (or a daemon runs and --unless-running), 1 something could not or must not yet be
/// put back (printed with its reason).
int undo_command(const Options& options);

}  // namespace gotuned

// The lease: changes outlive the daemon for a while, so that a restart or an upgrade shakes nothing. gotuned.service
// runs the daemon with --leased and, however it ended, `gotuned lease`, which starts gotuned-undo.timer; the next start
// of gotuned.service stops that timer again.
#pragma once

#include <string>

#include "base/result.h"
#include "main/options.h"
#include "rulebook/settings.h"

namespace gotuned {

/// RUN_DIR/lease: what the daemon that ran last wants to become of its changes, by the settings that it ran with: when
/// it cannot start again because gotuned.yaml was broken meanwhile, that file says nothing any more.
Status note_lease(const std::string& run_dir, const Settings& settings);

struct Lease {
    bool keep = false;               ///< on_stop: keep
    std::optional<Duration> time{};  ///< nothing: as the packaged timer says
};
/// A note that is missing or cannot be understood gives the packaged timer's lease: undone too early does less harm
/// than never.
Lease noted_lease(const std::string& run_dir);

/// The drop-in that gives gotuned-undo.timer this time.
std::string lease_drop_in(Duration time);

struct LeaseCommand {
    std::string run_dir = "/run/gotuned";
    std::string units = "/run/systemd/system";
    std::string systemctl = "systemctl";
};
/// Starts the timer, or renews it, with the noted time. Errors: systemd refuses.
Status start_lease(const LeaseCommand& command);

/// `gotuned lease`. Exit status: 0 the timer runs (or nothing is to be undone), else that of an undo at once, which is
/// what is left to do when there can be no timer.
int lease_command(const Options& options);

}  // namespace gotuned

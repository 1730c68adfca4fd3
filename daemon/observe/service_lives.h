// How the processes of each service end and begin again: exits by cause, and restarts. Fed by the exit events and by
// what discovery finds; a tick takes what has gathered.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/time.h"
#include "observe/snapshot.h"

namespace gotuned {

enum class ExitCause : std::uint8_t {
    other,
    panic,   ///< exit status 2: a Go panic, a fatal error of the runtime, SIGQUIT; also what a program says by
             ///< os.Exit(2)
    oom,     ///< the kernel's OOM killer, of the host or of a cgroup
    killed,  ///< SIGKILL by anybody else (a service manager's last resort, a user-space OOM killer)
};
/// `status` is gt_event::exit_code of GT_EXIT: as wait(2) has it, with GT_EXIT_OOM.
ExitCause cause_of_exit(std::uint32_t status);

class ServiceLives {
public:
    /// A process that begins within this time of another's end is its successor.
    static constexpr Duration restart_within = std::chrono::minutes(5);

    void began(const std::string& service, MonoTime now);
    void ended(const std::string& service, ExitCause cause, MonoTime now);
    /// What happened since the last take(), by service; those of which nothing happened are left out.
    std::map<std::string, ServiceLife> take(MonoTime now);

private:
    struct Ends {
        std::uint64_t count = 0;  ///< without a successor yet
        MonoTime last{};
    };
    std::map<std::string, ServiceLife> lives_{};
    std::map<std::string, Ends> ends_{};
};

}  // namespace gotuned

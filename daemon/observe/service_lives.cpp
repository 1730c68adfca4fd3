#include "observe/service_lives.h"

#include <sys/wait.h>

#include <csignal>
#include <utility>

#include "probe/probes.h"

namespace gotuned {

ExitCause cause_of_exit(std::uint32_t status) {
    constexpr int go_panic = 2;  // runtime/panic.go: exit(2)
    const int waited = static_cast<int>(status & ~GT_EXIT_OOM);
    if (WIFSIGNALED(waited) && WTERMSIG(waited) == SIGKILL)
        return (status & GT_EXIT_OOM) != 0 ? ExitCause::oom : ExitCause::killed;
    if (WIFEXITED(waited) && WEXITSTATUS(waited) == go_panic) return ExitCause::panic;
    return ExitCause::other;
}

void ServiceLives::began(const std::string& service, MonoTime now) {
    const auto ended = ends_.find(service);
    if (ended == ends_.end() || now - ended->second.last > restart_within) return;
    ++lives_[service].restarts;
    if (--ended->second.count == 0) ends_.erase(ended);
}

void ServiceLives::ended(const std::string& service, ExitCause cause, MonoTime now) {
    ServiceLife& life = lives_[service];
    ++life.exits;
    if (cause == ExitCause::panic) ++life.panics;
    if (cause == ExitCause::oom) ++life.oom_kills;
    if (cause == ExitCause::killed) ++life.kills;
    Ends& ends = ends_[service];
    ++ends.count;
    ends.last = now;
}

std::map<std::string, ServiceLife> ServiceLives::take(MonoTime now) {
    std::erase_if(ends_, [now](const auto& entry) { return now - entry.second.last > restart_within; });
    return std::exchange(lives_, {});
}

}  // namespace gotuned

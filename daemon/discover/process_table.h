// All Go processes of the host: found at start by one walk over PROC, later by exec and exit events. Binaries are
// recognised in a confined child (inspector.h); this never parses an ELF itself.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/files.h"
#include "base/result.h"
#include "base/time.h"
#include "discover/go_process.h"

namespace gotuned {

class ProcessTable {
public:
    struct Callbacks {
        std::function<void(const std::shared_ptr<const GoProcess>&)> found{};
        std::function<void(const std::shared_ptr<const GoProcess>&)> lost{};
    };
    static std::unique_ptr<ProcessTable> make(const Roots& roots, Callbacks callbacks);
    virtual ~ProcessTable() = default;

    /// Walks PROC once: the state at start, and the repair after lost events.
    virtual Status scan() = 0;
    /// An exec event. dev and inode (0: unknown) let a binary known not to be Go be passed over without touching PROC.
    virtual void executed(pid_t pid, std::uint64_t dev, std::uint64_t inode) = 0;
    /// An exit event (or a pid found dead).
    virtual void exited(pid_t pid) = 0;

    /// For the loop: readable when the inspector has answered; then call complete(), which calls back.
    [[nodiscard]] virtual int answer_fd() const = 0;
    virtual void complete() = 0;
    /// Kills an inspector past its deadline; called each tick.
    virtual void tick(MonoTime now) = 0;

    [[nodiscard]] virtual const std::map<pid_t, std::shared_ptr<const GoProcess>>& processes() const = 0;
    /// Environment names to keep besides GO* and GOTUNED*; processes already known are read again.
    virtual void keep_environment(const std::set<std::string>& names) = 0;

    struct Counts {
        std::uint64_t inspected = 0, cache_hits = 0, not_go = 0, failed = 0, inspector_killed = 0;
    };
    [[nodiscard]] virtual Counts counts() const = 0;
};

}  // namespace gotuned

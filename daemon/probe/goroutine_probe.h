// How long goroutines that the netpoller made ready wait until they run (bpf/goroutine.bpf.c): two uprobes in the
// executables of processes that were opted in. Links are shared by all processes of an executable and go with the last
// one. Private to this room.
//
// What makes them harmless and cheap:
// - never a probe at a return: Go moves stacks, and the kernel's trampoline on them is what it would move to nowhere;
// - only where an instruction begins for certain, and one that the kernel emulates instead of executing it elsewhere:
//   440 ns a hit against 8,800, and no page of the kernel's appears in the process. The few beginnings that Go's
//   compiler gives the two functions are known; a function that begins otherwise is not touched.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bpf/goroutines.h"
#include "probe/object.h"
#include "probe/probes.h"
#include "probe/uprobe_link.h"

namespace gotuned {

/// How far behind its first byte a function is probed: the first instruction that the kernel emulates, with all
/// arguments still in their registers. Nothing for a beginning that is not known.
std::optional<std::uint64_t> emulated_at(const std::array<std::uint8_t, 8>& begin);

class GoroutineProbe {
public:
    explicit GoroutineProbe(const ProbeFeatures& features);
    GoroutineProbe(const GoroutineProbe&) = delete;
    GoroutineProbe& operator=(const GoroutineProbe&) = delete;
    ~GoroutineProbe();

    /// Errors: nothing can be attached, a function that begins in an unknown way, too many processes (ENOSPC).
    Status watch(const GoroutineTarget& target, MonoTime now);
    void unwatch(const ProcessId& process);
    GoroutineDelta take(const ProcessId& process, MonoTime now);

    /// CPU time by time that passes, of all processes when each was last taken.
    [[nodiscard]] double cost() const;
    [[nodiscard]] std::vector<ProbeReport> reports() const;
    [[nodiscard]] std::vector<Probes::Drop> drops() const;

private:
    struct Binary {
        std::uint64_t device = 0, inode = 0;
        friend auto operator<=>(const Binary&, const Binary&) = default;
    };
    struct Links {
        UprobeLink ready{}, execute{};
        std::size_t processes = 0;
    };
    struct Watched {
        Binary binary{};
        MonoTime since{};
        gt_goroutine_process before{};  ///< at the last take
        double hits_per_second = 0;     ///< likewise
    };
    Status load();
    Status attach(const GoroutineTarget& target, Links& links, int file) const;
    void forget_ready(pid_t pid) const;

    ProbeFeatures features_;
    bool tried_ = false;
    std::optional<BpfObject> object_{};
    std::string reason_{"no process is opted in (probes.goroutines)"};  ///< why nothing is attached
    std::map<Binary, Links> links_{};
    std::map<ProcessId, Watched> watched_{};
    std::uint64_t full_ = 0, unread_ = 0;
};

}  // namespace gotuned

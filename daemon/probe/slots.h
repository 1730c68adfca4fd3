// Slots: which watched process has which element of the counters' array, and what it counted since last time.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>

#include "bpf/layout.h"
#include "probe/arithmetic.h"
#include "probe/mapping.h"

namespace gotuned {

/// File descriptors and memory of the maps that the slots live in; they outlive the table.
struct SlotMaps {
    int watched = -1;  ///< hash: thread group id → gt_watch
    int threads = -1;  ///< hash: thread id → what is remembered of it
    gt_shared* shared = nullptr;
    gt_slot* slots = nullptr;
    std::uint32_t count = 0;
};

/// For how long the programs that feed the slots were attached.
struct Attachment {
    OpenTime windows{};
    OpenTime scheduler{};
    OpenTime network{};
    OpenTime tcp{};
    MonoTime swept_at{};  ///< of the last sweep over the sockets
};

/// A slot is leased to one process at a time. Each lease has a new number: what a program running on another CPU
/// still remembers of the previous holder's threads is void from the moment the lease ends.
class SlotTable {
public:
    explicit SlotTable(const SlotMaps& maps);

    /// Zeroes the slot and starts counting. A process that is watched already stays as it is. When another identity
    /// has the same pid (an exec), the pid counts for the new one from now on.
    /// Errors: ENOSPC no free slot; EINVAL a pid that cannot be; what the map says.
    Status watch(const ProcessId& process, MonoTime now, const Attachment& attachment);
    SlotDelta unwatch(const ProcessId& process, MonoTime now, const Attachment& attachment);
    SlotDelta take(const ProcessId& process, MonoTime now, const Attachment& attachment);
    [[nodiscard]] std::uint64_t switches_since(const ProcessId& process) const;
    [[nodiscard]] std::size_t watched() const { return leases_.size(); }

private:
    struct Lease {
        std::uint32_t slot = 0;
        gt_slot before{};                               ///< counters at the last take
        MonoTime since{};                               ///< of the last take
        Duration windows{};                             ///< the windows' total then
        Duration scheduler{};                           ///< the scheduler programs' total then
        Duration network{};                             ///< the network programs' total then
        Duration tcp{};                                 ///< the TCP programs' total then
        std::uint32_t sweep = 0;                        ///< the last one that was taken; 0: none
        MonoTime swept_at{};                            ///< when that was
        std::uint64_t segments = 0, retransmitted = 0;  ///< counted then
    };
    SlotDelta take(Lease& lease, MonoTime now, const Attachment& attachment) const;
    void take_sweep(Lease& lease, const gt_tcp& counted, MonoTime swept_at, SlotDelta::Tcp& into) const;
    void set_bit(pid_t pid);
    void clear_bit(pid_t pid);
    void forget_threads(pid_t pid) const;

    SlotMaps maps_;
    std::deque<std::uint32_t> free_{};  // first in, first out: a slot rests as long as possible before it is reused
    std::map<ProcessId, std::unique_ptr<Lease>> leases_{};
    std::map<pid_t, ProcessId> owners_{};  ///< whom a pid counts for
};

}  // namespace gotuned

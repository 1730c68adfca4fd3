// Slots: which watched process has which element of the counters' array, and what it counted since last time.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "bpf/layout.h"
#include "probe/arithmetic.h"
#include "probe/packed_slot.h"
#include "probe/slot_memory.h"

namespace gotuned {

/// File descriptors and shared memory of the maps that the slots live in; they outlive the table.
struct SlotMaps {
    int watched = -1;  ///< hash: thread group id → gt_watch
    int threads = -1;  ///< hash: thread id → what is remembered of it
    gt_shared* shared = nullptr;
    std::uint32_t count = 0;
    std::uint32_t cpus = 0;    ///< copies of a slot, one a CPU
    std::uint32_t copied = 0;  ///< slots that may have copies at a time; theirs stand behind the slots
};

/// After every change of what the places in gt_shared.entered remember: they are looked up anew.
void void_places(gt_shared& shared);

/// How many slots may have a copy for each CPU: as many as fit into 1 MiB, and at most 16. Who switches less than they
/// does not pay much for its atomic operations.
std::uint32_t copied_slots(std::uint32_t cpus);

/// For how long the programs that feed the slots were attached.
struct Attachment {
    OpenTime windows{};
    OpenTime scheduler{};
    OpenTime network{};
    OpenTime tcp{};
    OpenTime calls{};
    OpenTime memory{};
    OpenTime swap{};
    OpenTime interrupts{};  ///< of the host, no slot's
    MonoTime swept_at{};    ///< of the last sweep over the sockets

    /// Of what feeds the slots.
    struct Totals {
        Duration windows{}, scheduler{}, network{}, tcp{}, calls{}, memory{}, swap{};
    };
    [[nodiscard]] Totals totals(MonoTime now) const {
        return {windows.total(now), scheduler.total(now), network.total(now), tcp.total(now),
                calls.total(now),   memory.total(now),    swap.total(now)};
    }
};

/// A slot is leased to one process at a time. Each lease has a new number: what a program running on another CPU
/// still remembers of the previous holder's threads is void from the moment the lease ends.
class SlotTable {
public:
    SlotTable(const SlotMaps& maps, SlotMemory memory);

    /// Zeroes the slot and starts counting. A process that is watched already stays as it is. When another identity
    /// has the same pid (an exec), the pid counts for the new one from now on.
    /// Errors: ENOSPC no free slot; EINVAL a pid that cannot be; what the map says.
    Status watch(const ProcessId& process, MonoTime now, const Attachment& attachment);
    SlotDelta unwatch(const ProcessId& process, MonoTime now, const Attachment& attachment);
    SlotDelta take(const ProcessId& process, MonoTime now, const Attachment& attachment);
    [[nodiscard]] std::uint64_t switches_since(const ProcessId& process) const;
    [[nodiscard]] std::size_t watched() const { return leases_.size(); }

    /// Once a tick: gives the busiest processes copies of their slots, and takes them from those that became quiet.
    void give_copies(MonoTime now);
    [[nodiscard]] bool has_copies(const ProcessId& process) const;

private:
    static constexpr std::uint32_t none = ~0U;
    struct Lease {
        std::uint32_t slot = 0;
        std::uint32_t copies = none;  ///< which of the sets of copies
        double switches_per_second = 0;
        PackedSlot before{};                            ///< counters at the last take
        std::uint64_t switches = 0;                     ///< of them
        MonoTime since{};                               ///< of the last take
        Attachment::Totals attached{};                  ///< then
        std::uint32_t sweep = 0;                        ///< the last one that was taken; 0: none
        MonoTime swept_at{};                            ///< when that was
        std::uint64_t segments = 0, retransmitted = 0;  ///< counted then
    };
    SlotDelta take(Lease& lease, MonoTime now, const Attachment& attachment) const;
    void take_sweep(Lease& lease, const gt_tcp& counted, MonoTime swept_at, SlotDelta::Tcp& into) const;
    /// A set of copies: counted in, or resting until no program can still be writing to it.
    struct Copies {
        Lease* holder = nullptr;  ///< null: nobody asks any more for what it counted
        bool used = false;
        bool resting = false;
        MonoTime since{};  ///< it rests
    };
    [[nodiscard]] gt_slot& copy_of(std::uint32_t copies, std::uint32_t cpu) const;
    void assign(Lease& lease, std::uint32_t copies);
    void release(const Lease& lease, MonoTime now);
    void settle(MonoTime now);
    void set_bit(pid_t pid);
    void clear_bit(pid_t pid);
    void forget_threads(pid_t pid) const;

    SlotMaps maps_;
    SlotMemory memory_;
    std::vector<Copies> copies_{};
    // First in, first out: a slot rests before it is reused. Slots that were never used come last, so that no more
    // memory is mapped than processes were there at a time.
    std::deque<std::uint32_t> free_{};
    std::uint32_t unused_ = 0;  ///< from here on
    std::map<ProcessId, std::unique_ptr<Lease>> leases_{};
    std::map<pid_t, ProcessId> owners_{};  ///< whom a pid counts for
};

}  // namespace gotuned

#include "probe/slots.h"

#include <bpf/bpf.h>
#include <dirent.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>

#include "base/files.h"

namespace gotuned {
namespace {

/// A process gets copies from so many context switches a second on, and keeps them down to a quarter of that: 1,000
/// switches cost some 10,000 atomic operations, a tenth of a millisecond if no other CPU pulls at the cache lines.
constexpr double busy = 1000;
constexpr double quiet = busy / 4;
/// No program runs for longer than that; one that began before the copies were taken away may still write to them.
constexpr Duration rest = std::chrono::milliseconds(100);

/// Copies the counters while the programs go on counting; each maximum is taken out.
void snapshot(gt_slot& live, gt_slot& copy) {
    std::memcpy(&copy, &live, sizeof copy);
    for_each_histogram(live, copy, [](auto& from, auto& into) {
        into.max_ns = from.max_ns == 0 ? 0 : __atomic_exchange_n(&from.max_ns, 0, __ATOMIC_RELAXED);
    });
}

void new_lease(gt_shared& shared, std::uint32_t slot) {
    std::uint32_t next = shared.lease[slot] + 1;
    if (next == 0) next = 1;
    __atomic_store_n(&shared.lease[slot], next, __ATOMIC_SEQ_CST);
    void_places(shared);
}

}  // namespace

void void_places(gt_shared& shared) { __atomic_fetch_add(&shared.entered_generation, 1U, __ATOMIC_SEQ_CST); }

std::uint32_t copied_slots(std::uint32_t cpus) {
    constexpr std::uint32_t bytes = 1U << 20U;
    return std::clamp<std::uint32_t>(bytes / (std::max(cpus, 1U) * std::uint32_t{sizeof(gt_slot)}), 1, 16);
}

SlotTable::SlotTable(const SlotMaps& maps, SlotMemory memory)
    : maps_(maps), memory_(std::move(memory)), copies_(maps.copied) {
    maps_.shared->cpus = maps_.cpus;
}

gt_slot& SlotTable::copy_of(std::uint32_t copies, std::uint32_t cpu) const {
    return memory_.at(maps_.count + copies * maps_.cpus + cpu);
}

void SlotTable::assign(Lease& lease, std::uint32_t copies) {
    const std::uint32_t first = maps_.count + copies * maps_.cpus;
    for (std::uint32_t cpu = 0; cpu < maps_.cpus; ++cpu)
        if (!memory_.reach(first + cpu)) return;  // it goes on in its slot
    copies_[copies] = Copies{&lease, true, false, {}};
    lease.copies = copies;
    __atomic_store_n(&maps_.shared->copies[lease.slot], first, __ATOMIC_SEQ_CST);
    void_places(*maps_.shared);
}

void SlotTable::release(const Lease& lease, MonoTime now) {
    if (lease.copies == none || copies_[lease.copies].resting) return;
    __atomic_store_n(&maps_.shared->copies[lease.slot], 0U, __ATOMIC_SEQ_CST);
    void_places(*maps_.shared);
    copies_[lease.copies].resting = true;
    copies_[lease.copies].since = now;
}

/// What rested for long enough goes into its slot, and the copies are free again.
void SlotTable::settle(MonoTime now) {
    for (std::uint32_t index = 0; index < copies_.size(); ++index) {
        Copies& copies = copies_[index];
        if (!copies.resting || now - copies.since < rest) continue;
        for (std::uint32_t cpu = 0; cpu < maps_.cpus; ++cpu) {
            gt_slot& copy = copy_of(index, cpu);
            if (copies.holder != nullptr) accumulate(memory_.at(copies.holder->slot), copy);
            std::memset(&copy, 0, sizeof copy);
        }
        if (copies.holder != nullptr) copies.holder->copies = none;
        copies = {};
    }
}

void SlotTable::give_copies(MonoTime now) {
    settle(now);
    struct Candidate {
        Lease* lease;
        double weight;
    };
    std::vector<Candidate> candidates;
    for (const auto& [id, lease] : leases_) {
        const bool holds = lease->copies != none;
        if (holds && copies_[lease->copies].resting) continue;
        if (lease->switches_per_second < (holds ? quiet : busy)) {
            release(*lease, now);
            continue;
        }
        // Two that are about as busy do not take them from each other at every tick.
        candidates.push_back({lease.get(), lease->switches_per_second * (holds ? 2 : 1)});
    }
    std::ranges::sort(candidates, std::greater{}, &Candidate::weight);
    for (std::size_t i = copies_.size(); i < candidates.size(); ++i) release(*candidates[i].lease, now);
    if (candidates.size() > copies_.size()) candidates.resize(copies_.size());
    for (const Candidate& candidate : candidates) {
        if (candidate.lease->copies != none) continue;
        const auto found = std::ranges::find(copies_, false, &Copies::used);
        if (found == copies_.end()) break;  // they rest: at the next tick
        assign(*candidate.lease, static_cast<std::uint32_t>(found - copies_.begin()));
    }
}

bool SlotTable::has_copies(const ProcessId& process) const {
    const auto found = leases_.find(process);
    return found != leases_.end() && found->second->copies != none && !copies_[found->second->copies].resting;
}

void SlotTable::set_bit(pid_t pid) {
    const auto id = static_cast<std::uint32_t>(pid);
    __atomic_fetch_or(&maps_.shared->watched_bits[id / 8], static_cast<std::uint8_t>(1U << (id % 8)), __ATOMIC_SEQ_CST);
}

void SlotTable::clear_bit(pid_t pid) {
    const auto id = static_cast<std::uint32_t>(pid);
    __atomic_fetch_and(&maps_.shared->watched_bits[id / 8], static_cast<std::uint8_t>(~(1U << (id % 8))),
                       __ATOMIC_SEQ_CST);
}

Status SlotTable::watch(const ProcessId& process, MonoTime now, const Attachment& attachment) {
    const std::string target = "pid " + std::to_string(process.pid);
    if (process.pid <= 0 || static_cast<std::uint32_t>(process.pid) >= GT_PIDS)
        return fail("cannot watch", EINVAL, target);
    if (leases_.contains(process)) return {};
    // A few rest at least.
    constexpr std::size_t resting = 32;
    const bool fresh = unused_ < maps_.count && free_.size() < resting;
    if (!fresh && free_.empty())
        return fail("cannot watch: all " + std::to_string(maps_.count) + " slots are taken", ENOSPC, target,
                    "raise the number of processes that the probes watch");
    const std::uint32_t slot = fresh ? unused_ : free_.front();
    if (auto reached = memory_.reach(slot); !reached) return reached;
    new_lease(*maps_.shared, slot);
    std::memset(&memory_.at(slot), 0, sizeof(gt_slot));
    const gt_watch value{slot, maps_.shared->lease[slot]};
    const auto key = static_cast<std::uint32_t>(process.pid);
    if (const int error = bpf_map_update_elem(maps_.watched, &key, &value, BPF_ANY); error != 0)
        return fail("cannot watch", -error, target);
    if (fresh)
        ++unused_;
    else
        free_.pop_front();
    auto lease = std::make_unique<Lease>();
    lease->slot = slot;
    lease->since = now;
    lease->attached = attachment.totals(now);
    lease->swept_at = now;
    if (const auto owner = owners_.find(process.pid); owner != owners_.end())
        new_lease(*maps_.shared, leases_.at(owner->second)->slot);  // the threads that exec left behind count anew
    owners_[process.pid] = process;
    leases_.emplace(process, std::move(lease));
    set_bit(process.pid);
    return {};
}

SlotDelta SlotTable::unwatch(const ProcessId& process, MonoTime now, const Attachment& attachment) {
    const auto found = leases_.find(process);
    if (found == leases_.end()) return {};
    const auto owner = owners_.find(process.pid);
    const bool owns = owner != owners_.end() && owner->second == process;
    const auto key = static_cast<std::uint32_t>(process.pid);
    if (owns) bpf_map_delete_elem(maps_.watched, &key);  // gone already when the process has ended
    // Before the bit: while it is set, sched_switch empties the places that the process's threads leave.
    new_lease(*maps_.shared, found->second->slot);
    if (owns) {
        clear_bit(process.pid);
        owners_.erase(owner);
        forget_threads(process.pid);
    }
    SlotDelta delta = take(*found->second, now, attachment);
    if (found->second->copies != none) {
        release(*found->second, now);
        copies_[found->second->copies].holder = nullptr;
    }
    free_.push_back(found->second->slot);
    leases_.erase(found);
    return delta;
}

/// Threads that live on would keep their place until they exit.
void SlotTable::forget_threads(pid_t pid) const {
    DIR* directory = ::opendir(("/proc/" + std::to_string(pid) + "/task").c_str());
    if (directory == nullptr) return;
    while (const dirent* entry = ::readdir(directory)) {
        std::uint64_t tid = 0;
        if (!parse_u64(entry->d_name, tid)) continue;
        const auto key = static_cast<std::uint32_t>(tid);
        bpf_map_delete_elem(maps_.threads, &key);
    }
    ::closedir(directory);
}

/// What the last sweep found, and what the sockets sent since the sweep before.
void SlotTable::take_sweep(Lease& lease, const gt_tcp& counted, MonoTime swept_at, SlotDelta::Tcp& into) const {
    if (counted.sweep == 0 || counted.sweep != maps_.shared->sweep) return;
    into.now = {counted.open, counted.close_wait, counted.stale};
    if (counted.sweep == lease.sweep) return;
    if (swept_at > lease.swept_at)
        into.sent = {counted.segments - lease.segments, counted.retransmitted - lease.retransmitted,
                     swept_at - lease.swept_at};
    lease.sweep = counted.sweep;
    lease.swept_at = swept_at;
    lease.segments = counted.segments;
    lease.retransmitted = counted.retransmitted;
}

SlotDelta SlotTable::take(Lease& lease, MonoTime now, const Attachment& attachment) const {
    gt_slot copy;
    snapshot(memory_.at(lease.slot), copy);
    if (lease.copies != none) {
        gt_slot part;
        for (std::uint32_t cpu = 0; cpu < maps_.cpus; ++cpu) {
            snapshot(copy_of(lease.copies, cpu), part);
            accumulate(copy, part);
        }
    }
    const gt_tcp swept = copy.tcp;
    // Counted anew by each sweep, and no counters: they would make every slot another one each time.
    copy.tcp.sweep = copy.tcp.open = copy.tcp.close_wait = copy.tcp.stale = 0;
    // Most processes of most hosts do nothing in a tick.
    const bool same = lease.copies == none && lease.before.is(copy);
    SlotDelta delta;
    if (!same) {
        gt_slot before = lease.before.unpack();
        delta = difference(copy, before);
        // What was the maximum then is none of the next difference.
        for_each_histogram(copy, before, [](auto& taken, auto&) { taken.max_ns = 0; });
        lease.before.pack(copy);
        lease.switches = copy.switches;
    }
    delta.elapsed = now > lease.since ? now - lease.since : Duration::zero();
    using Totals = Attachment::Totals;
    const Totals attached = attachment.totals(now);
    const auto seen = [&](Duration Totals::* tier) {
        return std::clamp(attached.*tier - lease.attached.*tier, Duration::zero(), delta.elapsed);
    };
    delta.observed = seen(&Totals::windows);
    delta.scheduler_observed = seen(&Totals::scheduler);
    delta.network_observed = seen(&Totals::network);
    delta.calls_observed = seen(&Totals::calls);
    delta.reclaim_observed = seen(&Totals::memory);
    delta.swap_observed = seen(&Totals::swap);
    delta.tcp_observed = seen(&Totals::tcp);
    take_sweep(lease, swept, attachment.swept_at, delta.tcp);
    if (delta.elapsed > Duration::zero())
        lease.switches_per_second = static_cast<double>(delta.switches) / seconds(delta.elapsed);
    lease.since = now;
    lease.attached = attached;
    return delta;
}

SlotDelta SlotTable::take(const ProcessId& process, MonoTime now, const Attachment& attachment) {
    const auto found = leases_.find(process);
    return found == leases_.end() ? SlotDelta{} : take(*found->second, now, attachment);
}

std::uint64_t SlotTable::switches_since(const ProcessId& process) const {
    const auto found = leases_.find(process);
    if (found == leases_.end()) return 0;
    const Lease& lease = *found->second;
    std::uint64_t switches = __atomic_load_n(&memory_.at(lease.slot).switches, __ATOMIC_RELAXED);
    for (std::uint32_t cpu = 0; lease.copies != none && cpu < maps_.cpus; ++cpu)
        switches += __atomic_load_n(&copy_of(lease.copies, cpu).switches, __ATOMIC_RELAXED);
    return switches - lease.switches;
}

}  // namespace gotuned

#include "probe/slots.h"

#include <bpf/bpf.h>
#include <dirent.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/files.h"

namespace gotuned {
namespace {

/// Copies the counters while the programs go on counting; each maximum is taken out.
void snapshot(gt_slot& live, gt_slot& copy) {
    const auto take_maximum = [](auto& from, auto& into) {
        into.max_ns = from.max_ns == 0 ? 0 : __atomic_exchange_n(&from.max_ns, 0, __ATOMIC_RELAXED);
    };
    std::memcpy(&copy, &live, sizeof copy);
    take_maximum(live.epoll_wake, copy.epoll_wake);
    take_maximum(live.netpoll_sleep, copy.netpoll_sleep);
    take_maximum(live.timer_late, copy.timer_late);
    take_maximum(live.runq, copy.runq);
    take_maximum(live.netpoll_wait, copy.netpoll_wait);
    take_maximum(live.connect_time, copy.connect_time);
    take_maximum(live.lifetime, copy.lifetime);
    for (std::size_t i = 0; i < GT_CLASSES; ++i) {
        take_maximum(live.blocked[i], copy.blocked[i]);
        take_maximum(live.window[i], copy.window[i]);
    }
}

void new_lease(gt_shared& shared, std::uint32_t slot) {
    std::uint32_t next = shared.lease[slot] + 1;
    if (next == 0) next = 1;
    __atomic_store_n(&shared.lease[slot], next, __ATOMIC_SEQ_CST);
}

}  // namespace

SlotTable::SlotTable(const SlotMaps& maps) : maps_(maps) {
    for (std::uint32_t slot = 0; slot < maps_.count; ++slot) free_.push_back(slot);
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
    if (free_.empty())
        return fail("cannot watch: all " + std::to_string(maps_.count) + " slots are taken", ENOSPC, target,
                    "raise the number of processes that the probes watch");
    const std::uint32_t slot = free_.front();
    new_lease(*maps_.shared, slot);
    std::memset(&maps_.slots[slot], 0, sizeof(gt_slot));
    const gt_watch value{slot, maps_.shared->lease[slot]};
    const auto key = static_cast<std::uint32_t>(process.pid);
    if (const int error = bpf_map_update_elem(maps_.watched, &key, &value, BPF_ANY); error != 0)
        return fail("cannot watch", -error, target);
    free_.pop_front();
    auto lease = std::make_unique<Lease>();
    lease->slot = slot;
    lease->since = now;
    lease->windows = attachment.windows.total(now);
    lease->scheduler = attachment.scheduler.total(now);
    lease->network = attachment.network.total(now);
    lease->tcp = attachment.tcp.total(now);
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
    if (const auto owner = owners_.find(process.pid); owner != owners_.end() && owner->second == process) {
        const auto key = static_cast<std::uint32_t>(process.pid);
        clear_bit(process.pid);
        bpf_map_delete_elem(maps_.watched, &key);  // gone already when the process has ended
        owners_.erase(owner);
        forget_threads(process.pid);
    }
    new_lease(*maps_.shared, found->second->slot);
    SlotDelta delta = take(*found->second, now, attachment);
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
    snapshot(maps_.slots[lease.slot], copy);
    SlotDelta delta = difference(copy, lease.before);
    delta.elapsed = now > lease.since ? now - lease.since : Duration::zero();
    const Duration windows = attachment.windows.total(now);
    const Duration scheduler = attachment.scheduler.total(now);
    const Duration network = attachment.network.total(now);
    delta.observed = std::clamp(windows - lease.windows, Duration::zero(), delta.elapsed);
    delta.scheduler_observed = std::clamp(scheduler - lease.scheduler, Duration::zero(), delta.elapsed);
    delta.network_observed = std::clamp(network - lease.network, Duration::zero(), delta.elapsed);
    const Duration tcp = attachment.tcp.total(now);
    delta.tcp_observed = std::clamp(tcp - lease.tcp, Duration::zero(), delta.elapsed);
    take_sweep(lease, copy.tcp, attachment.swept_at, delta.tcp);
    lease.tcp = tcp;
    lease.before = copy;
    lease.since = now;
    lease.windows = windows;
    lease.scheduler = scheduler;
    lease.network = network;
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
    return __atomic_load_n(&maps_.slots[lease.slot].switches, __ATOMIC_RELAXED) - lease.before.switches;
}

}  // namespace gotuned

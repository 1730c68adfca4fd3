#include "probe/probes.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <cerrno>

#include "base/log.h"
#include "probe/features.h"
#include "probe/loaded_probes.h"

namespace gotuned {
std::unique_ptr<Probes> Probes::load(const ProbeOptions& options) { return std::make_unique<LoadedProbes>(options); }

Status LoadedProbes::watch(const ProcessId& process) {
    if (slots_ == nullptr)
        return fail("cannot watch: " + refused_[GT_OBJECT_SCHED], ENOSYS, "pid " + std::to_string(process.pid));
    return slots_->watch(process, MonoClock::now(), attachment_);
}

SlotDelta LoadedProbes::unwatch(const ProcessId& process) {
    if (slots_ == nullptr) return {};
    return slots_->unwatch(process, MonoClock::now(), attachment_);
}

SlotDelta LoadedProbes::take(const ProcessId& process, MonoTime now) {
    end_sample_when_due(now);
    if (slots_ == nullptr) return {};
    return slots_->take(process, now, attachment_);
}

std::uint64_t LoadedProbes::switches_since(const ProcessId& process) const {
    return slots_ == nullptr ? 0 : slots_->switches_since(process);
}

void LoadedProbes::tick(MonoTime now) {
    end_sample_when_due(now);
    if (slots_ != nullptr && options_.copies) slots_->give_copies(now);
}

Status LoadedProbes::add_heir(pid_t pid) {
    const std::string target = "pid " + std::to_string(pid);
    const int heirs = objects_[GT_OBJECT_PROCESS] ? objects_[GT_OBJECT_PROCESS]->map_fd("heirs") : -1;
    if (heirs < 0) return fail("cannot follow the children: " + refused_[GT_OBJECT_PROCESS], ENOSYS, target);
    if (!objects_[GT_OBJECT_PROCESS]->attached("process_fork"))
        return fail("cannot follow the children: process_fork is not attached", ENOSYS, target);
    const auto key = static_cast<std::uint32_t>(pid);
    const std::uint32_t one = 1;
    if (const int error = bpf_map_update_elem(heirs, &key, &one, BPF_ANY); error != 0)
        return fail("cannot follow the children", -error, target);
    return {};
}

void LoadedProbes::remove_heir(pid_t pid) {
    const int heirs = objects_[GT_OBJECT_PROCESS] ? objects_[GT_OBJECT_PROCESS]->map_fd("heirs") : -1;
    const auto key = static_cast<std::uint32_t>(pid);
    if (heirs >= 0) bpf_map_delete_elem(heirs, &key);
}

int LoadedProbes::event_fd() const { return events_ == nullptr ? -1 : events_->fd(); }

void LoadedProbes::drain_events(const std::function<void(const ProbeEvent&)>& callback) {
    end_sample_when_due(MonoClock::now());
    if (events_ != nullptr) events_->drain(callback);
}

Status LoadedProbes::watch_sysctls(const std::set<std::string>& paths) {
    return sysctls_ == nullptr ? Status{} : sysctls_->watch(paths);
}

int LoadedProbes::sysctl_fd() const { return sysctls_ == nullptr ? -1 : sysctls_->fd(); }

void LoadedProbes::drain_sysctl_writes(const std::function<void(const SysctlWrite&)>& callback) {
    if (sysctls_ != nullptr) sysctls_->drain(callback);
}

Status LoadedProbes::watch_goroutines(const GoroutineTarget& target) {
    if (slots_ == nullptr) return fail("goroutines cannot be probed: " + refused_[GT_OBJECT_PROCESS]);
    if (goroutines_ == nullptr) goroutines_ = std::make_unique<GoroutineProbe>(features_);
    return goroutines_->watch(target, MonoClock::now());
}

void LoadedProbes::unwatch_goroutines(const ProcessId& process) {
    if (goroutines_ != nullptr) goroutines_->unwatch(process);
}

GoroutineDelta LoadedProbes::take_goroutines(const ProcessId& process, MonoTime now) {
    return goroutines_ == nullptr ? GoroutineDelta{} : goroutines_->take(process, now);
}

/// One line for the programs of all calls.
ProbeReport LoadedProbes::report_of_calls() const {
    ProbeReport report{.probe = "failed_calls", .tier = "none", .reason = refused_[GT_OBJECT_CALLS]};
    report.attached = attachment_.calls.is_open();
    if (!report.attached || !objects_[GT_OBJECT_CALLS]) return report;
    report.tier = "fexit";
    double share = 0;
    double rate = 0;
    for (const auto& program : objects_[GT_OBJECT_CALLS]->programs()) {
        const CostEstimate* cost = steady_costs_.find(program.name);
        if (cost == nullptr) continue;
        report.runs += cost->runs();
        report.cpu_seconds += cost->cpu_seconds();
        share += cost->share().value_or(0);
        rate += cost->runs_per_second().value_or(0);
    }
    if (rate > 0) report.seconds_per_run = share / rate;
    return report;
}

std::vector<ProbeReport> LoadedProbes::reports() const {
    struct Known {
        const char* program;
        gt_object object;
    };
    static constexpr Known programs[] = {
        {"sched_switch", GT_OBJECT_SCHED},
        {"sched_waking", GT_OBJECT_SCHED},
        {"sched_wakeup_new", GT_OBJECT_SCHED},
        {"thread_exit", GT_OBJECT_SCHED},
        {"process_exec", GT_OBJECT_PROCESS},
        {"process_exit", GT_OBJECT_PROCESS},
        {"process_fork", GT_OBJECT_PROCESS},
        {"sys_enter", GT_OBJECT_SYSCALLS},
        {"sys_exit", GT_OBJECT_SYSCALLS},
        {"sk_data_ready", GT_OBJECT_NET},
        {"sock_recv_length", GT_OBJECT_NET},
        {"inet_sock_set_state", GT_OBJECT_TCP},
        {"tcp_receive_reset", GT_OBJECT_TCP},
        {"sweep", GT_OBJECT_TCP},
        {"direct_reclaim_begin", GT_OBJECT_MEMORY},
        {"direct_reclaim_end", GT_OBJECT_MEMORY},
        {"memcg_reclaim_begin", GT_OBJECT_MEMORY},
        {"memcg_reclaim_end", GT_OBJECT_MEMORY},
        {"swapped_in", GT_OBJECT_SWAP},
        {"softirq_entry", GT_OBJECT_IRQ},
        {"softirq_exit", GT_OBJECT_IRQ},
        {"irq_entry", GT_OBJECT_IRQ},
        {"irq_exit", GT_OBJECT_IRQ},
        {"napi_polled", GT_OBJECT_IRQ},
    };
    const MonoTime now = MonoClock::now();
    steady_costs_.charge(now - loaded_);
    scheduler_.costs.charge(attachment_.scheduler.total(now));
    sockets_.costs.charge(attachment_.network.total(now));
    window_costs_.charge(attachment_.windows.total(now));
    std::vector<ProbeReport> reports;
    for (const auto& [known, owner] : programs) {
        const std::string name = known;
        ProbeReport report;
        report.probe = name;
        report.tier = "none";
        report.windowed = owner == GT_OBJECT_SYSCALLS || owner == GT_OBJECT_IRQ;
        report.reason = refused_[owner];
        if (const auto& object = objects_[owner]) {
            const auto program = std::ranges::find(object->programs(), name, &BpfObject::Program::name);
            if (program != object->programs().end()) report.reason = program->reason;
            // Programs that may be taken off for a while are attached when they could be.
            const bool paused =
                (scheduler_.paused && owner == GT_OBJECT_SCHED) || (sockets_.paused && owner == GT_OBJECT_NET);
            report.attached = report.windowed || paused ? report.reason.empty() : object->attached(name);
        }
        const bool sweep = name == "sweep";
        if (report.attached) report.tier = sweep ? "iterator" : owner == GT_OBJECT_SWAP ? "fexit" : "tp_btf";
        const CostEstimate* cost = costs_of(owner).find(name);
        if (cost != nullptr) {
            report.runs = cost->runs();
            report.cpu_seconds = cost->cpu_seconds();
            const double rate = cost->runs_per_second().value_or(0);
            report.seconds_per_run = rate > 0 ? *cost->share() / rate : 0;
        }
        if (sweep) {
            report.runs = sweeps_;
            report.cpu_seconds = seconds(sweeps_took_);
        }
        reports.push_back(std::move(report));
    }
    reports.push_back(report_of_calls());
    if (sysctls_ != nullptr) {
        reports.push_back(sysctls_->report());
    } else {
        reports.push_back({.probe = "sysctl_write", .tier = "none", .reason = refused_[GT_OBJECT_PROCESS]});
    }
    if (goroutines_ != nullptr)
        for (auto& report : goroutines_->reports()) reports.push_back(std::move(report));
    return reports;
}

std::vector<Probes::Drop> LoadedProbes::drops() const {
    static constexpr const char* const reasons[GT_DROPS] = {"ring_full",  "task_full",   "stale",
                                                            "heirs_full", "socket_full", "names_full"};
    std::vector<Drop> drops;
    if (!shared_.valid()) return drops;
    const auto* shared = shared_.as<gt_shared>();
    const auto add = [&](std::size_t object, std::size_t reason) {
        drops.push_back(
            {object_names[object], reasons[reason], __atomic_load_n(&shared->drops[object][reason], __ATOMIC_RELAXED)});
    };
    add(GT_OBJECT_SCHED, GT_DROP_TASK_FULL);
    add(GT_OBJECT_SCHED, GT_DROP_STALE);
    add(GT_OBJECT_PROCESS, GT_DROP_RING_FULL);
    add(GT_OBJECT_PROCESS, GT_DROP_HEIRS_FULL);
    add(GT_OBJECT_SYSCALLS, GT_DROP_TASK_FULL);
    add(GT_OBJECT_NET, GT_DROP_STALE);
    add(GT_OBJECT_NET, GT_DROP_SOCKET_FULL);
    add(GT_OBJECT_MEMORY, GT_DROP_TASK_FULL);
    add(GT_OBJECT_IRQ, GT_DROP_NAMES_FULL);
    if (sysctls_ != nullptr) drops.push_back({"sysctl", "ring_full", sysctls_->lost()});
    if (goroutines_ != nullptr)
        for (auto& drop : goroutines_->drops()) drops.push_back(std::move(drop));
    return drops;
}

}  // namespace gotuned

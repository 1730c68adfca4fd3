#include "observe/observer.h"

#include <algorithm>

#include "observe/host_reader.h"
#include "observe/net_namespaces.h"
#include "observe/user_threads.h"
#include "observe/watched_cgroup.h"
#include "observe/watched_process.h"

namespace gotuned {
namespace {

class RealObserver final : public Observer {
public:
    RealObserver(const ObserverOptions& options, Probes* probes)
        : options_(options),
          probes_(probes),
          places_(options.roots),
          host_(options.roots),
          user_threads_(options.roots, options.nproc_reread),
          namespaces_(options.roots),
          go_readings_(options.roots.proc, options.memory, options.memory_patience),
          quotas_(options.roots.cgroup2) {}

    void found(std::shared_ptr<const GoProcess> process, MonoTime now) override {
        const ProcessId id = process->id;
        const auto known = processes_.find(id);
        if (known != processes_.end()) {
            known->second.replace(std::move(process));
            known->second.name(service_of(known->second.process()));
            return;
        }
        WatchedProcess watched(std::move(process), now);
        watched.name(service_of(watched.process()));
        watched.watch(probes_, now);
        processes_.emplace(id, std::move(watched));
    }

    void lost(const ProcessId& process, MonoTime now) override {
        const auto known = processes_.find(process);
        if (known == processes_.end()) return;
        exited_[process] = known->second.finish(probes_, absences(), now);
        processes_.erase(known);
    }

    void touch(const ProcessId& process) override {
        if (const auto known = processes_.find(process); known != processes_.end()) known->second.touch();
    }

    void touch(const CgroupId& cgroup) override {
        if (const auto known = cgroups_.find(cgroup); known != cgroups_.end()) known->second.touch();
    }

    void want_sysctls(std::set<std::string> names) override { host_.want_sysctls(std::move(names)); }

    void name_services(std::function<std::string(const GoProcess&)> name) override {
        name_ = std::move(name);
        for (auto& [id, watched] : processes_) watched.name(service_of(watched.process()));
    }

    void outside(std::shared_ptr<const OutsideReadings> readings) override { outside_ = std::move(readings); }

    SnapshotPtr observe(MonoTime scheduled, WallTime wall, std::vector<LiveAdjustment> adjustments) override {
        auto snapshot = std::make_shared<Snapshot>();
        snapshot->sequence = ++sequence_;
        snapshot->at = scheduled;
        snapshot->wall = wall;
        snapshot->window = sequence_ == 1 ? Duration::zero() : scheduled - last_at_;
        last_at_ = scheduled;
        snapshot->adjustments = std::move(adjustments);
        snapshot->outside = outside_;
        snapshot->host = host_.read(options_.clock->mono());
        sweep_sockets();
        observe_processes(*snapshot);
        observe_cgroups(*snapshot);
        return snapshot;
    }

private:
    std::string service_of(const GoProcess& process) const { return name_ ? name_(process) : default_service(process); }

    SlotAbsences absences() const {
        SlotAbsences why;
        if (probes_ == nullptr) return why;
        for (const ProbeReport& report : probes_->reports()) {
            if (report.windowed && report.attached) why.windows.reason = Absence::not_observed;
            if (report.probe == "sk_data_ready") why.network.detail = report.reason;
        }
        return why;
    }

    void observe_processes(Snapshot& snapshot) {
        const ReadingContext context{options_.roots,      *options_.clock,        probes_,
                                     absences(),          host_.online(),         user_threads_,
                                     namespaces_,         go_readings_,           quotas_,
                                     options_.goroutines, options_.clock->mono(), options_.idle_reread};
        auto exited = std::move(exited_);
        exited_.clear();
        for (auto& [id, state] : exited) snapshot.processes.emplace(id, std::move(state));
        for (auto& [id, watched] : processes_)
            if (!snapshot.processes.contains(id)) watched.begin(context);
        go_readings_.settle(*options_.clock);
        for (auto& [id, watched] : processes_) {
            // One that executed its own file anew has ended under this very identity: it begins with the next tick.
            if (snapshot.processes.contains(id)) continue;
            snapshot.processes.emplace(id, watched.observe(context));
        }
        namespaces_.end_tick();
    }

    /// Once a tick, and on a host of very many descriptors as seldom as keeps it below 0.1% of a CPU.
    void sweep_sockets() {
        const MonoTime now = options_.clock->mono();
        if (probes_ == nullptr || processes_.empty() || now < next_sweep_) return;
        next_sweep_ = now + probes_->sweep_sockets(now) * 1000;
    }

    void observe_cgroups(Snapshot& snapshot) {
        for (auto& [id, watched] : cgroups_) watched.in_use = false;
        for (const auto& [process, watched] : processes_) {
            const GoProcess& known = watched.process();
            if (known.cgroup_inode == 0) continue;
            const CgroupId id{known.cgroup_inode};
            cgroups_.try_emplace(id, id, known.cgroup, known.unit).first->second.in_use = true;
        }
        std::erase_if(cgroups_, [](const auto& entry) { return !entry.second.in_use; });
        const MonoTime now = options_.clock->mono();
        for (auto& [id, watched] : cgroups_)
            snapshot.cgroups.emplace(id, watched.observe(options_.roots, places_, now, options_.idle_reread));
    }

    ObserverOptions options_;
    Probes* probes_;
    ControllerPlaces places_;
    HostReader host_;
    UserThreads user_threads_;
    NetNamespaces namespaces_;
    MonoTime next_sweep_{};
    GoReadings go_readings_;
    CpuQuotas quotas_;
    std::function<std::string(const GoProcess&)> name_{};
    std::map<ProcessId, WatchedProcess> processes_{};
    std::map<ProcessId, std::shared_ptr<const ProcessState>> exited_{};
    std::map<CgroupId, WatchedCgroup> cgroups_{};
    std::shared_ptr<const OutsideReadings> outside_{};
    std::uint64_t sequence_ = 0;
    MonoTime last_at_{};
};

}  // namespace

std::unique_ptr<Observer> Observer::make(const ObserverOptions& options, Probes* probes) {
    return std::make_unique<RealObserver>(options, probes);
}

}  // namespace gotuned

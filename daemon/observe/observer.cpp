#include "observe/observer.h"

#include <algorithm>

#include "observe/cgroup_writes.h"
#include "observe/host_reader.h"
#include "observe/interrupt_signals.h"
#include "observe/net_namespaces.h"
#include "observe/service_lives.h"
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
        lives_.began(watched.service(), now);
        processes_.emplace(id, std::move(watched));
    }

    void ended(pid_t pid, std::uint32_t status) override { ended_[pid] = status; }

    void lost(const ProcessId& process, MonoTime now) override {
        const auto known = processes_.find(process);
        if (known == processes_.end()) return;
        if (const auto ended = ended_.find(process.pid); ended != ended_.end())
            lives_.ended(known->second.service(), cause_of_exit(ended->second), now);
        ended_.erase(process.pid);
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
        const InterruptDelta interrupts =
            probes_ == nullptr ? InterruptDelta{} : probes_->take_interrupts(options_.clock->mono());
        set_interrupt_signals(snapshot->host, interrupts, absences().windows);
        snapshot->lives = lives_.take(options_.clock->mono());
        ended_.clear();  // those of heirs and of processes that are no Go
        notice_writes();
        observe_processes(*snapshot);
        observe_cgroups(*snapshot);
        return snapshot;
    }

    SnapshotPtr refresh(const Snapshot& last, const std::set<CgroupId>& cgroups, MonoTime now, WallTime wall,
                        std::vector<LiveAdjustment> adjustments) override {
        auto snapshot = std::make_shared<Snapshot>(last);
        snapshot->sequence = ++sequence_;
        snapshot->at = now;
        snapshot->wall = wall;
        snapshot->window = now - last_at_;
        snapshot->adjustments = std::move(adjustments);
        host_.refresh(snapshot->host, options_.clock->mono());
        // What ended in the last tick was told there.
        snapshot->lives.clear();
        erase_if(snapshot->processes, [](const auto& entry) { return entry.second->exited; });
        snapshot->woken_for.emplace();
        for (const CgroupId& id : cgroups) {
            const auto known = cgroups_.find(id);
            if (known == cgroups_.end() || !snapshot->cgroups.contains(id)) continue;
            auto state = known->second.refresh(options_.roots, places_, options_.clock->mono());
            if (state == nullptr) continue;
            snapshot->cgroups[id] = std::move(state);
            snapshot->woken_for->insert(id);
        }
        return snapshot;
    }

    ClockWatch& clock() override { return host_.clock(); }

    std::set<CgroupId> stalled(const std::set<CgroupId>& among) const override {
        std::set<CgroupId> out;
        for (const CgroupId& id : among) {
            const auto known = cgroups_.find(id);
            if (known != cgroups_.end() && known->second.reader().stalled_since(options_.roots)) out.insert(id);
        }
        return out;
    }

    Reading<HeldDirectory> directory(const CgroupId& cgroup) const override {
        const auto known = cgroups_.find(cgroup);
        if (known == cgroups_.end()) return Absent{Absence::vanished, "it is not watched"};
        return known->second.reader().open(options_.roots);
    }

private:
    std::string service_of(const GoProcess& process) const { return name_ ? name_(process) : default_service(process); }

    SlotAbsences absences() const {
        SlotAbsences why;
        if (probes_ == nullptr) return why;
        for (const ProbeReport& report : probes_->reports()) {
            if (report.probe.starts_with("sys_") && report.attached) why.windows.reason = Absence::not_observed;
            if (report.probe == "sk_data_ready") why.network.detail = report.reason;
            if (report.probe == "swapped_in") why.swap.detail = report.reason;
        }
        return why;
    }

    /// Why nobody sees processes end; nothing: they are seen.
    std::optional<Absent> no_exits() const {
        if (probes_ == nullptr) return Absent{Absence::not_attached, {}};
        const auto reports = probes_->reports();
        const auto found = std::ranges::find(reports, "process_exit", &ProbeReport::probe);
        if (found != reports.end() && found->attached) return std::nullopt;
        return Absent{Absence::not_attached, {}};
    }

    /// How many that did nothing are read again in one tick: twice what keeps up with each being read so often. What
    /// was found at one time (all, at the start) is not read again at one time for ever.
    [[nodiscard]] static std::size_t rereads_of(std::size_t targets, Duration tick, Duration often) {
        const double share = seconds(tick) / std::max(seconds(often), 1.0);
        return static_cast<std::size_t>(2 * share * static_cast<double>(targets)) + 16;
    }

    void observe_processes(Snapshot& snapshot) {
        const auto looked_into =
            std::ranges::count_if(processes_, [](const auto& entry) { return entry.second.watches_goroutines(); });
        std::size_t rereads = rereads_of(processes_.size(), snapshot.window, options_.idle_reread);
        const ReadingContext context{options_.roots,
                                     *options_.clock,
                                     probes_,
                                     absences(),
                                     host_.online(),
                                     user_threads_,
                                     namespaces_,
                                     go_readings_,
                                     quotas_,
                                     options_.goroutines,
                                     options_.goroutines.budget / static_cast<double>(std::max(looked_into, 1L)),
                                     options_.clock->mono(),
                                     options_.idle_reread,
                                     rereads,
                                     snapshot.lives,
                                     snapshot.window,
                                     no_exits()};
        snapshot.processes.reserve(processes_.size() + exited_.size());
        auto exited = std::move(exited_);
        exited_.clear();
        for (auto& [id, state] : exited) snapshot.processes.emplace(id, std::move(state));
        std::vector<std::pair<ProcessId, WatchedProcess*>> asked;
        for (auto& [id, watched] : processes_) {
            // One that executed its own file anew has ended under this very identity: it begins with the next tick.
            if (snapshot.processes.contains(id)) continue;
            watched.begin(context);
            if (watched.reads()) asked.emplace_back(id, &watched);
            snapshot.processes.emplace(id, watched.reads() ? nullptr : watched.observe(context));
        }
        go_readings_.settle(*options_.clock);
        for (const auto& [id, watched] : asked) snapshot.processes.at(id) = watched->observe(context);
        namespaces_.end_tick();
    }

    /// Once a tick, and on a host of very many descriptors as seldom as keeps it below 0.1% of a CPU.
    void sweep_sockets() {
        const MonoTime now = options_.clock->mono();
        if (probes_ == nullptr || processes_.empty() || now < next_sweep_) return;
        next_sweep_ = now + probes_->sweep_sockets(now) * 1000;
    }

    /// What somebody set is read in this tick, though nothing runs there; the CPUs of its processes follow from it.
    void notice_writes() {
        const std::set<CgroupId> written = writes_.take();
        if (written.empty()) return;
        for (const CgroupId& id : written) touch(id);
        for (auto& [id, watched] : processes_)
            if (written.contains(CgroupId{watched.process().cgroup_inode})) watched.touch();
        quotas_.forget();
    }

    void observe_cgroups(Snapshot& snapshot) {
        for (auto& [id, watched] : cgroups_) {
            watched.processes = 0;
            watched.active = false;
        }
        for (const auto& [process, watched] : processes_) {
            const GoProcess& known = watched.process();
            if (known.cgroup_inode == 0) continue;
            const CgroupId id{known.cgroup_inode};
            const auto [place, added] = cgroups_.try_emplace(id, id, known.cgroup, known.unit);
            WatchedCgroup& cgroup = place->second;
            if (added) cgroup.told_of_writes = writes_.follow(id, options_.roots.cgroup2 + known.cgroup);
            ++cgroup.processes;
            cgroup.active = cgroup.active || watched.reads();
        }
        std::erase_if(cgroups_, [this](const auto& entry) {
            if (entry.second.processes > 0) return false;
            writes_.forget(entry.first);
            return true;
        });
        const MonoTime now = options_.clock->mono();
        snapshot.cgroups.reserve(cgroups_.size());
        Duration often = options_.idle_reread;
        for (const auto& [id, watched] : cgroups_) often = std::min(often, watched.reread(options_.idle_reread));
        std::size_t rereads = rereads_of(cgroups_.size(), snapshot.window, often);
        for (auto& [id, watched] : cgroups_)
            snapshot.cgroups.emplace(id, watched.observe(options_.roots, places_, now, options_.idle_reread, rereads));
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
    CgroupWrites writes_{};
    std::function<std::string(const GoProcess&)> name_{};
    std::map<ProcessId, WatchedProcess> processes_{};
    std::map<ProcessId, std::shared_ptr<const ProcessState>> exited_{};
    std::map<CgroupId, WatchedCgroup> cgroups_{};
    std::shared_ptr<const OutsideReadings> outside_{};
    ServiceLives lives_{};
    std::map<pid_t, std::uint32_t> ended_{};  ///< since the last tick
    std::uint64_t sequence_ = 0;
    MonoTime last_at_{};
};

}  // namespace

std::unique_ptr<Observer> Observer::make(const ObserverOptions& options, Probes* probes) {
    return std::make_unique<RealObserver>(options, probes);
}

}  // namespace gotuned

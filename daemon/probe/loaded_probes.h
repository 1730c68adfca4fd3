// Probes on a real kernel: the objects of bpf/ that share their maps, and that of foreign writes. Private to this
// room.
#pragma once

#include <memory>
#include <optional>

#include "probe/arithmetic.h"
#include "probe/costs.h"
#include "probe/events.h"
#include "probe/mapping.h"
#include "probe/object.h"
#include "probe/slots.h"
#include "probe/sysctl_probe.h"

namespace gotuned {

class LoadedProbes final : public Probes {
public:
    explicit LoadedProbes(const ProbeOptions& options);
    ~LoadedProbes() override;

    Status watch(const ProcessId& process) override;
    SlotDelta unwatch(const ProcessId& process) override;
    SlotDelta take(const ProcessId& process, MonoTime now) override;
    std::uint64_t switches_since(const ProcessId& process) const override;
    Status add_heir(pid_t pid) override;
    void remove_heir(pid_t pid) override;
    Status open_window() override;
    void close_window() override;
    [[nodiscard]] bool window_open() const override { return attachment_.windows.is_open(); }
    [[nodiscard]] int event_fd() const override;
    void drain_events(const std::function<void(const ProbeEvent&)>& callback) override;
    Status watch_sysctls(const std::set<std::string>& paths) override;
    [[nodiscard]] int sysctl_fd() const override;
    void drain_sysctl_writes(const std::function<void(const SysctlWrite&)>& callback) override;
    [[nodiscard]] std::vector<ProbeReport> reports() const override;
    [[nodiscard]] const ProbeFeatures& features() const override { return features_; }
    [[nodiscard]] std::vector<Drop> drops() const override;
    void sample_costs(Duration duration) override;
    Duration sweep_sockets(MonoTime now) override;

    /// Attaches the scheduler's, the network's and the process programs, or takes them off (a measurement of what they
    /// cost does it many times a minute). What could not be attached is in reports().
    void attach();
    void detach();

private:
    void load_objects();
    void map_slots();
    void open_ring();
    void attach_scheduler();
    void attach_process();
    void attach_network();
    void attach_tcp();
    void try_window();
    void refuse_all(const std::string& reason);
    void end_sample_when_due(MonoTime now);

    ProbeOptions options_;
    ProbeFeatures features_;
    std::optional<BpfObject> objects_[GT_OBJECTS];
    std::string refused_[GT_OBJECTS];  ///< why an object is not there
    Mapping shared_{};
    Mapping slot_memory_{};
    std::unique_ptr<SlotTable> slots_{};
    std::unique_ptr<EventRing> events_{};
    std::unique_ptr<SysctlProbe> sysctls_{};
    Attachment attachment_{};
    std::uint32_t generation_ = 0;      ///< of attachments of the scheduler's and the network's programs
    mutable CostMeter steady_costs_{};  ///< programs that are always attached
    mutable CostMeter window_costs_{};  ///< sampled over one whole window
    Duration sweeps_took_{};            ///< CPU time of all sweeps over the sockets
    std::uint64_t sweeps_ = 0;
    MonoTime sample_until_{};
    bool sample_next_window_ = false;
};

}  // namespace gotuned

// Probes on a real kernel: the objects of bpf/ that share their maps, and that of foreign writes. Private to this
// room.
#pragma once

#include <array>
#include <memory>
#include <optional>

#include "probe/arithmetic.h"
#include "probe/costs.h"
#include "probe/events.h"
#include "probe/goroutine_probe.h"
#include "probe/interrupts.h"
#include "probe/mapping.h"
#include "probe/object.h"
#include "probe/slots.h"
#include "probe/sysctl_probe.h"

namespace gotuned {

/// By gt_object; label values of gotuned_probe_dropped_total{probe}.
inline constexpr std::array<const char*, GT_OBJECTS> object_names{"sched", "process", "syscalls", "net", "tcp",
                                                                  "calls", "memory",  "swap",     "irq"};

class LoadedProbes final : public Probes {
public:
    explicit LoadedProbes(const ProbeOptions& options);
    ~LoadedProbes() override;

    Status watch(const ProcessId& process) override;
    SlotDelta unwatch(const ProcessId& process) override;
    SlotDelta take(const ProcessId& process, MonoTime now) override;
    InterruptDelta take_interrupts(MonoTime now) override;
    std::uint64_t switches_since(const ProcessId& process) const override;
    Status add_heir(pid_t pid) override;
    void remove_heir(pid_t pid) override;
    Status open_window() override;
    void close_window() override;
    void open_interrupts() override;
    void close_interrupts() override;
    [[nodiscard]] bool window_open() const override { return attachment_.windows.is_open(); }
    [[nodiscard]] int event_fd() const override;
    void drain_events(const std::function<void(const ProbeEvent&)>& callback) override;
    Status watch_sysctls(const std::set<std::string>& paths) override;
    [[nodiscard]] int sysctl_fd() const override;
    void drain_sysctl_writes(const std::function<void(const SysctlWrite&)>& callback) override;
    Status watch_goroutines(const GoroutineTarget& target) override;
    void unwatch_goroutines(const ProcessId& process) override;
    GoroutineDelta take_goroutines(const ProcessId& process, MonoTime now) override;
    [[nodiscard]] std::vector<ProbeReport> reports() const override;
    [[nodiscard]] const ProbeFeatures& features() const override { return features_; }
    [[nodiscard]] std::vector<Drop> drops() const override;
    /// Whether the process counts without atomic operations, for tests.
    [[nodiscard]] bool has_copies(const ProcessId& process) const {
        return slots_ != nullptr && slots_->has_copies(process);
    }
    void sample_costs(Duration duration) override;
    Duration sweep_sockets(MonoTime now) override;
    [[nodiscard]] ProbeCosts costs() const override;
    void pause(PartTime part) override;
    void resume(PartTime part) override;
    void tick(MonoTime now) override;

    /// Attaches all programs but those of windows, or takes them off (a measurement of what they cost does it many
    /// times a minute). What could not be attached is in reports().
    void attach();
    void detach();

private:
    /// Programs that the governor may take off for a while.
    struct PartTimeGroup {
        CostMeter costs{};
        bool paused = false;
        bool sample = false;  ///< when they are attached again
    };
    void load_objects();
    [[nodiscard]] std::uint32_t counters() const;  ///< entries of the slot array, with the copies
    void map_slots();
    void open_ring();
    void advance_generation();
    void attach_scheduler();
    void detach_scheduler();
    void void_entries();  ///< system calls that were entered before now are not counted
    void attach_process();
    void attach_sockets();
    void detach_sockets();
    [[nodiscard]] const OpenTime& attached_time(PartTime part) const;
    PartTimeGroup& group(PartTime part) { return part == PartTime::scheduler ? scheduler_ : sockets_; }
    void attach_tcp();
    void attach_calls();
    [[nodiscard]] ProbeReport report_of_calls() const;
    void attach_memory();
    void attach_swap();
    void sample_window(MonoTime now);
    void try_window();
    void try_interrupts();
    void refuse_all(const std::string& reason);
    void end_sample_when_due(MonoTime now);
    void end_sample(MonoTime now);
    [[nodiscard]] CostMeter& costs_of(std::size_t object) const;

    ProbeOptions options_;
    ProbeFeatures features_;
    std::uint32_t cpus_ = 1;  ///< possible ones
    std::optional<BpfObject> objects_[GT_OBJECTS];
    std::string refused_[GT_OBJECTS];  ///< why an object is not there
    Mapping shared_{};
    std::unique_ptr<SlotTable> slots_{};
    std::unique_ptr<EventRing> events_{};
    std::unique_ptr<InterruptReader> interrupts_{};
    MonoTime interrupts_taken_{};
    Duration interrupts_seen_{};  ///< the windows' total then
    std::unique_ptr<SysctlProbe> sysctls_{};
    std::unique_ptr<GoroutineProbe> goroutines_{};  ///< from the first process that was opted in
    Attachment attachment_{};
    std::uint32_t generation_ = 0;      ///< of attachments of the scheduler's, the sockets' and memory's programs
    mutable CostMeter steady_costs_{};  ///< programs that are always attached
    mutable CostMeter window_costs_{};  ///< sampled over one whole window
    mutable PartTimeGroup scheduler_{};
    mutable PartTimeGroup sockets_{};
    MonoTime loaded_{};  ///< what is attached all the time is attached since then
    Duration sample_length_{};
    Duration sweeps_took_{};  ///< CPU time of all sweeps over the sockets
    std::uint64_t sweeps_ = 0;
    MonoTime sample_until_{};
    bool sample_next_window_ = false;
};

}  // namespace gotuned

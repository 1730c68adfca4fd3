// Probes on a real kernel: the three objects of bpf/, sharing their maps. Private to this room.
#pragma once

#include <memory>
#include <optional>

#include "probe/arithmetic.h"
#include "probe/costs.h"
#include "probe/events.h"
#include "probe/mapping.h"
#include "probe/object.h"
#include "probe/slots.h"

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
    [[nodiscard]] bool window_open() const override { return windows_.is_open(); }
    [[nodiscard]] int event_fd() const override;
    void drain_events(const std::function<void(const ProbeEvent&)>& callback) override;
    [[nodiscard]] std::vector<ProbeReport> reports() const override;
    [[nodiscard]] const ProbeFeatures& features() const override { return features_; }
    [[nodiscard]] std::vector<Drop> drops() const override;
    void sample_costs(Duration duration) override;

private:
    void load_objects();
    void map_slots();
    void attach_scheduler();
    void attach_process();
    void try_window();
    void refuse_all(const std::string& reason);
    [[nodiscard]] Duration attached_for(MonoTime now) const { return now - attached_since_; }
    void end_sample_when_due(MonoTime now);
    SlotDelta with_scheduler(SlotDelta delta) const;

    ProbeOptions options_;
    ProbeFeatures features_;
    std::optional<BpfObject> objects_[GT_OBJECTS];
    std::string refused_[GT_OBJECTS];  ///< why an object is not there
    Mapping shared_{};
    Mapping slot_memory_{};
    std::unique_ptr<SlotTable> slots_{};
    std::unique_ptr<EventRing> events_{};
    OpenTime windows_{};
    MonoTime attached_since_{};
    bool scheduler_attached_ = false;
    mutable CostMeter steady_costs_{};  ///< programs that are always attached
    mutable CostMeter window_costs_{};  ///< sampled over one whole window
    MonoTime sample_until_{};
    bool sample_next_window_ = false;
};

}  // namespace gotuned

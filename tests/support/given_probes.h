// Probes that hand out the differences a test gives them: input of the Observer, without BPF.
#pragma once

#include <map>
#include <set>

#include "probe/probes.h"

namespace gotuned {

class GivenProbes : public Probes {
public:
    std::map<ProcessId, SlotDelta> next{};  ///< for the next take() or unwatch(); empty for those not in it
    SlotDelta otherwise{};                  ///< what a process gets that is not in `next`
    std::set<ProcessId> watched{};
    bool full = false;  ///< no slot is free
    std::vector<ProbeReport> given_reports{};

    Status watch(const ProcessId& process) override {
        if (full) return fail("no free slot", ENOSPC);
        watched.insert(process);
        return {};
    }
    SlotDelta unwatch(const ProcessId& process) override {
        watched.erase(process);
        return hand_out(process);
    }
    SlotDelta take(const ProcessId& process, MonoTime) override { return hand_out(process); }
    InterruptDelta interrupts{};
    InterruptDelta take_interrupts(MonoTime) override { return interrupts; }
    [[nodiscard]] std::uint64_t switches_since(const ProcessId& process) const override {
        const auto found = next.find(process);
        return found == next.end() ? otherwise.switches : found->second.switches;
    }
    Status add_heir(pid_t) override { return {}; }
    void remove_heir(pid_t) override {}
    Status open_window() override { return {}; }
    void close_window() override {}
    void open_interrupts() override {}
    void close_interrupts() override {}
    [[nodiscard]] bool window_open() const override { return false; }
    [[nodiscard]] int event_fd() const override { return -1; }
    void drain_events(const std::function<void(const ProbeEvent&)>&) override {}
    Status watch_sysctls(const std::set<std::string>&) override { return {}; }
    [[nodiscard]] int sysctl_fd() const override { return -1; }
    void drain_sysctl_writes(const std::function<void(const SysctlWrite&)>&) override {}
    [[nodiscard]] std::vector<ProbeReport> reports() const override { return given_reports; }
    [[nodiscard]] const ProbeFeatures& features() const override { return features_; }
    [[nodiscard]] std::vector<Drop> drops() const override { return {}; }
    void sample_costs(Duration) override {}
    Duration sweep_sockets(MonoTime) override {
        ++sweeps;
        return sweep_takes;
    }
    int sweeps = 0;
    Duration sweep_takes{};
    [[nodiscard]] ProbeCosts costs() const override { return {}; }
    void pause(PartTime) override {}
    void resume(PartTime) override {}
    void tick(MonoTime) override {}

private:
    SlotDelta hand_out(const ProcessId& process) {
        const auto found = next.find(process);
        if (found == next.end()) return otherwise;
        SlotDelta delta = found->second;
        next.erase(found);
        return delta;
    }
    ProbeFeatures features_{};
};

}  // namespace gotuned

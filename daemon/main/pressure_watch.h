// The PSI triggers of the watched cgroups and of the host: a stall wakes the loop, which evaluates the rules of memory
// and pressure at once. Armed only while some rule answers to them. Many events become few wakes.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "main/event_loop.h"
#include "observe/observer.h"
#include "observe/pressure_report.h"

namespace gotuned {

/// 50 ms of the last 500 ms: a tenth of the time, told within the kernel's shortest window (it looks ten times a
/// window).
inline constexpr PsiTrigger::Threshold pressure_threshold{PsiTrigger::Kind::some, std::chrono::milliseconds(50),
                                                          std::chrono::milliseconds(500)};
/// Between two evaluations: a storm of events costs four of them a second at most.
inline constexpr Duration least_between_wakes = std::chrono::milliseconds(250);
/// Of the cgroups without a trigger of their own, so many are looked at when the host's fires.
inline constexpr std::size_t most_looked_at = 256;

/// Which cgroups get a trigger: those that have one keep it, then those that stall most. The rest is the host's.
std::set<CgroupId> choose_for_triggers(const Snapshot& snapshot, const std::set<CgroupId>& armed, std::size_t most);

/// Gathers what stalls until it may be told.
class WakePacer {
public:
    void stalled(const CgroupId& cgroup) { cgroups_.insert(cgroup); }
    void host_stalled() { host_ = true; }
    [[nodiscard]] bool waiting() const { return host_ || !cgroups_.empty(); }
    /// When the next wake may be.
    [[nodiscard]] MonoTime due(MonoTime now) const { return std::max(now, last_ + least_between_wakes); }
    struct Stalled {
        std::set<CgroupId> cgroups{};
        bool host = false;
    };
    /// What has gathered; the next wake is counted from here.
    Stalled take(MonoTime now);

private:
    std::set<CgroupId> cgroups_{};
    bool host_ = false;
    MonoTime last_{};
};

class PressureWatch {
public:
    /// `wake` is called on the loop, at most once in least_between_wakes, with the cgroups that stalled.
    PressureWatch(EventLoop& loop, const Clock& clock, Roots roots, const Observer& observer,
                  std::function<void(const std::set<CgroupId>&)> wake);

    /// After each tick: arms and disarms for what is watched now. What was refused is tried again after a minute.
    void watch(const Snapshot& snapshot, bool host, bool cgroups);
    /// A tick looks at everything anyway: gives the cgroups that were to be told, and forgets them.
    std::set<CgroupId> take();
    [[nodiscard]] PressureReport report() const;

private:
    struct Armed {
        PsiTrigger trigger;
        EventSource source{};
    };
    struct Refused {
        std::string name, why;
        MonoTime again{};
    };
    using Key = CgroupId;  ///< inode 0: the host

    void arm(const Key& key, const std::string& name, const std::string& file);
    void refuse(const Key& key, const std::string& name, std::string why);
    void happened(const Key& key, std::uint32_t events);
    void schedule();
    void fire();

    EventLoop& loop_;
    const Clock& clock_;
    Roots roots_;
    const Observer& observer_;
    std::function<void(const std::set<CgroupId>&)> wake_;
    std::map<Key, Armed> armed_{};
    std::map<Key, Refused> refused_{};
    std::set<CgroupId> by_host_{};
    WakePacer pacer_{};
    EventSource timer_{};
    PressureReport report_{};
};

}  // namespace gotuned

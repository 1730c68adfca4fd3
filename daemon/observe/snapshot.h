// The Snapshot: everything that was seen in one tick, immutable once published. The rulebook evaluates nothing
// else (so it can be recorded and replayed), and one scrape is answered from one Snapshot.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/flat_map.h"
#include "base/reading.h"
#include "base/target.h"
#include "base/time.h"
#include "base/value.h"
#include "discover/go_process.h"
#include "observe/outside_readings.h"
#include "observe/signal_table.h"

namespace gotuned {

struct CgroupState {
    CgroupId id{};
    std::string path{};  ///< in the unified hierarchy
    std::string unit{};  ///< when it is a systemd unit's
    SignalTable signals{};
    MonoTime read_at{};
};

/// Events by the signal that they are of.
using SignalEvents = std::vector<std::pair<Signal, DistributionPtr>>;

struct ProcessState {
    std::shared_ptr<const GoProcess> process{};  ///< never null
    /// The operator's target names that match (rulebook `targets:`), and the service it is exported under.
    std::string service{};
    SignalTable signals{};
    /// What was counted of signals that are absent, because their greater part was not looked at: for counters alone.
    SignalEvents beside{};
    MonoTime since{};     ///< first seen by this daemon
    MonoTime read_at{};   ///< when /proc was last read; older than the tick for an idle process
    bool active = false;  ///< its slot showed a context switch in this tick
    bool exited = false;  ///< ended in this tick: its last differences are here, it is no target any more
};

/// How the processes of a service ended and began again within a tick.
struct ServiceLife {
    std::uint64_t exits = 0;      ///< of any cause
    std::uint64_t panics = 0;     ///< of them: exit status 2
    std::uint64_t oom_kills = 0;  ///< of them: by the kernel's OOM killer
    std::uint64_t kills = 0;      ///< of them: by SIGKILL of somebody else
    std::uint64_t restarts = 0;   ///< processes that began after another had ended
    friend bool operator==(const ServiceLife&, const ServiceLife&) = default;
};

struct HostState {
    std::string boot_id{};
    SignalTable signals{};
    /// host.sysctl("name"): those that the rulebook asked for.
    std::map<std::string, Reading<std::string>> sysctls{};
    /// Signals of which there is one of each (SignalInfo::key), by the key: a device's name. A signal that could not be
    /// read at all is absent in `signals` instead.
    std::map<Signal, std::map<std::string, SignalReading>> keyed{};
    std::map<std::string, std::string> environment{};  ///< env("NAME") of host scope: GOTUNED_*
};

/// How far an adjustment has come (tune/engine.h moves it).
enum class AdjustmentState : std::uint8_t {
    planned,
    applied,
    kept,
    undo_deferred,
    undone,
    refused,
    drifted,
    gone,
    failed
};
std::string_view to_string(AdjustmentState state);
std::optional<AdjustmentState> parse_adjustment_state(std::string_view text);

/// Why an undo began: an undo that only the condition asked for may be called off, no other.
enum class UndoCause : std::uint8_t {
    other,                ///< a write that failed, a daemon that ends, a target that changed
    condition_over,       ///< undo_when held
    verification_failed,  ///< expect was not true
    rule_gone,            ///< removed, no longer enforced, no longer matching, opted out
    asked_for,            ///< by an operator
};
std::string_view to_string(UndoCause cause);
std::optional<UndoCause> parse_undo_cause(std::string_view text);

/// What the rulebook needs to know of an adjustment that is in force: plain data that tune reports and main
/// puts into the next Snapshot. All adjustments of one decision share a group.
struct LiveAdjustment {
    std::int64_t id = 0;
    std::int64_t group = 0;
    std::string rule{};
    TargetId target{};
    std::string knob{};                                ///< "rlimit.nofile"
    Value original{};                                  ///< of the chain: what undo goes back to
    Value set{};                                       ///< what the kernel held after our last write
    AdjustmentState state = AdjustmentState::applied;  ///< applied (being verified), kept, undo_deferred, drifted
    int step = 1;                                      ///< 1 for the first write of a chain
    MonoTime read_back{};                              ///< settle starts here
    MonoTime kept_at{};                                ///< meaningful in state kept
    UndoCause undo_cause = UndoCause::other;           ///< meaningful in state undo_deferred
    std::string now{};   ///< state drifted: what it holds now, for people; empty when that is not known yet
    std::string note{};  ///< state drifted, undo_deferred: why; else what is amiss, for people
    /// before(x): values at the decision, by the printed expression.
    std::map<std::string, Reading<Value>> before{};
};

struct Snapshot {
    std::uint64_t sequence = 0;
    MonoTime at{};  ///< the scheduled tick
    WallTime wall{};
    Duration window{};  ///< since the last tick's Snapshot; zero in the first
    /// Made between two ticks because a PSI trigger fired: only memory and pressure (answers_pressure()) of the host
    /// and of these cgroups are new, everything else is as in the Snapshot before. Nothing: a tick's Snapshot.
    std::optional<std::set<CgroupId>> woken_for{};
    HostState host{};
    FlatMap<CgroupId, std::shared_ptr<const CgroupState>> cgroups{};
    FlatMap<ProcessId, std::shared_ptr<const ProcessState>> processes{};
    std::vector<LiveAdjustment> adjustments{};
    std::shared_ptr<const OutsideReadings> outside{};  ///< null: no rule asks for any
    /// By service, since the Snapshot before; those of which nothing happened are left out. The processes' signals hold
    /// the same as rates: counters are made of these.
    std::map<std::string, ServiceLife> lives{};

    /// The cgroup of a process; null when it has none that we could read.
    [[nodiscard]] const CgroupState* cgroup_of(const ProcessState& process) const;
};
using SnapshotPtr = std::shared_ptr<const Snapshot>;

}  // namespace gotuned

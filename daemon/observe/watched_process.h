// One process that the Observer follows: its slot, what /proc said last, and the state of the last Snapshot, which
// is shared with the next one as long as nothing happens.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "observe/counter.h"
#include "observe/cpu_quota.h"
#include "observe/go_readings.h"
#include "observe/go_signals.h"
#include "observe/goroutine_watch.h"
#include "observe/net_namespaces.h"
#include "observe/process_reader.h"
#include "observe/slot_signals.h"
#include "observe/snapshot.h"
#include "observe/tcp_signals.h"
#include "observe/user_threads.h"
#include "probe/probes.h"

namespace gotuned {

/// What all processes of one tick share.
struct ReadingContext {
    const Roots& roots;
    const Clock& clock;
    Probes* probes;  ///< null: none
    SlotAbsences absences;
    Reading<CpuSet> online;
    UserThreads& user_threads;
    NetNamespaces& namespaces;
    GoReadings& go_readings;
    CpuQuotas& quotas;
    const GoroutineOptions& goroutines;
    double goroutine_budget;  ///< of one CPU, for each process whose goroutines are looked into
    MonoTime now;             ///< of the tick: what is read once a tick is read under it
    Duration idle_reread;
    std::size_t& rereads;  ///< how many that did nothing may still be read again in this tick
    /// How the services' processes ended in this tick, which took `window`; why that is not known.
    const std::map<std::string, ServiceLife>& lives;
    Duration window;
    std::optional<Absent> no_exits;
};

class WatchedProcess {
public:
    WatchedProcess(std::shared_ptr<const GoProcess> process, MonoTime since)
        : process_(std::move(process)), since_(since) {}

    /// What is known was looked up anew (labels, environment): the identity is the same.
    void replace(std::shared_ptr<const GoProcess> process);
    void name(std::string service);
    void touch() { touched_ = true; }

    /// Asks for a slot; when there is none, every minute again.
    void watch(Probes* probes, MonoTime now);
    /// Takes what the probes counted, and begins to read the Go runtime where observe() will read.
    void begin(const ReadingContext& context);
    /// After begin(): the state of this tick; the same object as before when nothing happened and nothing was read.
    std::shared_ptr<const ProcessState> observe(const ReadingContext& context);
    /// Ends the watch: the state of the Snapshot in which it is exited, with the last differences.
    std::shared_ptr<const ProcessState> finish(Probes* probes, const SlotAbsences& absences, MonoTime now);

    /// After begin(): whether it is read in this tick, and what is asked of its runtime must settle before observe().
    [[nodiscard]] bool reads() const { return reads_; }
    [[nodiscard]] bool watches_goroutines() const { return goroutines_.watching(); }
    [[nodiscard]] const GoProcess& process() const { return *process_; }
    [[nodiscard]] const std::string& service() const { return service_; }

private:
    void read(SignalTable& table, const ReadingContext& context);
    void read_go(SignalTable& table, const ProcessFiles* files, const ReadingContext& context);
    [[nodiscard]] const std::string& version() const;
    void keep_last(SignalTable& table, const ReadingContext& context);
    [[nodiscard]] bool did_little(const Reading<std::uint64_t>& cpu_time) const;
    [[nodiscard]] bool same_as_last(const SlotDelta& delta, MonoTime now, const SignalReading& udp) const;
    void set_life(SignalTable& table, const ReadingContext& context);

    std::shared_ptr<const GoProcess> process_;
    std::string service_;
    MonoTime since_;
    MonoTime read_at_{};
    MonoTime tried_at_{};
    bool touched_ = true;  ///< read it whether it did something or not
    bool changed_ = true;  ///< the last state says something that is not so any more
    bool watched_ = false;
    Absent not_watched_{Absence::not_attached, {}};

    TcpSignals tcp_{};
    Reading<std::uint64_t> net_namespace_{};
    MonoTime namespace_at_{};  ///< when it was looked up
    Counter cpu_usage_{};
    std::uint64_t cpu_time_ = 0;  ///< as last looked at
    bool cpu_clock_ = false;      ///< the CPU-time clock can be read without opening PROC
    Counter major_faults_{};
    std::uint64_t faults_ = 0;  ///< as last read
    /// Since it was last read: a little work is not worth a reading.
    std::uint64_t switches_ = 0;
    std::uint64_t cpu_time_read_ = 0;  ///< as it was then
    bool unread_ = false;              ///< it did a little
    ServiceLife life_{};               ///< of the service, as the last state has it
    bool timed_ = false;               ///< the last state's tick had a length

    std::shared_ptr<GoReading> go_{};  ///< null before the first begin()
    GoSignals go_signals_{};
    GoroutineWatch goroutines_{};
    std::string version_{};  ///< the runtime's own words, where the executable has none

    std::unique_ptr<SlotDelta> delta_{};  ///< begin()'s, until observe()
    bool active_ = false;                 ///< likewise
    bool reads_ = false;                  ///< likewise

    std::shared_ptr<const ProcessState> last_{};
    bool last_empty_ = false;  ///< nothing was counted in the last tick
    Duration last_elapsed_{};
    Duration last_observed_{};
};

}  // namespace gotuned

// The wiring behind Daemon, split over daemon.cpp (start and stop), tick.cpp (the loop's work) and control.cpp (what
// gotunectl asks). Not for other rooms.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "discover/process_table.h"
#include "export/control.h"
#include "export/control_server.h"
#include "export/http_server.h"
#include "export/json.h"
#include "export/metrics.h"
#include "main/daemon.h"
#include "main/event_loop.h"
#include "main/file_watch.h"
#include "main/history_reader.h"
#include "main/pressure_watch.h"
#include "main/rulebook_store.h"
#include "main/windows.h"
#include "observe/observer.h"
#include "observe/outside.h"
#include "probe/governor.h"
#include "probe/probes.h"
#include "rulebook/evaluator.h"
#include "rulebook/pressure_rules.h"
#include "tune/engine.h"
#include "tune/history.h"
#include "tune/journal.h"

namespace gotuned {

class Daemon::Impl final : public Control {
public:
    Impl(Options options, Settings settings, EventLoop loop);
    ~Impl() override;

    Status start();
    int run();

    // Control (control.cpp)
    void status(Reply reply) override;
    void signals(const std::string& target, Reply reply) override;
    void plan(const std::string& other, Reply reply) override;
    void explain(const std::string& rule, const std::string& target, Reply reply) override;
    void history(unsigned limit, const std::string& rule, const std::string& target, Reply reply) override;
    void undo(long long id, bool all, bool force, const Peer& peer, Reply reply) override;
    void reload(const Peer& peer, Reply reply) override;
    void pause(const Peer& peer, Reply reply) override;
    void resume(const std::string& rule, const std::string& target, const Peer& peer, Reply reply) override;
    void profile(const std::string& name, const Peer& peer, Reply reply) override;

private:
    // daemon.cpp
    Status make_directories();
    [[nodiscard]] EngineOptions engine_options() const;
    Status open_engine();
    void load_probes();
    Status open_servers();
    Status watch_signals();
    void stop();
    [[nodiscard]] std::string profile_at_start() const;
    [[nodiscard]] std::string profile_running() const;  ///< of the running rulebook; of the sources when there is none

    // tick.cpp
    void schedule_tick();
    void tick();
    void woken(const std::set<CgroupId>& stalled);
    void tell_clock_steps();
    void take_foreign_writes();
    void then(MonoTime when, std::function<void()> what);
    void open_interrupts(Duration length, bool with_calls);
    void open_window(Duration length);
    void close_windows();
    void plan_probes();
    struct PartTimers {
        EventSource resume, pause;
        void reset() {
            resume.reset();
            pause.reset();
        }
    };
    void schedule(PartTime part, double share, PartTimers& timers, MonoTime now,
                  const std::optional<WindowSchedule::Window>& window);
    [[nodiscard]] ProbeBudget probe_budget() const;
    void take_probe_events();
    void on_probe_event(const ProbeEvent& event);
    void rescan_if_blind();
    void watch_held_sysctls();
    void sample_costs(MonoTime now);
    void refresh_metrics(Duration took);
    void print_table();
    [[nodiscard]] std::string service_of(const GoProcess& process) const;

    // reload (control.cpp)
    Status reload_rulebook(const std::string& actor);
    void rulebook_was_loaded(const RulebookPtr& before);
    void look_for_conflicts(const Rulebook& rulebook);
    [[nodiscard]] ExplainedTarget explained_on(const Rule& rule, const TargetId& target) const;
    [[nodiscard]] std::vector<PlanItem> plan_of(const Rulebook& rulebook) const;
    [[nodiscard]] std::function<std::string(const TargetId&)> namer() const;
    [[nodiscard]] std::string not_ready_reason() const;  ///< empty when ready
    void record(const std::string& event, const std::string& actor, const std::string& reason);

    Options options_;
    Settings settings_;
    SystemClock clock_;
    Roots roots_;
    EventLoop loop_;

    std::optional<RunLock> state_lock_;
    std::shared_ptr<History> history_;
    std::unique_ptr<Engine> engine_;
    std::unique_ptr<ProcessTable> processes_;
    std::unique_ptr<Probes> probes_;
    std::unique_ptr<Observer> observer_;
    std::unique_ptr<OutsideReader> outside_;
    std::unique_ptr<RulebookStore> rulebook_;
    RuleState rule_state_;
    SnapshotPtr snapshot_;
    Evaluation evaluation_;
    std::vector<PreflightItem> preflight_;
    std::vector<std::string> conflicts_;
    std::unique_ptr<Metrics> metrics_;
    std::unique_ptr<HttpServer> http_;
    std::unique_ptr<HistoryReader> history_reader_;
    std::unique_ptr<ControlServer> control_;
    std::optional<FileWatch> files_;
    WindowSchedule windows_;
    Governor governor_;
    ProbeCosts costs_{};  ///< as of the last tick
    std::uint64_t ticks_ = 0;
    std::unique_ptr<PressureWatch> pressure_;
    PressureNeeds pressure_needs_{};

    MonoTime started_{};
    MonoTime next_tick_{};
    MonoTime cost_sampled_{};
    std::uint64_t lost_events_ = 0;
    std::set<std::string> watched_sysctls_{};
    bool windows_can_open_ = false;  ///< at start: what was refused then is refused at every tick
    bool recovered_ = false;
    bool stopping_ = false;

    PartTimers scheduler_timers_, socket_timers_;
    EventSource tick_timer_, window_timer_, exec_timer_, reload_timer_, end_timer_;
    EventSource clock_source_, probe_source_, sysctl_source_, inspector_source_, engine_source_, history_source_,
        files_source_, outside_source_;
    EventSource term_source_, int_source_, hup_source_;
};

}  // namespace gotuned

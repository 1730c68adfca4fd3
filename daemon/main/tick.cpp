// The loop's work: one tick, the windows within it, events of the probes.
#include <malloc.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>

#include "base/log.h"
#include "main/after_start.h"
#include "main/daemon_impl.h"
#include "main/process_costs.h"
#include "main/table.h"
#include "observe/sysctl.h"

namespace gotuned {

void Daemon::Impl::schedule_tick() {
    next_tick_ += settings_.tick;
    // A tick that was missed (a stopped machine, a debugger) is skipped, not made up for: two Snapshots at once would
    // show windows of no length.
    const MonoTime now = clock_.mono();
    while (next_tick_ <= now) next_tick_ += settings_.tick;
    auto source = loop_.at(next_tick_, [this] { tick(); });
    if (!source) {
        // Without a tick nothing is watched any more, while the watchdog would still be fed.
        log_error("{}", to_string(source.error()));
        return loop_.exit(1);
    }
    tick_timer_ = std::move(*source);

    if (!probes_ || stopping_) return;
    const ProbePlan& plan = governor_.current();
    schedule(PartTime::scheduler, plan.scheduler, scheduler_timers_, now, std::nullopt);
    // A tick that came before a window's end takes its timer.
    window_timer_.reset();
    close_windows();
    if (!windows_can_open_ || plan.window <= Duration::zero() || ++ticks_ % plan.every != 0)
        return schedule(PartTime::sockets, plan.sockets, socket_timers_, now, std::nullopt);
    // One after the other, so that nobody pays for both at a time; the one of system calls last, since it ends a sample
    // of what both cost (Probes::open_interrupts).
    const auto windows = windows_.next_two(now, next_tick_ - now, plan.window);
    const Duration length = windows.first.close - windows.first.open;
    const bool together = windows.first.open == windows.second.open;
    then(windows.first.open, [this, length, together] { open_interrupts(length, together); });
    schedule(PartTime::sockets, plan.sockets, socket_timers_, now, windows.whole());
}

/// Attached all the time, or for the part of each tick that the budget allows, at a random offset like the windows,
/// and not while `window` is open.
void Daemon::Impl::schedule(PartTime part, double share, PartTimers& timers, MonoTime now,
                            const std::optional<WindowSchedule::Window>& window) {
    timers.reset();
    if (share >= 1) return probes_->resume(part);
    probes_->pause(part);
    const Duration length = next_tick_ - now;
    const Duration wanted = from_seconds(seconds(length) * share);
    auto seen = window ? windows_.beside(*window, now, length, wanted) : windows_.next(now, length, wanted);
    // In a tick that is too short for both, a value is worth more.
    if (seen.close - seen.open < std::min<Duration>(wanted, least_exposure)) seen = windows_.next(now, length, wanted);
    auto resume = loop_.at(seen.open, [this, part, until = seen.close] {
        if (clock_.mono() < until) probes_->resume(part);
    });
    auto pause = loop_.at(seen.close, [this, part] { probes_->pause(part); });
    if (resume && pause) {
        timers.resume = std::move(*resume);
        timers.pause = std::move(*pause);
    }
}

void Daemon::Impl::plan_probes() {
    if (!probes_) return;
    const ProbePlan before = governor_.current();
    costs_ = complete(probes_->costs(), *snapshot_);
    const ProbePlan& plan = governor_.plan(clock_.mono(), settings_.tick, costs_, dearest_process(*snapshot_, costs_));
    if (plan.window == before.window && plan.every == before.every && plan.scheduler == before.scheduler &&
        plan.sockets == before.sockets)
        return;
    const std::string words = plan_words(plan);
    log_info("probes.budget of {:.3g}%: {}", governor_.budget() * 100,
             words.empty() ? "the probes look as long as they may again" : words);
}

ProbeBudget Daemon::Impl::probe_budget() const {
    return {governor_.budget(), settings_.tick, costs_, governor_.current()};
}

/// The next step of the windows. Each sets the timer of the one after it: timers of their own, due together in a loop
/// that was held up, would come in any order. A window is as long as was planned, however late and slowly it opened.
void Daemon::Impl::then(MonoTime when, std::function<void()> what) {
    if (auto timer = loop_.at(when, std::move(what)))
        window_timer_ = std::move(*timer);
    else
        close_windows();
}

void Daemon::Impl::open_interrupts(Duration length, bool with_calls) {
    probes_->open_interrupts();
    if (with_calls) return open_window(length);
    then(clock_.mono() + length, [this, length] {
        probes_->close_interrupts();
        open_window(length);
    });
}

void Daemon::Impl::open_window(Duration length) {
    if (const auto opened = probes_->open_window(); !opened) log_warning("{}", to_string(opened.error()));
    then(clock_.mono() + length, [this] { close_windows(); });
}

void Daemon::Impl::close_windows() {
    probes_->close_interrupts();
    probes_->close_window();
}

void Daemon::Impl::take_probe_events() {
    if (probes_) probes_->drain_events([this](const ProbeEvent& event) { on_probe_event(event); });
}

void Daemon::Impl::on_probe_event(const ProbeEvent& event) {
    switch (event.kind) {
        case GT_EXEC:
            processes_->executed(static_cast<pid_t>(event.pid), event.dev, event.inode);
            break;
        case GT_FORK:
            engine_->forked(static_cast<pid_t>(event.parent), static_cast<pid_t>(event.pid));
            break;
        case GT_EXIT:
            observer_->ended(static_cast<pid_t>(event.pid), event.exit_code);
            processes_->exited(static_cast<pid_t>(event.pid));
            engine_->exited(static_cast<pid_t>(event.pid));
            break;
        default:
            break;
    }
}

void Daemon::Impl::rescan_if_blind() {
    bool sees_execs = false;
    std::uint64_t lost = 0;
    if (probes_) {
        for (const ProbeReport& report : probes_->reports())
            sees_execs = sees_execs || (report.probe == "process_exec" && report.attached);
        for (const Probes::Drop& drop : probes_->drops())
            if (drop.probe == "process" && drop.reason == "ring_full") lost += drop.count;
    }
    // Without the exec event, or after events were lost, one walk over /proc repairs the picture.
    if (sees_execs && lost == lost_events_) return;
    lost_events_ = lost;
    if (const auto scanned = processes_->scan(); !scanned) log_warning("{}", to_string(scanned.error()));
}

void Daemon::Impl::sample_costs(MonoTime now) {
    // BPF_ENABLE_STATS costs as much as a small probe: a moment a minute is 1% of that. What the budget shortened may
    // have been dear for a moment only (we ourselves start, and all programs with us): it is looked at again soon.
    const ProbePlan& plan = governor_.current();
    const bool first = !costs_.window;
    const Duration every = first || !plan.reason.empty() ? std::chrono::seconds(10) : std::chrono::seconds(60);
    constexpr Duration moment = std::chrono::milliseconds(600);
    if (!probes_ || now < cost_sampled_ + every) return;
    cost_sampled_ = now;
    probes_->sample_costs(moment);
}

std::string Daemon::Impl::service_of(const GoProcess& process) const {
    if (const RulebookPtr& rulebook = rulebook_->running())
        for (const TargetDefinition& definition : rulebook->targets)
            if (matches(definition, process)) return definition.name;
    return default_service(process);
}

void Daemon::Impl::watch_held_sysctls() {
    if (!probes_ || probes_->sysctl_fd() < 0) return;
    std::set<std::string> paths;
    for (const LiveAdjustment& live : engine_->live()) {
        constexpr std::string_view prefix = "sysctl.";
        if (!live.knob.starts_with(prefix) || live.state == AdjustmentState::drifted) continue;
        if (const auto path = sysctl_path(live.knob.substr(prefix.size()))) paths.insert(*path);
    }
    if (paths == watched_sysctls_) return;
    if (auto watched = probes_->watch_sysctls(paths); !watched) log_warning("{}", to_string(watched.error()));
    watched_sysctls_ = std::move(paths);
}

void Daemon::Impl::tick() {
    const MonoTime scheduled = next_tick_;
    const MonoTime began = clock_.mono();
    take_probe_events();
    processes_->tick(began);
    rescan_if_blind();
    const std::vector<LiveAdjustment> live = engine_->live();
    // What we changed is what expect looks at: it is read again even where the process is idle.
    for (const LiveAdjustment& adjustment : live) {
        if (const auto* process = std::get_if<ProcessId>(&adjustment.target)) observer_->touch(*process);
        if (const auto* cgroup = std::get_if<CgroupId>(&adjustment.target)) observer_->touch(*cgroup);
    }

    observer_->outside(outside_->readings(began, settings_.tick));
    outside_->tick(began);
    for (const CgroupId& stalled : pressure_->take()) observer_->touch(stalled);

    snapshot_ = observer_->observe(scheduled, clock_.wall(), live);
    if (probes_) probes_->tick(clock_.mono());
    tell_clock_steps();  // those that no timer told
    const RulebookPtr& rulebook = rulebook_->running();
    if (!recovered_) {
        recovered_ = true;
        if (const auto done = engine_->recover(*snapshot_, rulebook.get()); !done)
            log_error("recovery: {}", to_string(done.error()));
    }
    evaluation_ = rulebook ? evaluate(*rulebook, *snapshot_, rule_state_, std::move(evaluation_)) : Evaluation{};
    engine_->act(evaluation_.decisions, snapshot_);
    engine_->tick(snapshot_);
    watch_held_sysctls();
    pressure_->watch(*snapshot_, pressure_needs_.host, pressure_needs_.cgroups);

    plan_probes();
    sample_costs(began);
    refresh_metrics(clock_.mono() - began);
    if (options_.table) print_table();
    // What loading took (the kernel's types, the rulebook's text) is several times what stays, and what a page of
    // metrics took lies between what stays.
    constexpr std::uint64_t ticks_between_trims = 12;
    if (snapshot_->sequence == 2)
        give_back_start();
    else if (snapshot_->sequence % ticks_between_trims == 2)
        ::malloc_trim(0);
    schedule_tick();
}

void Daemon::Impl::take_foreign_writes() {
    if (probes_) probes_->drain_sysctl_writes([this](const SysctlWrite& write) { engine_->foreign_write(write); });
}

void Daemon::Impl::tell_clock_steps() {
    for (const Duration step : observer_->clock().take()) {
        const std::string words = fmt::format("the wall clock was set {} by {}; who did it is not known",
                                              step < Duration::zero() ? "back" : "forward",
                                              to_string(time(step < Duration::zero() ? -step : step)));
        log_warning("{}", words);
        record("clock_step", "kernel", words);
    }
}

void Daemon::Impl::woken(const std::set<CgroupId>& stalled) {
    const MonoTime now = clock_.mono();
    const RulebookPtr& rulebook = rulebook_->running();
    if (stopping_ || !snapshot_ || !rulebook || now <= snapshot_->at) return;
    if (now >= next_tick_) {  // the tick that is due looks at everything
        for (const CgroupId& cgroup : stalled) observer_->touch(cgroup);
        return;
    }
    snapshot_ = observer_->refresh(*snapshot_, stalled, now, clock_.wall(), engine_->live());
    const Evaluation evaluated = evaluate(*rulebook, *snapshot_, rule_state_);
    engine_->act(evaluated.decisions, snapshot_);
    evaluation_ = carried_on(evaluation_, evaluated);
    metrics_->woken(snapshot_, evaluation_, pressure_->report());
}

void Daemon::Impl::print_table() {
    winsize size{};
    const bool terminal = ::isatty(STDOUT_FILENO) == 1;
    const bool sized = terminal && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 40;
    const std::string table =
        render_table(*snapshot_, sized ? size.ws_col : 120, sized && size.ws_row > 8 ? size.ws_row - 6U : 20);
    // A terminal is redrawn in place; a file gets one table after the other.
    fmt::print("{}gotuned: metrics at http://{}/metrics, {} Go processes, profile {}, {} adjustments in force\n{}\n",
               terminal ? "\x1b[H\x1b[2J" : "", http_->addresses().front(), processes_->processes().size(),
               profile_running(), engine_->live().size(), table);
    std::fflush(stdout);
}

}  // namespace gotuned

#include "main/daemon.h"

#include <sys/epoll.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <random>

#include "base/log.h"
#include "main/capabilities.h"
#include "main/daemon_impl.h"
#include "main/lease.h"
#include "main/probe_summary.h"

namespace gotuned {

namespace {

// From then on an exec wakes again; the rest is for clocks read at different moments.
constexpr Duration quiet_after_wake = std::chrono::nanoseconds(GT_EXEC_WAKE_NS) + std::chrono::milliseconds(2);

}  // namespace

Daemon::Daemon(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Daemon::~Daemon() = default;

Result<std::unique_ptr<Daemon>> Daemon::start(const Options& options, const Settings& settings) {
    auto loop = EventLoop::make();
    if (!loop) return fail(std::move(loop.error()));
    auto impl = std::make_unique<Impl>(options, settings, std::move(*loop));
    if (auto started = impl->start(); !started) return fail(std::move(started.error()));
    return std::unique_ptr<Daemon>(new Daemon(std::move(impl)));
}

int Daemon::run() { return impl_->run(); }

Daemon::Impl::Impl(Options options, Settings settings, EventLoop loop)
    : options_(std::move(options)),
      settings_(std::move(settings)),
      loop_(std::move(loop)),
      windows_(std::random_device{}()),
      governor_(settings_.probes.budget) {
    roots_.cgroup2 = find_cgroup2(roots_.proc);
    if (options_.tick) settings_.tick = *options_.tick;
    if (!options_.listen.empty()) settings_.listen = options_.listen;
}

Daemon::Impl::~Impl() = default;

Status Daemon::Impl::start() {
    if (auto done = watch_signals(); !done) return done;  // before any thread exists: they inherit the mask
    if (auto done = make_directories(); !done) return done;

    // The inspector's socket and the worker's thread come after the capabilities are gone: they never held more.
    if (const auto dropped = drop_capabilities(); !dropped) log_warning("{}", to_string(dropped.error()));

    // env("GOTUNED_ENVIRONMENT") is read from our own environment; gotuned.yaml gives its default.
    if (!settings_.environment.empty()) ::setenv("GOTUNED_ENVIRONMENT", settings_.environment.c_str(), 0);

    ProcessTable::Callbacks callbacks;
    callbacks.found = [this](const std::shared_ptr<const GoProcess>& process) {
        observer_->found(process, clock_.mono());
    };
    callbacks.lost = [this](const std::shared_ptr<const GoProcess>& process) {
        observer_->lost(process->id, clock_.mono());
    };
    processes_ = ProcessTable::make(roots_, std::move(callbacks));

    RulebookSources sources;
    sources.packaged = options_.packaged;
    sources.operators = options_.rulebook;
    sources.profiles = options_.profiles;
    sources.environment = settings_.environment;
    sources.unsafe_bounds = settings_.adjust.unsafe_bounds;
    sources.profile = profile_at_start();
    rulebook_ = std::make_unique<RulebookStore>(std::move(sources), options_.state_dir + "/last-good");
    rulebook_->load_at_start();

    if (settings_.adjust.unsafe_bounds)
        log_warning("adjust.unsafe is true: rules may write values outside the packaged safe bounds");
    if (auto done = open_engine(); !done) return done;
    load_probes();

    ObserverOptions observe;
    observe.roots = roots_;
    observe.goroutines.services = {settings_.probes.goroutines.begin(), settings_.probes.goroutines.end()};
    observe.goroutines.budget = settings_.probes.budget;
    observer_ = Observer::make(observe, probes_.get());
    observer_->name_services([this](const GoProcess& process) { return service_of(process); });
    OutsideReader::Options outside;
    outside.prometheus = settings_.prometheus;
    outside_ = OutsideReader::make(outside);
    if (auto source = loop_.on_io(outside_->fd(), EPOLLIN, [this] { outside_->complete(clock_.mono()); }))
        outside_source_ = std::move(*source);
    rulebook_was_loaded(nullptr);
    pressure_ = std::make_unique<PressureWatch>(loop_, clock_, roots_, *observer_,
                                                [this](const std::set<CgroupId>& stalled) { woken(stalled); });

    if (auto done = open_servers(); !done) return done;

    if (observer_->clock().fd() >= 0) {
        auto source = loop_.on_io(observer_->clock().fd(), EPOLLIN, [this] {
            observer_->clock().look();
            tell_clock_steps();
        });
        if (source) clock_source_ = std::move(*source);
    }
    if (auto source = loop_.on_io(processes_->answer_fd(), EPOLLIN, [this] { processes_->complete(); }))
        inspector_source_ = std::move(*source);
    if (probes_ && probes_->event_fd() >= 0) {
        auto source = loop_.on_io(probes_->event_fd(), EPOLLIN, [this] {
            take_probe_events();
            // What is executed by what was just executed (an init of a container, a shell script) wakes nobody, and
            // would be watched from the next tick on only.
            auto timer = loop_.at(clock_.mono() + quiet_after_wake, [this] { take_probe_events(); });
            if (timer) exec_timer_ = std::move(*timer);
        });
        if (source) probe_source_ = std::move(*source);
    }
    if (probes_ && probes_->sysctl_fd() >= 0) {
        auto source = loop_.on_io(probes_->sysctl_fd(), EPOLLIN, [this] { take_foreign_writes(); });
        if (source) sysctl_source_ = std::move(*source);
    }
    if (auto scanned = processes_->scan(); !scanned) return scanned;

    if (auto files = FileWatch::open({options_.packaged, options_.rulebook, options_.profiles})) {
        files_.emplace(std::move(*files));
        auto source = loop_.on_io(files_->fd(), EPOLLIN, [this] {
            if (!files_->changed()) return;
            // Debounced: an editor or a ConfigMap writes in several steps.
            auto timer =
                loop_.at(clock_.mono() + std::chrono::seconds(1), [this] { (void)reload_rulebook("file change"); });
            if (timer) reload_timer_ = std::move(*timer);
        });
        if (source) files_source_ = std::move(*source);
    } else {
        log_warning("{}", to_string(files.error()));
    }

    started_ = clock_.mono();
    // The first Snapshot comes when the inspector has had a moment for the binaries (rates and windows follow with the
    // second).
    next_tick_ = started_ + std::chrono::milliseconds(200);
    auto first = loop_.at(next_tick_, [this] {
        tick();
        sd_notifyf(0, "READY=1\nSTATUS=Watching %zu Go processes", processes_->processes().size());
    });
    if (!first) return fail(std::move(first.error()));
    tick_timer_ = std::move(*first);
    if (options_.run_for) {
        auto end = loop_.at(started_ + *options_.run_for, [this] { loop_.exit(0); });
        if (!end) return fail(std::move(end.error()));
        end_timer_ = std::move(*end);
    }
    loop_.watch_for_us();
    return {};
}

int Daemon::Impl::run() {
    const auto ended = loop_.run();
    sd_notify(0, "STOPPING=1");
    stop();
    if (!ended) {
        log_error("{}", to_string(ended.error()));
        return 1;
    }
    return 0;
}

void Daemon::Impl::stop() {
    stopping_ = true;
    // Nobody asks or reports any more; what is open is answered by closing.
    control_.reset();
    tick_timer_.reset();
    window_timer_.reset();
    scheduler_timers_.reset();
    socket_timers_.reset();
    if (probes_) close_windows();
    pressure_.reset();
    for (const UndoOutcome& outcome : engine_->stop(std::chrono::seconds(40)))
        log_info("stop: {} of {} on {}: {}{}{}", outcome.knob, outcome.rule, outcome.target, to_string(outcome.state),
                 outcome.reason.empty() ? "" : ": ", outcome.reason);
    http_.reset();
    engine_.reset();
    history_source_.reset();
    history_reader_.reset();
    history_.reset();
}

Status Daemon::Impl::make_directories() {
    for (const std::string& directory : {options_.run_dir, options_.state_dir}) {
        std::error_code error;
        std::filesystem::create_directories(directory, error);
        if (error)
            return fail("cannot make " + directory, error.value(), {},
                        "run as root, or name another with --run-dir and --state-dir");
    }
    // Two daemons with run directories of their own would write one history and overwrite each other's last-good.
    if (std::error_code ignored; std::filesystem::equivalent(options_.run_dir, options_.state_dir, ignored)) return {};
    auto lock = RunLock::take(options_.state_dir);
    if (lock) {
        state_lock_.emplace(std::move(*lock));
    } else if (lock.error().code == EWOULDBLOCK) {
        return fail(std::move(lock.error()));
    } else {
        log_warning("the state directory is not locked: {}", to_string(lock.error()));
    }
    return {};
}

std::string Daemon::Impl::profile_at_start() const {
    if (options_.profile) return *options_.profile;
    if (const auto chosen = read_file(options_.state_dir + "/profile", 256)) {
        const std::string name(trim(*chosen));
        if (!name.empty()) return name;
    }
    return settings_.profile;
}

EngineOptions Daemon::Impl::engine_options() const {
    EngineOptions engine;
    engine.roots = roots_;
    engine.run_dir = options_.run_dir;
    engine.per_minute = settings_.adjust.per_minute;
    engine.unsafe_bounds = settings_.adjust.unsafe_bounds;
    // Without anybody who undoes after the lease it is over when we end.
    engine.undo_on_stop = settings_.adjust.on_stop == Settings::OnStop::undo ||
                          (settings_.adjust.on_stop == Settings::OnStop::lease && !options_.leased);
    return engine;
}

Status Daemon::Impl::open_engine() {
    auto history = open_history(options_.state_dir + "/history.db", settings_.history.keep,
                                static_cast<std::uint64_t>(settings_.history.max_bytes));
    if (history) {
        history_ = std::move(*history);
        history_reader_ = std::make_unique<HistoryReader>(history_);
        auto source = loop_.on_io(history_reader_->fd(), EPOLLIN, [this] { history_reader_->complete(clock_.mono()); });
        if (!source) return fail(std::move(source.error()));
        history_source_ = std::move(*source);
    } else {
        log_error("history is not recorded: {}",
                  to_string(history.error()));  // adjustments need the journal, not the history
    }
    auto opened = Engine::open(engine_options(), clock_, history_.get());
    if (!opened) return fail(std::move(opened.error()));
    engine_ = std::move(*opened);
    if (options_.leased) {
        if (auto noted = note_lease(options_.run_dir, settings_); !noted) return noted;
    }
    engine_->heir_changed = [this](pid_t pid, bool add) {
        if (!probes_) return;
        if (!add) {
            probes_->remove_heir(pid);
        } else if (const auto added = probes_->add_heir(pid); !added) {
            log_warning("children of an adjusted process will not be followed: {}", to_string(added.error()));
        }
    };
    auto source = loop_.on_io(engine_->completion_fd(), EPOLLIN, [this] {
        take_foreign_writes();  // what was read back may be one of them: it was told before it was written
        engine_->complete();
        watch_held_sysctls();
    });
    if (!source) return fail(std::move(source.error()));
    engine_source_ = std::move(*source);
    return {};
}

void Daemon::Impl::load_probes() {
    ProbeOptions options;
    options.cgroup2 = roots_.cgroup2;
    probes_ = Probes::load(options);
    if (!probes_) return;
    const ProbeFeatures& features = probes_->features();
    log_info("kernel {}, lockdown {}, BTF {}", features.kernel, features.lockdown,
             features.kernel_btf ? "present" : "absent");
    auto reports = probes_->reports();
    // Withheld by the packaged unit, and made up for by a comparison each tick: nothing to warn of.
    const auto writers = std::ranges::find(reports, "sysctl_write", &ProbeReport::probe);
    if (writers != reports.end()) {
        if (!writers->attached) log_info("who else writes a sysctl will not be named: {}", writers->reason);
        reports.erase(writers);
    }
    for (const std::string& line : probe_summary(reports)) log_warning("{}", line);
    windows_can_open_ = std::ranges::count_if(reports, [](const ProbeReport& report) {
                            return (report.probe == "sys_enter" || report.probe == "sys_exit") && report.attached;
                        }) == 2;
    if (::geteuid() != 0)
        log_warning(
            "not root: /proc/sys cannot be written, and processes of other users can neither be looked into nor "
            "adjusted; rules that need it are refused, with the reason in gotunectl status");
}

Status Daemon::Impl::watch_signals() {
    sigset_t mask;
    sigemptyset(&mask);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&mask, signal);
    if (sigprocmask(SIG_BLOCK, &mask, nullptr) != 0) return fail("cannot block signals", errno);
    std::signal(SIGPIPE, SIG_IGN);
    auto term = loop_.on_signal(SIGTERM, [this] { loop_.exit(0); });
    auto interrupt = loop_.on_signal(SIGINT, [this] { loop_.exit(0); });
    auto hangup = loop_.on_signal(SIGHUP, [this] { (void)reload_rulebook("SIGHUP"); });
    if (!term) return fail(std::move(term.error()));
    if (!interrupt) return fail(std::move(interrupt.error()));
    if (!hangup) return fail(std::move(hangup.error()));
    term_source_ = std::move(*term);
    int_source_ = std::move(*interrupt);
    hup_source_ = std::move(*hangup);
    return {};
}

}  // namespace gotuned

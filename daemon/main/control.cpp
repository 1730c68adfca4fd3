// What gotunectl asks of the running daemon, and reloading.
#include <fmt/format.h>
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/log.h"
#include "base/text.h"
#include "export/json.h"
#include "export/pages.h"
#include "main/conflicts.h"
#include "main/daemon_impl.h"
#include "main/held_back.h"
#include "main/targets.h"

namespace gotuned {
namespace {

std::string actor_of(const Peer& peer) {
    return fmt::format("uid {} ({})", peer.uid, peer.name.empty() ? "?" : clean_text(peer.name));
}

double seconds_of(const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

OwnCost own_cost(const Roots& roots) {
    OwnCost cost;
    for (const int who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
        rusage usage{};
        if (::getrusage(who, &usage) == 0) cost.cpu_seconds += seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
    }
    if (const auto statm = read_file(roots.proc + "/self/statm", 4096)) {
        const auto fields = split(*statm, ' ');
        std::uint64_t pages = 0;
        if (fields.size() > 1 && parse_u64(fields[1], pages))
            cost.resident_bytes = static_cast<double>(pages) * static_cast<double>(::sysconf(_SC_PAGESIZE));
    }
    return cost;
}

/// The rules as they would act at once: `plan` shows what holds now, not what has held for long enough.
Rulebook without_waiting(const Rulebook& rulebook) {
    Rulebook at_once = rulebook;
    for (Rule& rule : at_once.rules) rule.for_ = Duration::zero();
    return at_once;
}

}  // namespace

std::string Daemon::Impl::not_ready_reason() const {
    if (!rulebook_->running()) return "no rulebook could be loaded: nothing is decided";
    if (!snapshot_) return "the first Snapshot is not made yet";
    return {};
}

void Daemon::Impl::record(const std::string& event, const std::string& actor, const std::string& reason) {
    if (!history_) return;
    HistoryEntry entry;
    entry.at = clock_.wall();
    entry.event = event;
    entry.actor = actor;
    entry.reason = reason;
    history_->add(std::move(entry));
}

std::function<std::string(const TargetId&)> Daemon::Impl::namer() const {
    return [snapshot = snapshot_](const TargetId& target) {
        static const Snapshot nothing;
        return describe_target(target, snapshot ? *snapshot : nothing);
    };
}

std::string Daemon::Impl::profile_running() const {
    return rulebook_->running() ? rulebook_->running()->profile : rulebook_->sources().profile;
}

// ---- reload

Status Daemon::Impl::reload_rulebook(const std::string& actor) {
    const RulebookPtr before = rulebook_->running();
    auto reloaded = rulebook_->reload();
    if (!reloaded) {
        record("reload_failed", actor, reloaded.error().what);
        return reloaded;
    }
    rulebook_was_loaded(before);
    if (before && before->sha256 == rulebook_->running()->sha256 && before->profile == rulebook_->running()->profile)
        return {};
    log_info("rulebook loaded ({}): {} rules, profile {}", actor, rulebook_->running()->rules.size(),
             rulebook_->running()->profile);
    record("reload", actor, "rulebook " + rulebook_->running()->sha256.substr(0, 12));
    return {};
}

void Daemon::Impl::rulebook_was_loaded(const RulebookPtr& before) {
    const RulebookPtr& rulebook = rulebook_->running();
    if (!rulebook) return;
    if (before) carry_over(*before, *rulebook, rule_state_);
    std::set<std::string> sysctls = rulebook->needs.sysctls;
    for (const Rule& rule : rulebook->rules)
        for (const Adjust& adjust : rule.adjust)
            if (adjust.knob.starts_with("sysctl.")) sysctls.insert(adjust.knob.substr(7));
    observer_->want_sysctls(std::move(sysctls));
    observer_->name_services([this](const GoProcess& process) { return service_of(process); });
    processes_->keep_environment(rulebook->environment);
    outside_->want(rulebook->outside);
    if (!rulebook->outside.queries.empty() && settings_.prometheus.empty())
        log_warning("rules ask prometheus(\"…\"), and gotuned.yaml names no Prometheus: these conditions stay unknown");
    pressure_needs_ = pressure_needs(*rulebook);
    engine_->rulebook_changed(*rulebook);
    preflight_ = preflight(engine_options(), *rulebook);
    look_for_conflicts(*rulebook);
}

void Daemon::Impl::look_for_conflicts(const Rulebook& rulebook) {
    auto found = find_conflicts(rulebook, {roots_.proc, {}});
    for (const std::string& line : found)
        if (std::find(conflicts_.begin(), conflicts_.end(), line) == conflicts_.end()) log_warning("{}", line);
    conflicts_ = std::move(found);
}

// ---- servers and what they show

Status Daemon::Impl::open_servers() {
    SeriesLimits limits;
    limits.max_services = static_cast<std::size_t>(settings_.series.max_services);
    limits.max_lines = static_cast<std::size_t>(settings_.series.max_lines);
    limits.full_buckets = settings_.series.full_buckets;
    metrics_ = std::make_unique<Metrics>(limits);

    PageSources pages;
    pages.metrics = [this] {
        auto text = metrics_->text();
        // Of many services what it was made of took several times the text, and is in pieces between what stays.
        constexpr std::size_t large = 256U << 10U;
        if (text->size() > large) ::malloc_trim(0);
        return text;
    };
    pages.not_ready = [this] { return not_ready_reason(); };
    pages.landing = [this] {
        LandingPage page;
        page.version = GOTUNED_VERSION;
        page.profile = profile_running();
        page.not_ready = not_ready_reason();
        page.paused = engine_->paused();
        if (const auto& rulebook = rulebook_->running()) {
            page.rules = rulebook->rules.size();
            for (const Rule& rule : rulebook->rules) page.enforced += rule.mode == Mode::enforce ? 1 : 0;
        }
        page.snapshot = snapshot_;
        return page;
    };
    HttpOptions http;
    http.listen = settings_.listen;
    auto server = HttpServer::open(loop_.get(), http, make_pages(std::move(pages)));
    if (!server) return fail(std::move(server.error()));
    http_ = std::move(*server);
    for (const std::string& address : http_->addresses()) log_info("metrics at {}", address);

    ControlOptions control;
    control.socket = options_.run_dir + "/control.sock";
    auto opened = ControlServer::open(loop_.get(), control, *this);
    if (!opened) return fail(std::move(opened.error()));
    control_ = std::move(*opened);
    return {};
}

void Daemon::Impl::refresh_metrics(Duration took) {
    MetricsInput input;
    if (probes_) {
        input.probes = probes_->reports();
        input.drops = probes_->drops();
        input.budget = probe_budget();
    }
    input.evaluation = &evaluation_;
    input.adjustments = engine_->live();
    input.totals = engine_->totals();
    input.discovered = processes_->counts();
    if (const auto& rulebook = rulebook_->running()) {
        input.rulebook.sha256 = rulebook->sha256;
        input.rulebook.version = rulebook->version;
        input.rulebook.rules = rulebook->rules.size();
        for (const Rule& rule : rulebook->rules) input.rulebook.enforced += rule.mode == Mode::enforce ? 1 : 0;
    }
    input.rulebook.profile = profile_running();
    input.rulebook.errors = rulebook_->errors().size();
    input.rulebook.failed_loads = rulebook_->failed_loads();
    input.rulebook.last_good = rulebook_->origin() == RulebookStore::Origin::last_good;
    input.pressure = pressure_->report();
    input.cost = own_cost(roots_);
    input.cost.tick = took;
    input.cost.started = clock_.wall() - std::chrono::duration_cast<WallTime::duration>(clock_.mono() - started_);
    input.paused = engine_->paused();
    input.circuit_open = engine_->circuit_open();
    input.unsafe_bounds = settings_.adjust.unsafe_bounds;
    input.ready = not_ready_reason().empty();
    metrics_->update(snapshot_, input);
}

// ---- the control API

void Daemon::Impl::status(Reply reply) {
    StatusInput input;
    input.version = GOTUNED_VERSION;
    input.not_ready = not_ready_reason();
    input.paused = engine_->paused();
    input.circuit_open = engine_->circuit_open();
    input.profile = profile_running();
    input.rulebook_origin = to_string(rulebook_->origin());
    input.rulebook = rulebook_->running().get();
    input.errors = rulebook_->errors();
    input.listening = http_->addresses();
    input.environment = settings_.environment;
    input.snapshot = snapshot_.get();
    input.evaluation = &evaluation_;
    input.adjustments = engine_->live();
    input.yields = engine_->yields();
    if (probes_) {
        input.probes = probes_->reports();
        input.features = probes_->features();
        input.drops = probes_->drops();
        input.budget = probe_budget();
    }
    input.pressure = pressure_->report();
    input.preflight = preflight_;
    input.conflicts = conflicts_;
    input.journal_warning = engine_->journal_warning();
    input.unsafe_bounds = settings_.adjust.unsafe_bounds;
    const OwnCost cost = own_cost(roots_);
    input.cpu_seconds = cost.cpu_seconds;
    input.resident_bytes = cost.resident_bytes;
    input.uptime = clock_.mono() - started_;
    reply(status_json(input, namer()));
}

void Daemon::Impl::signals(const std::string& target, Reply reply) {
    if (target.empty()) return reply(signal_catalogue_json());
    if (!snapshot_) return reply(fail("the first Snapshot is not made yet"));
    const auto targets = resolve_target(target, *snapshot_);
    if (!targets) return reply(fail(targets.error()));
    reply(signal_values_json(*snapshot_, *targets, namer()));
}

void Daemon::Impl::plan(const std::string& other, Reply reply) {
    if (!snapshot_) return reply(fail("the first Snapshot is not made yet"));
    RulebookPtr rulebook = rulebook_->running();
    if (!other.empty()) {
        constexpr std::string_view profile = "profile:";
        RulebookSources sources = rulebook_->sources();
        if (other.starts_with(profile)) {
            sources.profile = other.substr(profile.size());
        } else {
            if (std::error_code error; !std::filesystem::is_directory(other, error))
                return reply(fail(fmt::format("there is no directory {} for the daemon", clean_text(other)), 0, {},
                                  "name it by its full path; the unit hides /home and /tmp from the daemon"));
            sources.operators = other;
        }
        auto loaded = load_rulebook(sources);
        if (!loaded) {
            std::string text;
            for (const Diagnostic& error : loaded.error()) text += "\n" + to_string(error);
            return reply(fail("that rulebook has errors" + text));
        }
        rulebook = *loaded;
    }
    if (!rulebook) return reply(fail("no rulebook is running", 0, {}, "gotunectl status says why"));
    reply(plan_json(plan_of(*rulebook), rulebook->sha256, rulebook->profile, namer()));
}

std::vector<PlanItem> Daemon::Impl::plan_of(const Rulebook& rulebook) const {
    // A copy of the clocks and series: to look ahead must not move the running ones.
    RuleState state = rule_state_.clone();
    if (rulebook_->running() && rulebook_->running().get() != &rulebook)
        carry_over(*rulebook_->running(), rulebook, state);
    const Rulebook at_once = without_waiting(rulebook);
    // What has drifted is no reason for silence: the rule would act, and the engine says that it yields.
    Snapshot without_drift = *snapshot_;
    without_drift.woken_for.reset();  // all rules
    std::erase_if(without_drift.adjustments,
                  [](const LiveAdjustment& one) { return one.state == AdjustmentState::drifted; });
    return engine_->plan(evaluate(at_once, without_drift, state).decisions, *snapshot_);
}

void Daemon::Impl::explain(const std::string& rule_name, const std::string& target, Reply reply) {
    if (!snapshot_) return reply(fail("the first Snapshot is not made yet"));
    const RulebookPtr& rulebook = rulebook_->running();
    if (!rulebook) return reply(fail("no rulebook is running", 0, {}, "gotunectl status says why"));
    const Rule* rule = rulebook->find(rule_name);
    if (rule == nullptr) {
        std::vector<std::string_view> names;
        for (const Rule& one : rulebook->rules) names.push_back(one.name);
        const std::string near = nearest(rule_name, names);
        return reply(fail(fmt::format("no rule is called '{}'", clean_text(rule_name)), 0, {},
                          near.empty() ? "" : "did you mean " + near + "?"));
    }
    const auto targets = resolve_target(target, *snapshot_);
    if (!targets) return reply(fail(targets.error()));
    std::vector<ExplainedTarget> explained;
    for (const TargetId& id : *targets)
        if (scope_of(id) == rule->scope) explained.push_back(explained_on(*rule, id));
    if (explained.empty())
        return reply(fail(fmt::format("rule {} is evaluated for a {}, and '{}' is none", rule->name,
                                      to_string(rule->scope), clean_text(target))));
    reply(explain_json(*rule, explained, namer()));
}

ExplainedTarget Daemon::Impl::explained_on(const Rule& rule, const TargetId& target) const {
    ExplainedTarget out{
        target, gotuned::explain(*rulebook_->running(), *snapshot_, rule_state_, rule.name, target), {}, {}};
    if (!out.explanation) return out;
    std::vector<LiveAdjustment> live = engine_->live();
    std::erase_if(live, [&](const auto& one) { return one.rule != rule.name || one.target != target; });
    const auto& standings = evaluation_.standings;
    const auto standing = std::find_if(standings.begin(), standings.end(), [&](const RuleStanding& one) {
        return one.rule == rule.name && one.target == target;
    });
    out.held_back =
        held_back(rule, *out.explanation, live, standing == standings.end() ? nullptr : &*standing, snapshot_->at);
    const bool busy = std::any_of(live.begin(), live.end(), [](const LiveAdjustment& one) {
        return one.state != AdjustmentState::kept && one.state != AdjustmentState::drifted;
    });
    // What is being written, verified or put back is said above: the engine would only repeat it.
    if (!busy)
        out.plan = engine_->plan({as_if_it_fired(rule, target, *out.explanation, live, snapshot_->at)}, *snapshot_);
    return out;
}

void Daemon::Impl::history(unsigned limit, const std::string& rule, const std::string& target, Reply reply) {
    if (!history_reader_) return reply(fail("history is not recorded", 0, {}, "the daemon's log says why"));
    history_reader_->ask({limit, rule, target}, clock_.mono(), std::move(reply));
}

void Daemon::Impl::undo(long long id, bool all, bool force, const Peer& peer, Reply reply) {
    if (!all && id <= 0)
        return reply(fail("name the adjustment to undo, or --all", 0, {}, "gotunectl status lists them"));
    const auto live = engine_->live();
    if (!all && std::none_of(live.begin(), live.end(), [id](const LiveAdjustment& one) { return one.id == id; }))
        return reply(fail(fmt::format("no adjustment {} is in force", id), 0, {}, "gotunectl status lists them"));
    engine_->undo(all ? 0 : id, force, actor_of(peer),
                  [reply](const std::vector<UndoOutcome>& outcomes) { reply(undo_json(outcomes)); });
}

void Daemon::Impl::reload(const Peer& peer, Reply reply) {
    if (const auto done = reload_rulebook(actor_of(peer)); !done) return reply(fail(done.error()));
    reply(loaded_json(*rulebook_->running()));
}

void Daemon::Impl::pause(const Peer& peer, Reply reply) {
    engine_->pause(true, actor_of(peer));
    reply(done_json("paused: nothing is changed until gotunectl resume"));
}

void Daemon::Impl::resume(const std::string& rule, const std::string& target, const Peer& peer, Reply reply) {
    if (rule.empty()) {
        engine_->pause(false, actor_of(peer));
        return reply(done_json("resumed"));
    }
    if (!snapshot_) return reply(fail("the first Snapshot is not made yet"));
    const auto targets = resolve_target(target, *snapshot_);
    if (!targets) return reply(fail(targets.error()));
    Status last = fail(fmt::format("nothing of rule {} yields on '{}'", clean_text(rule), clean_text(target)));
    bool any = false;
    for (const TargetId& id : *targets) {
        auto resumed = engine_->resume(rule, id, actor_of(peer));
        any = any || resumed.has_value();
        if (!resumed) last = std::move(resumed);
    }
    if (!any) return reply(fail(last.error()));
    reply(done_json(fmt::format("rule {} may act on {} again; gotunectl explain says what else holds it back", rule,
                                clean_text(target))));
}

void Daemon::Impl::profile(const std::string& name, const Peer& peer, Reply reply) {
    const RulebookPtr before = rulebook_->running();
    if (const auto changed = rulebook_->set_profile(name); !changed) return reply(fail(changed.error()));
    rulebook_was_loaded(before);
    record("profile", actor_of(peer), name);
    log_info("profile {} ({})", name, actor_of(peer));
    // It beats gotuned.yaml at the next start.
    if (const auto kept = replace_file(options_.state_dir + "/profile", name + "\n"); !kept)
        return reply(fail("the profile is changed, but a restart will forget it: " + to_string(kept.error())));
    reply(loaded_json(*rulebook_->running()));
}

}  // namespace gotuned

#include "observe/watched_process.h"

#include <algorithm>
#include <array>
#include <utility>

namespace gotuned {
namespace {

using enum Signal;

constexpr std::size_t process_signals = static_cast<std::size_t>(cg_memory_current);  // they come first in enum Signal

/// Less than this in all since the last reading, and what /proc, the cgroup and the Go runtime say is still near
/// enough: a timer that fires, a connection that is checked. A process that is held up (reclaim, swap) may do as
/// little.
constexpr std::uint64_t little_cpu_ns = 2'000'000;
constexpr std::uint64_t little_switches = 64;

/// What /proc says and stays as it was while nothing is read.
constexpr std::array kept_signals{proc_threads, proc_threads_ratio, mem_rss,     mem_anon,    mem_file,
                                  mem_shmem,    mem_swap,           mem_offheap, fd_used,     fd_limit,
                                  fd_hard,      nproc_used,         nproc_limit, cpu_allowed, cpu_gomaxprocs_excess};

}  // namespace

void WatchedProcess::replace(std::shared_ptr<const GoProcess> process) {
    if (process->build.symbols != process_->build.symbols) go_.reset();
    process_ = std::move(process);
    changed_ = true;
}

void WatchedProcess::name(std::string service) {
    if (service == service_) return;
    service_ = std::move(service);
    changed_ = true;
}

void WatchedProcess::watch(Probes* probes, MonoTime now) {
    if (probes == nullptr || watched_) return;
    tried_at_ = now;
    const Status status = probes->watch(process_->id);
    watched_ = status.has_value();
    if (!watched_) not_watched_ = Absent{Absence::not_attached, to_string(status.error())};
}

bool WatchedProcess::same_as_last(const SlotDelta& delta, MonoTime now, const SignalReading& udp) const {
    if (last_ == nullptr || last_->active || changed_ || !last_empty_ || !is_empty(delta)) return false;
    if (!go_signals_.settled() || goroutines_.watching()) return false;
    // What was counted twice at the same rate is not the same: it must be added up twice.
    const auto dropped = last_->signals.get(udp_rcvbuf_errors).value;
    if (!tcp_.same_as_last(delta, now) || dropped != udp.value || (dropped && std::get<Quantity>(*dropped).value != 0))
        return false;
    for (const Signal id : {cpu_usage, fault_major}) {
        if (id == fault_major && unread_) continue;
        const auto last = last_->signals.get(id).value;
        if (!last || std::get<Quantity>(*last).value != 0) return false;
    }
    // The exposure of the shared state is the one it was made with: close enough within a tenth.
    const Duration difference =
        delta.elapsed > last_elapsed_ ? delta.elapsed - last_elapsed_ : last_elapsed_ - delta.elapsed;
    return looked(delta.observed) == looked(last_observed_) && difference * 10 <= last_elapsed_;
}

bool WatchedProcess::did_little(const Reading<std::uint64_t>& cpu_time) const {
    return last_ != nullptr && cpu_time && *cpu_time - cpu_time_read_ < little_cpu_ns && switches_ < little_switches &&
           !(delta_->reclaim.count() > 0) && delta_->swapins == 0;
}

void WatchedProcess::begin(const ReadingContext& context) {
    const MonoTime now = context.clock.mono();
    if (!watched_ && now - tried_at_ >= context.idle_reread) watch(context.probes, now);
    delta_ = std::make_unique<SlotDelta>(watched_ ? context.probes->take(process_->id, now) : SlotDelta{});
    const bool seen_by_scheduler = delta_->scheduler_observed > Duration::zero();
    active_ = delta_->switches > 0;
    switches_ += delta_->switches;
    bool little = false;
    if (cpu_clock_) {
        // A thread that has a CPU of its own may run for long without a switch.
        const auto time = process_cpu_time(process_->id.pid);
        active_ = active_ || !time || *time != cpu_time_;
        little = did_little(time);
        if (little) cpu_time_ = *time;
    }
    reads_ = (active_ && !little) || touched_ || !seen_by_scheduler;
    if (!reads_ && now - read_at_ >= context.idle_reread && context.rereads > 0) {
        --context.rereads;
        reads_ = true;
    }
    if (!reads_) {
        unread_ = unread_ || active_;
        return;
    }
    if (!go_) go_ = context.go_readings.follow(*process_);
    context.go_readings.ask(go_, now);
}

std::shared_ptr<const ProcessState> WatchedProcess::observe(const ReadingContext& context) {
    const MonoTime now = context.clock.mono();
    const std::unique_ptr<SlotDelta> taken = std::move(delta_);
    const SlotDelta& delta = *taken;
    // Another one needs setns(2): so seldom that once in some minutes is enough.
    if (reads_ && (!net_namespace_ || now - namespace_at_ >= 5 * context.idle_reread)) {
        net_namespace_ = context.namespaces.of(process_->id.pid);
        namespace_at_ = now;
    }
    const SignalReading udp = net_namespace_
                                  ? context.namespaces.udp_rcvbuf_errors(*net_namespace_, process_->id.pid, context.now)
                                  : SignalReading{net_namespace_.absent(), {}};
    const auto found = context.lives.find(service_);
    const ServiceLife life = found == context.lives.end() ? ServiceLife{} : found->second;
    if (!reads_ && life == life_ && life == ServiceLife{} && timed_ && same_as_last(delta, now, udp)) {
        cpu_usage_.per_second(cpu_time_, now);  // the next differences begin here
        if (!unread_) {
            major_faults_.per_second(faults_, now);
            go_signals_.idle(now);
        }
        last_elapsed_ = delta.elapsed;
        return last_;
    }

    auto state = std::make_shared<ProcessState>();
    state->signals.reserve(process_signals);
    state->process = process_;
    state->service = service_;
    state->since = since_;
    state->active = active_;
    if (watched_) {
        set_slot_signals(state->signals, delta, context.absences);
        tcp_.set(state->signals, delta, now, context.absences.tcp);
        state->beside = blocked_beside(delta);
    } else {
        set_slot_absent(state->signals, not_watched_);
        TcpSignals::set_absent(state->signals, not_watched_);
    }
    state->signals.set(udp_rcvbuf_errors, udp);
    life_ = life;
    set_life(state->signals, context);
    if (reads_) {
        read(state->signals, context);
    } else {
        keep_last(state->signals, context);
    }
    state->signals.set(go_version, {SignalValue(version()), {}});
    state->signals.set(goroutine_netpoll, goroutines_.observe(context.probes, *process_, service_, version(),
                                                              context.goroutines, context.goroutine_budget, now));
    state->read_at = read_at_;
    changed_ = false;
    last_empty_ = is_empty(delta);
    last_elapsed_ = delta.elapsed;
    last_observed_ = delta.observed;
    last_ = std::move(state);
    return last_;
}

void WatchedProcess::read(SignalTable& table, const ReadingContext& context) {
    touched_ = unread_ = false;
    switches_ = 0;
    const auto files = read_process(context.roots, process_->id);
    read_at_ = context.clock.mono();
    read_go(table, files ? &*files : nullptr, context);
    if (!files) {
        set_process_absent(table, files.absent());
        GoSignals::set_absent(table, files.absent());
        return;
    }
    set_process_signals(table, *files, context.online);
    table.set(fault_major, major_faults_.signal(files->major_faults, read_at_, unit::per_second));
    faults_ = files->major_faults;
    table.set(cpu_usage, cpu_usage_.signal(files->cpu_time_ns, read_at_, unit::ratio, 1e-9));
    if (files->cpu_time_ns) cpu_time_ = cpu_time_read_ = *files->cpu_time_ns;
    cpu_clock_ = files->cpu_clock;
    const auto& uid = files->status.uid;
    const auto used = uid ? context.user_threads.of(*uid, read_at_, context.clock) : uid.absent();
    table.set(nproc_used,
              {used.map([](std::uint64_t threads) { return SignalValue(count(static_cast<double>(threads))); }), {}});
}

const std::string& WatchedProcess::version() const {
    return process_->build.version.empty() ? version_ : process_->build.version;
}

void WatchedProcess::read_go(SignalTable& table, const ProcessFiles* files, const ReadingContext& context) {
    const GoRuntimeValues values = go_->take();
    if (values.version) version_ = *values.version;
    go_signals_.set(table, values, read_at_);
    if (files == nullptr) return;
    table.set(mem_offheap, {memory_off_heap(files->status.anon, files->status.swap, values.in_use), {}});
    const auto& allowed = files->status.cpus_allowed;
    table.set(
        cpu_gomaxprocs_excess,
        {gomaxprocs_excess(values.gomaxprocs, context.online && allowed ? allowed->intersect(*context.online) : allowed,
                           context.quotas.of(process_->cgroup, read_at_)),
         {}});
}

void WatchedProcess::keep_last(SignalTable& table, const ReadingContext& context) {
    for (const Signal id : kept_signals) table.set(id, last_->signals.get(id));
    const MonoTime now = context.clock.mono();
    table.set(cpu_usage, cpu_usage_.signal(cpu_time_, now, unit::ratio, 1e-9));
    if (unread_) {  // the next reading tells
        table.set(fault_major, Absent{Absence::not_observed, {}});
        go_signals_.skip(table, last_->signals);
    } else {  // it did not run: none
        table.set(fault_major, major_faults_.signal(faults_, now, unit::per_second));
        go_signals_.keep(table, last_->signals, now);
    }
}

void WatchedProcess::set_life(SignalTable& table, const ReadingContext& context) {
    timed_ = context.window > Duration::zero();
    const auto set = [&](Signal id, std::uint64_t count) {
        if (context.no_exits) return table.set(id, *context.no_exits);
        if (!timed_) return table.set(id, Absent{Absence::not_observed, {}});
        table.set(id, SignalReading{SignalValue(rate(static_cast<double>(count) / seconds(context.window))),
                                    {context.window, context.window}});
    };
    set(exit_panic, life_.panics);
    set(exit_oom, life_.oom_kills);
    set(exit_killed, life_.kills);
    set(exit_total, life_.exits);
    set(restarts, life_.restarts);
}

std::shared_ptr<const ProcessState> WatchedProcess::finish(Probes* probes, const SlotAbsences& absences, MonoTime now) {
    const SlotDelta delta = watched_ ? probes->unwatch(process_->id) : SlotDelta{};
    auto state = std::make_shared<ProcessState>();
    state->signals.reserve(process_signals);
    state->process = process_;
    state->service = service_;
    state->since = since_;
    state->read_at = read_at_;
    state->active = delta.switches > 0;
    state->exited = true;
    if (watched_) {
        set_slot_signals(state->signals, delta, absences);
        tcp_.set(state->signals, delta, now, absences.tcp);
        state->beside = blocked_beside(delta);
    } else {
        set_slot_absent(state->signals, not_watched_);
        TcpSignals::set_absent(state->signals, not_watched_);
    }
    state->signals.set(udp_rcvbuf_errors, Absent{Absence::vanished, {}});
    watched_ = false;
    for (const Signal id : {exit_panic, exit_oom, exit_killed, exit_total, restarts})
        state->signals.set(id, Absent{Absence::vanished, {}});  // the service's others tell of it
    state->signals.set(go_version, {SignalValue(version()), {}});
    goroutines_.end(probes, process_->id);
    state->signals.set(goroutine_netpoll, Absent{Absence::vanished, {}});
    set_process_absent(state->signals, Absent{Absence::vanished, {}});
    GoSignals::set_absent(state->signals, Absent{Absence::vanished, {}});
    return state;
}

}  // namespace gotuned

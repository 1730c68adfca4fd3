// The system-call windows and the moments in which the probes' cost is sampled.
#include <algorithm>
#include <cerrno>
#include <initializer_list>

#include "base/log.h"
#include "probe/loaded_probes.h"

namespace gotuned {

void LoadedProbes::void_entries() {
    auto* shared = shared_.as<gt_shared>();
    // Threads remember 16 bits of it, and 0 for no window at all.
    std::uint32_t next = shared->window_generation + 1;
    if ((next & 0xFFFFU) == 0) ++next;
    __atomic_store_n(&shared->window_generation, next, __ATOMIC_SEQ_CST);
    void_places(*shared);
}

Status LoadedProbes::open_window() {
    if (attachment_.windows.is_open()) return {};
    auto& object = objects_[GT_OBJECT_SYSCALLS];
    if (!object) return fail("cannot open a system-call window: " + refused_[GT_OBJECT_SYSCALLS], ENOSYS);
    void_entries();
    if (auto status = object->attach("sys_exit"); !status) return status;
    if (auto status = object->attach("sys_enter"); !status) {
        object->detach("sys_exit");
        return status;
    }
    const MonoTime now = MonoClock::now();
    attachment_.windows.open(now);
    sample_window(now);
    return {};
}

/// Of both windows, whichever opens first; the one of system calls ends it. Nothing happens when it has begun already.
/// The programs of interrupts are charged with the time of the other window, which is planned to be as long as theirs.
void LoadedProbes::sample_window(MonoTime now) {
    if (sample_next_window_) window_costs_.begin(attachment_.windows.total(now));
}

void LoadedProbes::close_window() {
    const MonoTime now = MonoClock::now();
    if (!attachment_.windows.is_open()) {
        window_costs_.end(attachment_.windows.total(now));  // it could not be opened: a later one is sampled
        return;
    }
    attachment_.windows.close(now);
    auto& object = objects_[GT_OBJECT_SYSCALLS];
    object->detach("sys_enter");
    object->detach("sys_exit");
    if (window_costs_.sampling()) {
        window_costs_.end(attachment_.windows.total(now));
        sample_next_window_ = false;
    }
}

void LoadedProbes::open_interrupts() {
    auto& object = objects_[GT_OBJECT_IRQ];
    if (!object || interrupts_ == nullptr || attachment_.interrupts.is_open()) return;
    auto* shared = shared_.as<gt_shared>();
    std::uint32_t next = shared->irq_generation + 1;
    if (next == 0) next = 1;
    __atomic_store_n(&shared->irq_generation, next, __ATOMIC_SEQ_CST);
    // What the kernel refuses is in reports(), and its signals are absent: the others are seen without it.
    for (const auto& program : object->programs())
        if (auto status = object->attach(program.name); !status) log_debug("{}", to_string(status.error()));
    const MonoTime now = MonoClock::now();
    attachment_.interrupts.open(now);
    sample_window(now);
}

void LoadedProbes::close_interrupts() {
    if (!attachment_.interrupts.is_open()) return;
    attachment_.interrupts.close(MonoClock::now());
    auto& object = objects_[GT_OBJECT_IRQ];
    for (const auto& program : object->programs()) object->detach(program.name);
}

InterruptDelta LoadedProbes::take_interrupts(MonoTime now) {
    InterruptDelta delta;
    if (interrupts_ == nullptr || !shared_.valid()) return delta;
    delta = interrupts_->take(shared_.as<gt_shared>()->irq_generation);
    const auto works = [this](std::initializer_list<const char*> names) {
        return std::ranges::all_of(names, [this](const char* name) {
            const auto& programs = objects_[GT_OBJECT_IRQ]->programs();
            const auto found = std::ranges::find(programs, name, &BpfObject::Program::name);
            return found != programs.end() && found->reason.empty();
        });
    };
    delta.sees_softirqs = works({"softirq_entry", "softirq_exit"});
    delta.sees_handlers = works({"irq_entry", "irq_exit"});
    delta.sees_drivers = delta.sees_softirqs && works({"napi_polled"});
    delta.elapsed = now > interrupts_taken_ ? now - interrupts_taken_ : Duration::zero();
    const Duration windows = attachment_.interrupts.total(now);
    delta.observed = std::clamp(windows - interrupts_seen_, Duration::zero(), delta.elapsed);
    interrupts_taken_ = now;
    interrupts_seen_ = windows;
    return delta;
}

void LoadedProbes::sample_costs(Duration duration) {
    const MonoTime now = MonoClock::now();
    end_sample_when_due(now);
    steady_costs_.begin(now - loaded_);
    sample_length_ = duration;
    sample_until_ = now + duration;
    for (const PartTime part : {PartTime::scheduler, PartTime::sockets}) {
        PartTimeGroup& programs = group(part);
        if (attached_time(part).is_open())
            programs.costs.begin(attached_time(part).total(now));
        else
            programs.sample = true;
    }
    sample_next_window_ = true;  // windows seldom fall into the sample, so the next one is sampled whole
}

void LoadedProbes::end_sample_when_due(MonoTime now) {
    if (now >= sample_until_) end_sample(MonoClock::now());
}

void LoadedProbes::end_sample(MonoTime now) {
    steady_costs_.end(now - loaded_);
    scheduler_.costs.end(attachment_.scheduler.total(now));
    sockets_.costs.end(attachment_.network.total(now));
}

CostMeter& LoadedProbes::costs_of(std::size_t object) const {
    if (object == GT_OBJECT_SYSCALLS || object == GT_OBJECT_IRQ) return window_costs_;
    if (object == GT_OBJECT_NET) return sockets_.costs;
    return object == GT_OBJECT_SCHED ? scheduler_.costs : steady_costs_;
}

ProbeCosts LoadedProbes::costs() const {
    // What the kernel's statistics leave out of a system call's cost: the slow way in and out that any tracepoint on it
    // brings for every task, and the way into the two programs (scripts/bench syscall).
    constexpr double slow_way = 120e-9;
    const auto a_run = [](const CostMeter& meter, const char* program) {
        const CostEstimate* cost = meter.find(program);
        const auto runs = cost == nullptr ? std::nullopt : cost->runs_per_second();
        return runs && *runs > 0 ? *cost->share() / *runs : 0;
    };
    ProbeCosts costs;
    costs.steady = steady_costs_.share().value_or(0);
    if (goroutines_ != nullptr) costs.goroutines = goroutines_->cost();
    costs.scheduler = scheduler_.costs.share();
    costs.sockets = sockets_.costs.share();
    costs.window = window_costs_.share();
    if (costs.window)
        if (const CostEstimate* enter = window_costs_.find("sys_enter"))
            *costs.window += enter->runs_per_second().value_or(0) * slow_way;
    costs.switch_seconds = a_run(scheduler_.costs, "sched_switch") + a_run(scheduler_.costs, "sched_waking");
    costs.arrival_seconds = a_run(sockets_.costs, "sk_data_ready") + a_run(sockets_.costs, "sock_recv_length");
    costs.call_seconds = a_run(window_costs_, "sys_enter") + a_run(window_costs_, "sys_exit") + slow_way;
    costs.assumed = steady_costs_.refused();
    if (costs.assumed) {
        // Without the 60 ns a run that the statistics themselves take, on the machines of scripts/bench.
        costs.switch_seconds = 400e-9;
        costs.arrival_seconds = 160e-9;
        costs.call_seconds = 250e-9 + slow_way;
    }
    return costs;
}

}  // namespace gotuned

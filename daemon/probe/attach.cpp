// Attaching and detaching what is always on.
#include "base/log.h"
#include "probe/loaded_probes.h"

namespace gotuned {

/// Threads remember 16 bits of it, and 0 is not attached.
void LoadedProbes::advance_generation() {
    if ((++generation_ & 0xFFFFU) == 0) ++generation_;
}

void LoadedProbes::attach() {
    attach_process();
    advance_generation();
    if (shared_.valid()) __atomic_store_n(&shared_.as<gt_shared>()->network_generation, generation_, __ATOMIC_SEQ_CST);
    attach_scheduler();
    attach_sockets();
    attach_tcp();
    attach_calls();
    attach_memory();
    attach_swap();
}

void LoadedProbes::detach() {
    end_sample(MonoClock::now());
    detach_scheduler();
    detach_sockets();
    scheduler_.paused = sockets_.paused = false;
    if (auto& object = objects_[GT_OBJECT_SCHED]) object->detach("thread_exit");
    const MonoTime now = MonoClock::now();
    attachment_.memory.close(now);
    attachment_.tcp.close(now);
    attachment_.calls.close(now);
    attachment_.swap.close(now);
    if (shared_.valid()) {
        __atomic_store_n(&shared_.as<gt_shared>()->calls_attached, 0U, __ATOMIC_SEQ_CST);
        __atomic_store_n(&shared_.as<gt_shared>()->network_generation, 0U, __ATOMIC_SEQ_CST);
    }
    for (const auto index : {GT_OBJECT_TCP, GT_OBJECT_PROCESS, GT_OBJECT_MEMORY, GT_OBJECT_CALLS, GT_OBJECT_SWAP})
        if (auto& object = objects_[index])
            for (const auto& program : object->programs()) object->detach(program.name);
}

void LoadedProbes::resume(PartTime part) {
    PartTimeGroup& programs = group(part);
    if (!programs.paused) return;
    programs.paused = false;
    advance_generation();
    if (part == PartTime::scheduler) {
        attach_scheduler();
        // Nobody saw for how long the calls that are under way were off the CPU.
        if (attachment_.windows.is_open()) void_entries();
    } else {
        attach_sockets();
    }
    const OpenTime& attached = attached_time(part);
    const MonoTime now = MonoClock::now();
    if (!programs.sample || !attached.is_open()) return;
    programs.sample = false;
    programs.costs.begin(attached.total(now));
    sample_until_ = now + sample_length_;
}

void LoadedProbes::pause(PartTime part) {
    PartTimeGroup& programs = group(part);
    if (programs.paused || !attached_time(part).is_open()) return;
    programs.paused = true;
    if (part == PartTime::scheduler)
        detach_scheduler();
    else
        detach_sockets();
}

const OpenTime& LoadedProbes::attached_time(PartTime part) const {
    return part == PartTime::scheduler ? attachment_.scheduler : attachment_.network;
}

/// The threads' entries stay: thread_exit goes on taking them out.
void LoadedProbes::detach_scheduler() {
    const MonoTime now = MonoClock::now();
    scheduler_.costs.end(attachment_.scheduler.total(now));
    attachment_.scheduler.close(now);
    if (auto& object = objects_[GT_OBJECT_SCHED]) {
        __atomic_store_n(&shared_.as<gt_shared>()->scheduler_generation, 0U, __ATOMIC_SEQ_CST);
        void_places(*shared_.as<gt_shared>());
        // From now on nobody takes the stamps of calls that are under way along when their threads leave the CPU.
        if (attachment_.windows.is_open()) void_entries();
        for (const char* program : {"sched_switch", "sched_wakeup_new", "sched_waking"})
            object->detach(program);  // waking after switch, as it was attached before it
    }
}

void LoadedProbes::attach_scheduler() {
    auto& object = objects_[GT_OBJECT_SCHED];
    if (!object || object->attached("sched_switch")) return;
    for (const char* program : {"thread_exit", "sched_wakeup_new"})
        if (auto status = object->attach(program); !status) log_warning("{}", to_string(status.error()));
    // Without wake-ups no sleep can be told from waiting, and without switches there is nothing to tell: both or none.
    auto waking = object->attach("sched_waking");
    auto switches = waking ? object->attach("sched_switch") : Status{};
    if (waking && switches) {
        // Not before: sys_enter leaves it to sched_switch to keep its stamps. What was stamped without it is void.
        __atomic_store_n(&shared_.as<gt_shared>()->scheduler_generation, generation_, __ATOMIC_SEQ_CST);
        void_places(*shared_.as<gt_shared>());
        for (const auto& program : object->programs())
            scheduler_.costs.add(program.name, object->program_fd(program.name));
        attachment_.scheduler.open(MonoClock::now());
        return;
    }
    log_warning("{}", to_string(waking ? switches.error() : waking.error()));
    object->leave_out("sched_switch", "of no use without sched_waking");
    object->leave_out("sched_waking", "of no use without sched_switch");
    object->leave_out("sched_wakeup_new", "of no use without sched_switch");
}

void LoadedProbes::attach_sockets() {
    auto& object = objects_[GT_OBJECT_NET];
    if (!object || object->attached("sk_data_ready")) return;
    __atomic_store_n(&shared_.as<gt_shared>()->arrivals_generation, generation_, __ATOMIC_SEQ_CST);
    // Arrivals without reads would be stamped for nothing, and reads without arrivals tell nothing: both or none. Old
    // kernels have neither; the report says so.
    auto reads = object->attach("sock_recv_length");
    auto arrivals = reads ? object->attach("sk_data_ready") : Status{};
    for (const auto& program : object->programs())
        if (object->attached(program.name)) sockets_.costs.add(program.name, object->program_fd(program.name));
    if (reads && arrivals) {
        attachment_.network.open(MonoClock::now());
        return;
    }
    log_debug("{}", to_string(reads ? arrivals.error() : reads.error()));
    object->leave_out("sk_data_ready", "of no use without sock_recv_length");
    object->leave_out("sock_recv_length", "of no use without sk_data_ready");
}

void LoadedProbes::detach_sockets() {
    auto& object = objects_[GT_OBJECT_NET];
    if (!object) return;
    const MonoTime now = MonoClock::now();
    sockets_.costs.end(attachment_.network.total(now));
    attachment_.network.close(now);
    __atomic_store_n(&shared_.as<gt_shared>()->arrivals_generation, 0U, __ATOMIC_SEQ_CST);
    for (const auto& program : object->programs()) object->detach(program.name);
}

void LoadedProbes::attach_tcp() {
    auto& object = objects_[GT_OBJECT_TCP];
    if (!object || object->attached("inet_sock_set_state")) return;
    bool all = true;
    for (const auto& program : object->programs()) {
        auto status = object->attach(program.name);
        if (!status) log_debug("{}", to_string(status.error()));
        all = all && status;
    }
    // Without the sweep nobody knows what was there before, without resets not who ended a connection: all or none.
    if (all) {
        for (const char* program : {"inet_sock_set_state", "tcp_receive_reset"})
            steady_costs_.add(program, object->program_fd(program));
        attachment_.tcp.open(MonoClock::now());
        return;
    }
    for (const auto& program : object->programs()) object->leave_out(program.name, "of no use without the others");
}

/// All or none: with a part of the calls seen always, what the windows add would count some twice.
void LoadedProbes::attach_calls() {
    auto& object = objects_[GT_OBJECT_CALLS];
    if (!object || attachment_.calls.is_open()) return;
    for (const auto& program : object->programs()) {
        if (auto status = object->attach(program.name); !status) {
            refused_[GT_OBJECT_CALLS] = to_string(status.error());
            log_debug("{}", refused_[GT_OBJECT_CALLS]);
            for (const auto& other : object->programs()) object->detach(other.name);
            return;
        }
        steady_costs_.add(program.name, object->program_fd(program.name));
    }
    __atomic_store_n(&shared_.as<gt_shared>()->calls_attached, 1U, __ATOMIC_SEQ_CST);
    attachment_.calls.open(MonoClock::now());
}

void LoadedProbes::attach_process() {
    auto& object = objects_[GT_OBJECT_PROCESS];
    if (!object) return;
    for (const auto& program : object->programs()) {
        auto status = object->attach(program.name);
        if (!status) log_warning("{}", to_string(status.error()));
        if (status) steady_costs_.add(program.name, object->program_fd(program.name));
    }
}

void LoadedProbes::attach_memory() {
    auto& object = objects_[GT_OBJECT_MEMORY];
    if (!object || object->attached("direct_reclaim_begin")) return;
    // A reclaim whose end was missed between two attachments is void.
    __atomic_store_n(&shared_.as<gt_shared>()->memory_generation, generation_, __ATOMIC_SEQ_CST);
    // Those of cgroups are not there on a kernel without the memory controller: the host's are the whole truth then.
    for (const auto& program : object->programs()) {
        auto status = object->attach(program.name);
        if (!status) log_warning("{}", to_string(status.error()));
        if (status) steady_costs_.add(program.name, object->program_fd(program.name));
    }
    if (object->attached("direct_reclaim_begin") && object->attached("direct_reclaim_end"))
        attachment_.memory.open(MonoClock::now());
}

void LoadedProbes::attach_swap() {
    auto& object = objects_[GT_OBJECT_SWAP];
    if (!object || attachment_.swap.is_open()) return;
    if (auto status = object->attach("swapped_in"); !status) {
        log_debug("{}", to_string(status.error()));
        return;
    }
    steady_costs_.add("swapped_in", object->program_fd("swapped_in"));
    attachment_.swap.open(MonoClock::now());
}

}  // namespace gotuned

// Attaching and detaching what is always on.
#include "base/log.h"
#include "probe/loaded_probes.h"

namespace gotuned {

void LoadedProbes::attach() {
    attach_process();
    attach_scheduler();
}

void LoadedProbes::detach() {
    const MonoTime now = MonoClock::now();
    if (steady_costs_.sampling()) steady_costs_.end(attachment_.scheduler.total(now));
    attachment_.scheduler.close(now);
    if (auto& object = objects_[GT_OBJECT_SCHED]) {
        __atomic_store_n(&shared_.as<gt_shared>()->scheduler_generation, 0U, __ATOMIC_SEQ_CST);
        for (const char* program : {"sched_switch", "sched_wakeup_new", "sched_waking", "thread_exit"})
            object->detach(program);  // waking after switch, as it was attached before it
    }
    if (auto& object = objects_[GT_OBJECT_PROCESS])
        for (const auto& program : object->programs()) object->detach(program.name);
}

void LoadedProbes::attach_scheduler() {
    auto& object = objects_[GT_OBJECT_SCHED];
    if (!object || object->attached("sched_switch")) return;
    auto* shared = shared_.as<gt_shared>();
    if (++generation_ == 0) ++generation_;
    __atomic_store_n(&shared->scheduler_generation, generation_, __ATOMIC_SEQ_CST);
    for (const char* program : {"thread_exit", "sched_wakeup_new"})
        if (auto status = object->attach(program); !status) log_warning("{}", to_string(status.error()));
    // Without wake-ups no sleep can be told from waiting, and without switches there is nothing to tell: both or none.
    auto waking = object->attach("sched_waking");
    auto switches = waking ? object->attach("sched_switch") : Status{};
    if (waking && switches) {
        for (const auto& program : object->programs())
            steady_costs_.add(program.name, object->program_fd(program.name));
        attachment_.scheduler.open(MonoClock::now());
        return;
    }
    log_warning("{}", to_string(waking ? switches.error() : waking.error()));
    object->leave_out("sched_switch", "of no use without sched_waking");
    object->leave_out("sched_waking", "of no use without sched_switch");
    object->leave_out("sched_wakeup_new", "of no use without sched_switch");
    __atomic_store_n(&shared->scheduler_generation, 0U, __ATOMIC_SEQ_CST);
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

}  // namespace gotuned

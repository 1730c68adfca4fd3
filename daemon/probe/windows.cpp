// The system-call windows and the moments in which the probes' cost is sampled.
#include <cerrno>

#include "probe/loaded_probes.h"

namespace gotuned {

Status LoadedProbes::open_window() {
    if (attachment_.windows.is_open()) return {};
    auto& object = objects_[GT_OBJECT_SYSCALLS];
    if (!object) return fail("cannot open a system-call window: " + refused_[GT_OBJECT_SYSCALLS], ENOSYS);
    auto* shared = shared_.as<gt_shared>();
    // Threads remember 16 bits of it, and 0 for no window at all.
    std::uint32_t next = shared->window_generation + 1;
    if ((next & 0xFFFFU) == 0) ++next;
    // Entry stamps of earlier windows are void from here on.
    __atomic_store_n(&shared->window_generation, next, __ATOMIC_SEQ_CST);
    if (auto status = object->attach("sys_exit"); !status) return status;
    if (auto status = object->attach("sys_enter"); !status) {
        object->detach("sys_exit");
        return status;
    }
    const MonoTime now = MonoClock::now();
    attachment_.windows.open(now);
    if (sample_next_window_) window_costs_.begin(attachment_.windows.total(now));
    return {};
}

void LoadedProbes::close_window() {
    if (!attachment_.windows.is_open()) return;
    const MonoTime now = MonoClock::now();
    attachment_.windows.close(now);
    auto& object = objects_[GT_OBJECT_SYSCALLS];
    object->detach("sys_enter");
    object->detach("sys_exit");
    if (window_costs_.sampling()) {
        window_costs_.end(attachment_.windows.total(now));
        sample_next_window_ = false;
    }
}

void LoadedProbes::sample_costs(Duration duration) {
    const MonoTime now = MonoClock::now();
    end_sample_when_due(now);
    steady_costs_.begin(attachment_.scheduler.total(now));
    sample_until_ = now + duration;
    sample_next_window_ = true;  // windows seldom fall into the sample, so the next one is sampled whole
}

void LoadedProbes::end_sample_when_due(MonoTime now) {
    if (steady_costs_.sampling() && now >= sample_until_)
        steady_costs_.end(attachment_.scheduler.total(MonoClock::now()));
}

}  // namespace gotuned

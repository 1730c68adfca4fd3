/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The system-call windows: attached for a fraction of a second now and then, because while they are attached every
 * task of the host takes the slow way into the kernel. A call counts when both its entry and its exit fell into one
 * window; calls of GT_BLOCKED_NS and more are left to the scheduler's tier, but for the time they took on the CPU.
 *
 * What most calls need is in the two programs themselves, a few cache lines of code; all else is in functions of its own,
 * out of the way: beside a busy server every line that is fetched costs more than what stands in it.
 */
#include "entered.h"
#include "errnos.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define SOL_SOCKET 1
#define SO_ERROR 4
/* For the compiler. A CPU that reads ahead (arm64) may look at what is older than the generation, until that changes again. */
#define gt_in_this_order() asm volatile("" ::: "memory")
#define likely(condition) __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

static __noinline bool has_zero_timeout(struct pt_regs *regs, long number)
{
	unsigned long timeout = gt_argument_4(regs);
	__s64 time[2];

	if (number != GT_NR_EPOLL_PWAIT2)
		return (int)timeout == 0;
	if (!timeout || bpf_probe_read_user(time, sizeof(time), (void *)timeout))
		return false;
	return time[0] == 0 && time[1] == 0;
}

static __always_inline __u8 kind_of_call(struct pt_regs *regs, long number)
{
	__u32 kind = gt_kind_of((unsigned long)number);

	if ((kind & GT_KIND_EPOLL) && has_zero_timeout(regs, number))
		kind |= GT_KIND_ZERO_TIMEOUT;
	return (__u8)kind;
}

/* Nobody would take the stamp along when the thread is switched out: it goes to the thread's own entry at once. */
static __noinline void enter_by_thread(struct pt_regs *regs, long number, __u64 ids)
{
	struct gt_entered call = {};
	struct gt_thread *thread;

	if (number < 0 || gt_is_compat(regs))
		return;
	thread = gt_thread_of(GT_OBJECT_SYSCALLS, (__u32)(ids >> 32), (__u32)ids);
	if (!thread)
		return;
	call.kind = kind_of_call(regs, number);
	call.window = (__u16)shared.window_generation;
	call.enter_ns = bpf_ktime_get_ns();
	gt_enter_thread(thread, &call);
}

/* Makes the place that of the thread that runs. False: its process is not watched any more, or places are of no use. */
static __noinline bool take_place(struct gt_entered *here, __u64 address, __u64 ids)
{
	__u32 tgid = (__u32)(ids >> 32);
	bool own;

	here->thread = here->open = 0;
	here->generation = shared.entered_generation;
	gt_in_this_order();
	if (!shared.scheduler_generation)
		return false;
	if (here->tgid != tgid || !gt_is_leased(here->slot, here->lease)) {
		struct gt_watch *watch = bpf_map_lookup_elem(&watched, &tgid);

		if (!watch)
			return false;
		here->tgid = tgid;
		here->slot = watch->slot;
		here->lease = watch->lease;
	}
	here->counters = gt_counters_at(here->slot, bpf_get_smp_processor_id(), &own);
	here->own = own;
	here->window = (__u16)shared.window_generation;
	here->tid = (__u32)ids;
	here->thread = address;
	return true;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(sys_enter, struct pt_regs *regs, long id)
{
	struct gt_entered *here = gt_entered_on(bpf_get_smp_processor_id());
	__u64 address = (__u64)regs;

	if (unlikely(!here || here->thread != address || here->generation != shared.entered_generation)) {
		__u64 ids = bpf_get_current_pid_tgid();

		if (!gt_is_watched((__u32)(ids >> 32)))
			return 0;
		if (!here || !take_place(here, address, ids)) {
			if (!here || !shared.scheduler_generation)
				enter_by_thread(regs, id, ids);
			return 0;
		}
	}
	here->open = 0;
	/* -1: seccomp or a tracer took the call away. 32-bit calls have other numbers. */
	if (unlikely(id < 0 || gt_is_compat(regs)))
		return 0;
	here->kind = kind_of_call(regs, id);
	here->enter_ns = bpf_ktime_get_ns();
	here->open = address;
	return 0;
}

static __always_inline void count_errno(struct gt_slot *slot, bool own, __u32 class, long error)
{
	__u32 which = gt_errno(class, error);

	if (which >= GT_ERRNOS || (shared.calls_attached && gt_errno_of_calls(which)))
		return;
	gt_count(own, &slot->failed[which], 1);
}

static __always_inline void count_poll(struct gt_slot *slot, bool own, bool zero_timeout, long events)
{
	__u32 which = zero_timeout ? 0 : 1;

	gt_count(own, &slot->polls.polls[which], 1);
	if (events > 0)
		gt_count(own, &slot->polls.events[which], (__u64)events);
	else
		gt_count(own, &slot->polls.empty[which], 1);
}

#define OWN 0x100U

/* What a call says beside how long it took. `call` is its kind, and OWN for counters that are. */
static __noinline void count_result(struct gt_slot *slot, __u32 call, long result, struct pt_regs *regs)
{
	bool own = call & OWN;
	int error = 0;

	if (call & GT_KIND_EPOLL)
		count_poll(slot, own, call & GT_KIND_ZERO_TIMEOUT, result);
	if (result < 0 && result >= -4095)
		count_errno(slot, own, gt_class_of(call), -result);
	/* A connect that does not block fails later: its errno is what getsockopt(SO_ERROR) hands out. */
	else if ((call & GT_KIND_SOCKOPT) && result == 0 && gt_argument_2(regs) == SOL_SOCKET &&
		 gt_argument_3(regs) == SO_ERROR &&
		 bpf_probe_read_user(&error, sizeof(error), (void *)gt_argument_4(regs)) == 0)
		count_errno(slot, own, GT_CONNECT, error);
}

/*
 * What a place says of a call that ends. It is read before it is looked whose the place is: where this program can be
 * preempted (7.2 and newer, 439ebd5b5708 "bpf: Add sleepable support for raw tracepoint programs"), another thread may
 * have taken the place by then, and then it is not this call's any more.
 */
struct gt_told {
	__u64 enter_ns;
	__u32 counters;
	__u8 kind;
	__u8 own;
};

static __always_inline struct gt_told told_by(const struct gt_entered *here)
{
	struct gt_told call = {here->enter_ns, here->counters, here->kind, here->own};

	gt_in_this_order();
	return call;
}

/* A call that has ended, but for those that are told from the place alone. */
struct gt_left {
	__u64 took_ns;
	__u64 on_ns; /* of it, on the CPU; UNKNOWN where nobody saw for how long it was off */
	__u32 slot;
	__u32 kind;
};

#define UNKNOWN (~0ULL)

/* False: it began before the window opened, or is nobody's that is watched now. */
static __always_inline bool leave(struct gt_entered *here, __u64 address, __u64 ids, struct gt_left *call)
{
	__u16 window = (__u16)shared.window_generation;
	__u32 tid = (__u32)ids, slot = 0, lease = 0;
	struct gt_told told = {};
	struct gt_thread *thread;

	if (here) {
		slot = here->slot;
		lease = here->lease;
		told = told_by(here);
	}
	/* A void one may be in the way of a good one in the hash. */
	if (here && here->open == address && here->window == window) {
		here->open = 0;
		if (!gt_is_leased(slot, lease))
			return false;
		call->took_ns = call->on_ns = bpf_ktime_get_ns() - told.enter_ns;
		call->slot = slot;
		call->kind = told.kind;
	} else {
		thread = bpf_map_lookup_elem(&threads, &tid);
		if (!thread || !thread->window || thread->window != window)
			return false;
		thread->window = 0;
		if (thread->tgid != (__u32)(ids >> 32) || !gt_is_leased(thread->slot, thread->lease))
			return false;
		call->took_ns = bpf_ktime_get_ns() - thread->enter_ns;
		call->on_ns = call->took_ns > thread->off_ns ? call->took_ns - thread->off_ns : 0;
		call->slot = thread->slot;
		call->kind = thread->kind;
	}
	if (!shared.scheduler_generation)
		call->on_ns = UNKNOWN;
	return true;
}

/* The histogram has the whole time of the calls it counts: what has to be added to have the time on the CPU instead. */
static __noinline void correct_jitter(struct gt_jitter *jitter, bool own, __u64 took, __u64 on)
{
	bool counted = took < GT_BLOCKED_NS, known = on != UNKNOWN;
	__u64 has = counted ? took : 0, wanted = known ? on : 0;
	__u64 has_scaled = has >> GT_SQUARE_SHIFT, wanted_scaled = wanted >> GT_SQUARE_SHIFT;

	gt_count(own, &jitter->count, (__u64)known - (__u64)counted);
	gt_count(own, &jitter->sum_ns, wanted - has);
	gt_count(own, &jitter->sum_sq, wanted_scaled * wanted_scaled - has_scaled * has_scaled);
}

static __always_inline void count_call(struct gt_slot *slot, bool own, __u32 kind, __u64 took, __u64 on, long result,
				       struct pt_regs *regs)
{
	__u64 class = gt_class_of(kind);

	gt_keep_bounds(class);
	if (!slot || class >= GT_CLASSES)
		return;
	if (likely(took < GT_BLOCKED_NS))
		gt_record_short(own, &slot->window[class], took);
	if (unlikely(on != took || took >= GT_BLOCKED_NS))
		correct_jitter(&slot->jitter[class], own, took, on);
	if ((kind & ~GT_KIND_CLASS) || (result < 0 && result != -EAGAIN))
		count_result(slot, kind | (own ? OWN : 0), result, regs);
}

static __noinline void leave_otherwise(struct gt_entered *here, struct pt_regs *regs, __u64 ids, long result)
{
	struct gt_left call = {};
	struct gt_counters to;

	if (!leave(here, (__u64)regs, ids, &call))
		return;
	to = gt_counters_of(call.slot, bpf_get_smp_processor_id());
	count_call(to.slot, to.own, call.kind, call.took_ns, call.on_ns, result, regs);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(sys_exit, struct pt_regs *regs, long result)
{
	struct gt_entered *here = gt_entered_on(bpf_get_smp_processor_id());
	struct gt_told call = {};
	__u32 counters;
	__u64 took;

	if (likely(here))
		call = told_by(here);
	if (unlikely(!here || here->open != (__u64)regs || here->generation != shared.entered_generation)) {
		__u64 ids = bpf_get_current_pid_tgid();

		if (gt_is_watched((__u32)(ids >> 32)))
			leave_otherwise(here, regs, ids, result);
		return 0;
	}
	here->open = 0;
	took = bpf_ktime_get_ns() - call.enter_ns;
	counters = call.counters;
	count_call(bpf_map_lookup_elem(&slots, &counters), call.own, call.kind, took, took, result, regs);
	return 0;
}

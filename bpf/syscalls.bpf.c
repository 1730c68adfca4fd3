/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The system-call windows: attached for a fraction of a second now and then, because while they are attached every
 * task of the host takes the slow way into the kernel. A call counts when both its entry and its exit fell into one
 * window; calls of GT_BLOCKED_NS and more are left to the scheduler's tier, but for the time they took on the CPU.
 */
#include "entered.h"
#include "errnos.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define SOL_SOCKET 1
#define SO_ERROR 4

static __always_inline bool has_zero_timeout(long number, struct pt_regs *regs)
{
	unsigned long timeout = gt_argument_4(regs);
	__s64 time[2];

	if (!gt_is_epoll(number))
		return false;
	if (number != GT_NR_EPOLL_PWAIT2)
		return (int)timeout == 0;
	if (!timeout || bpf_probe_read_user(time, sizeof(time), (void *)timeout))
		return false;
	return time[0] == 0 && time[1] == 0;
}

/* Makes the place that of the process that runs. False: nobody watches it any more. */
static __always_inline bool enter_process(struct gt_shared *state, struct gt_entered *here, __u32 tgid)
{
	struct gt_watch *watch;

	if (here->tgid == tgid && gt_is_leased(state, here->slot, here->lease))
		return true;
	watch = bpf_map_lookup_elem(&watched, &tgid);
	if (!watch)
		return false;
	here->tgid = tgid;
	here->slot = watch->slot;
	here->lease = watch->lease;
	return true;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(sys_enter, struct pt_regs *regs, long id)
{
	__u64 ids = bpf_get_current_pid_tgid();
	struct gt_shared *state = gt_shared_state();
	struct gt_entered *here;

	if (!state || !gt_is_watched(state, (__u32)(ids >> 32)))
		return 0;
	here = gt_entered_on(bpf_get_smp_processor_id());
	if (!here)
		return 0;
	here->tid = 0;
	/* -1: seccomp or a tracer took the call away. 32-bit calls have other numbers. */
	if (id < 0 || gt_is_compat(regs) || !enter_process(state, here, (__u32)(ids >> 32)))
		return 0;
	here->number = id < 512 ? (__u16)id : 511;
	here->zero_timeout = has_zero_timeout(id, regs);
	here->window = (__u16)state->window_generation;
	here->enter_ns = bpf_ktime_get_ns();
	if (state->scheduler_generation) {
		here->tid = (__u32)ids;
	} else {
		/* Nobody would take the stamp along when the thread is switched out. */
		struct gt_thread *thread =
			gt_thread_of(state, GT_OBJECT_SYSCALLS, (__u32)(ids >> 32), (__u32)ids);

		if (thread)
			gt_enter_thread(thread, here);
	}
	return 0;
}

static __always_inline void count_errno(struct gt_shared *state, struct gt_counters to, __u32 class, long error)
{
	__u32 which = gt_errno(class, error);

	if (which >= GT_ERRNOS || (state->calls_attached && gt_errno_of_calls(which)))
		return;
	gt_count(to.own, &to.slot->failed[which], 1);
}

/* A connect that does not block fails later: its errno is what getsockopt(SO_ERROR) hands out. */
static __always_inline void count_socket_error(struct gt_shared *state, struct gt_counters to, struct pt_regs *regs)
{
	int error = 0;

	if (gt_argument_2(regs) != SOL_SOCKET || gt_argument_3(regs) != SO_ERROR)
		return;
	if (bpf_probe_read_user(&error, sizeof(error), (void *)gt_argument_4(regs)) == 0)
		count_errno(state, to, GT_CONNECT, error);
}

static __always_inline void count_poll(struct gt_counters to, bool zero_timeout, long events)
{
	__u32 kind = zero_timeout ? 0 : 1;

	gt_count(to.own, &to.slot->polls.polls[kind], 1);
	if (events > 0)
		gt_count(to.own, &to.slot->polls.events[kind], (__u64)events);
	else
		gt_count(to.own, &to.slot->polls.empty[kind], 1);
}

/* A call that has ended. */
struct gt_left {
	__u64 took_ns;
	__u64 number;
	__u32 slot;
	bool zero_timeout;
	bool stayed; /* on its CPU all the time */
	__u64 off_ns;
};

/* False: it began before the window opened, or is nobody's that is watched now. */
static __always_inline bool leave(struct gt_shared *state, __u32 cpu, __u64 ids, struct gt_left *call)
{
	struct gt_entered *here = gt_entered_on(cpu);
	__u16 window = (__u16)state->window_generation;
	__u32 tid = (__u32)ids;
	struct gt_thread *thread;

	/* A void one may be in the way of a good one in the hash. */
	if (here && here->tid == tid && here->window == window) {
		here->tid = 0;
		if (!gt_is_leased(state, here->slot, here->lease))
			return false;
		call->took_ns = bpf_ktime_get_ns() - here->enter_ns;
		call->number = here->number;
		call->slot = here->slot;
		call->zero_timeout = here->zero_timeout;
		call->stayed = true;
		return true;
	}
	if (!gt_is_watched(state, (__u32)(ids >> 32)))
		return false;
	thread = bpf_map_lookup_elem(&threads, &tid);
	if (!thread || !thread->window || thread->window != window)
		return false;
	thread->window = 0;
	if (thread->tgid != (__u32)(ids >> 32) || !gt_is_leased(state, thread->slot, thread->lease))
		return false;
	call->took_ns = bpf_ktime_get_ns() - thread->enter_ns;
	call->number = thread->number;
	call->slot = thread->slot;
	call->zero_timeout = thread->zero_timeout;
	call->off_ns = thread->off_ns;
	return true;
}

/* What gt_jitter has to add to the histogram: the time on the CPU instead of the whole. */
static __always_inline void correct_jitter(bool own, struct gt_jitter *jitter, bool counted, __u64 took, __u64 off)
{
	__u64 whole = took >> GT_SQUARE_SHIFT, on = took > off ? took - off : 0, scaled = on >> GT_SQUARE_SHIFT;

	if (!counted)
		gt_count(own, &jitter->count, 1);
	gt_count(own, &jitter->sum_ns, counted ? on - took : on);
	gt_count(own, &jitter->sum_sq, counted ? scaled * scaled - whole * whole : scaled * scaled);
}

/* Takes out again what the histogram has of a call whose time off the CPU nobody knows. */
static __always_inline void leave_out_of_jitter(bool own, struct gt_jitter *jitter, __u64 took)
{
	__u64 whole = took >> GT_SQUARE_SHIFT;

	gt_count(own, &jitter->count, -1ULL);
	gt_count(own, &jitter->sum_ns, 0 - took);
	gt_count(own, &jitter->sum_sq, 0 - whole * whole);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(sys_exit, struct pt_regs *regs, long result)
{
	__u64 ids = bpf_get_current_pid_tgid(), class;
	struct gt_shared *state = gt_shared_state();
	struct gt_left call = {};
	struct gt_jitter *jitter;
	struct gt_short_hist *window;
	__u32 cpu = bpf_get_smp_processor_id();
	struct gt_counters to;
	bool counted;

	if (!state || !leave(state, cpu, ids, &call))
		return 0;
	to = gt_counters_of(state, call.slot, cpu);
	if (!to.slot)
		return 0;
	class = gt_class_of(call.number);
	/*
	 * One register of 64 bits that is looked at and then used: the verifier of 5.10 does not carry bounds over to
	 * 32-bit copies, nor through the stack (kernel/bpf/verifier.c, check_alu_op and check_stack_write).
	 */
	asm volatile("" : "+r"(class));
	if (class >= GT_CLASSES)
		return 0;
	window = &to.slot->window[class];
	jitter = &to.slot->jitter[class];
	asm volatile("" : "+r"(window), "+r"(jitter));
	counted = call.took_ns < GT_BLOCKED_NS;
	if (counted)
		gt_record_short(to.own, window, call.took_ns);
	if (!state->scheduler_generation) {
		if (counted)
			leave_out_of_jitter(to.own, jitter, call.took_ns);
	} else if (!call.stayed || !counted)
		correct_jitter(to.own, jitter, counted, call.took_ns, call.off_ns);
	if (gt_is_epoll(call.number))
		count_poll(to, call.zero_timeout, result);
	if (result < 0 && result >= -4095)
		count_errno(state, to, class, -result);
	else if (call.number == GT_NR_GETSOCKOPT && result == 0)
		count_socket_error(state, to, regs);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The system-call windows: attached for a fraction of a second now and then, because while they are attached every
 * task of the host takes the slow way into the kernel. A call counts when both its entry and its exit fell into one
 * window; calls of GT_BLOCKED_NS and more are left to the scheduler's tier, but for the time they took on the CPU.
 */
#include "errnos.h"
#include "threads.h"

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

SEC("tp_btf/sys_enter")
int BPF_PROG(sys_enter, struct pt_regs *regs, long id)
{
	__u64 ids = bpf_get_current_pid_tgid();
	struct gt_shared *state = gt_shared_state();
	struct gt_thread *thread;

	if (!state || !gt_is_watched(state, (__u32)(ids >> 32)))
		return 0;
	thread = gt_thread_of(state, GT_OBJECT_SYSCALLS, (__u32)(ids >> 32), (__u32)ids);
	if (!thread)
		return 0;
	/* -1: seccomp or a tracer took the call away. 32-bit calls have other numbers. */
	if (id < 0 || gt_is_compat(regs)) {
		thread->window = 0;
		return 0;
	}
	thread->number = id < 512 ? (__u32)id : 511;
	thread->zero_timeout = has_zero_timeout(id, regs);
	thread->off_ns = 0;
	thread->window = (__u16)state->window_generation;
	thread->enter_ns = bpf_ktime_get_ns();
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

SEC("tp_btf/sys_exit")
int BPF_PROG(sys_exit, struct pt_regs *regs, long result)
{
	__u64 ids = bpf_get_current_pid_tgid(), took, off, class;
	struct gt_shared *state = gt_shared_state();
	__u32 tid = (__u32)ids;
	struct gt_jitter *jitter;
	struct gt_short_hist *window;
	struct gt_thread *thread;
	struct gt_counters to;

	if (!state || !gt_is_watched(state, (__u32)(ids >> 32)))
		return 0;
	thread = bpf_map_lookup_elem(&threads, &tid);
	/* No entry stamp of this window: the call began before it opened. */
	if (!thread || !thread->window || thread->window != (__u16)state->window_generation)
		return 0;
	thread->window = 0;
	if (thread->tgid != (__u32)(ids >> 32) || state->lease[thread->slot & (GT_MAX_SLOTS - 1)] != thread->lease)
		return 0;
	to = gt_counters_of(state, thread);
	if (!to.slot)
		return 0;
	took = bpf_ktime_get_ns() - thread->enter_ns;
	class = gt_class_of(thread->number);
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
	if (took < GT_BLOCKED_NS)
		gt_record_short(to.own, window, took);
	/* Without the scheduler's programs nobody knows the time off the CPU, and there is no jitter. */
	if (state->scheduler_generation) {
		__u64 scaled;

		off = thread->off_ns;
		took = took > off ? took - off : 0;
		scaled = took >> GT_SQUARE_SHIFT;
		gt_count(to.own, &jitter->count, 1);
		gt_count(to.own, &jitter->sum_ns, took);
		gt_count(to.own, &jitter->sum_sq, scaled * scaled);
	}
	if (gt_is_epoll(thread->number))
		count_poll(to, thread->zero_timeout, result);
	if (result < 0 && result >= -4095)
		count_errno(state, to, class, -result);
	else if (thread->number == GT_NR_GETSOCKOPT && result == 0)
		count_socket_error(state, to, regs);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The scheduler's tier, always on: from switches and wake-ups alone it tells how long a thread slept in epoll, how long a
 * woken or preempted thread waited for a CPU, how late a timer's poller ran, and which system calls blocked for
 * GT_BLOCKED_NS and more. It puts nothing on anybody's system-call path.
 *
 * A blocked call is counted by its sleeps: without a probe at the call's entry two sleeps of one call cannot be told
 * from two calls, so syscall.<class> has segments here, and a call made of many short sleeps only shows in a window.
 */
#include "entered.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define STALE_NS 50000      /* a wake-up older than this before the switch belongs to another sleep */
#define LONGEST_TIMEOUT_S 4294
#define TIMER_SLACK_NS 20000 /* the call's timeout runs from before the switch */

/* In microseconds; 0: none, or for more than the 71 minutes that 32 bits hold, which Go never asks for. */
static __always_inline __u32 epoll_timeout(struct gt_call *call)
{
	if (call->number == GT_NR_EPOLL_PWAIT2) {
		struct {
			__s64 seconds, nanoseconds;
		} time = {};

		/* prev is still the current task at sched_switch, so its memory can be read. NULL is for ever. */
		if (!call->timeout || bpf_probe_read_user(&time, sizeof(time), (void *)call->timeout))
			return 0;
		if (time.seconds < 0 || time.seconds >= LONGEST_TIMEOUT_S)
			return 0;
		return (__u32)time.seconds * 1000000U + (__u32)((__u64)time.nanoseconds / 1000);
	}
	return (int)call->timeout > 0 && (int)call->timeout < LONGEST_TIMEOUT_S * 1000 ? (__u32)call->timeout * 1000U : 0;
}

static __always_inline void switch_out(struct task_struct *task, struct gt_entered *call_here, bool preempt,
				       __u64 now)
{
	unsigned int task_is = task_state(task);
	struct gt_call call = {};
	struct gt_thread *thread;

	/* An exiting thread's entry is gone already and must not come back. */
	if ((task->flags & PF_EXITING) || (task_is & TASK_DEAD))
		return;
	thread = gt_thread_of(GT_OBJECT_SCHED, (__u32)task->tgid, (__u32)task->pid);
	if (!thread)
		return;
	if (call_here && call_here->open && call_here->tid == (__u32)task->pid)
		gt_enter_thread(thread, call_here);
	/* It leaves again, and nobody saw it come: some kernels run no program while certain tasks are current. */
	if (thread->out_ns && thread->generation == (__u16)shared.scheduler_generation)
		gt_drop(GT_OBJECT_SCHED, GT_DROP_STALE);
	thread->out = GT_OUT_RUNNABLE;
	thread->out_class = 0;
	thread->timeout_us = 0;
	if (!preempt && task_is) {
		thread->out = GT_OUT_ASLEEP;
		if (gt_sleeping_call(task, task_is, &call)) {
			__u32 kind = gt_kind_of((unsigned long)call.number);

			thread->out_class = (__u8)(gt_class_of(kind) + 1);
			/* TASK_WAKING: a waker was faster than this look at the state. */
			if ((kind & GT_KIND_EPOLL) && (task_is & (TASK_INTERRUPTIBLE | TASK_WAKING))) {
				thread->out = GT_OUT_EPOLL;
				thread->timeout_us = epoll_timeout(&call);
			}
		}
	}
	thread->generation = (__u16)shared.scheduler_generation;
	thread->out_ns = now;
}

static __always_inline void came_from_sleep(struct gt_counters to, struct gt_thread *thread, __u64 out, __u64 now)
{
	__u64 wake = thread->wake_ns, timeout = (__u64)thread->timeout_us * 1000, ready = out, waited, slept;

	if (wake > out)
		ready = wake < now ? wake : now;
	else if (out - wake > STALE_NS) {
		gt_drop(GT_OBJECT_SCHED, GT_DROP_STALE);
		return;
	} /* else the wake-up raced with the switch: ready at once */
	waited = now - ready;
	slept = ready - out;
	if (thread->out == GT_OUT_EPOLL) {
		gt_record_own(to.own, &to.slot->netpoll_sleep, slept);
		if (!timeout || slept + TIMER_SLACK_NS < timeout) {
			gt_record_own(to.own, &to.slot->epoll_wake, waited);
			return;
		}
		gt_record_own(to.own, &to.slot->timer_late, now - out > timeout ? now - out - timeout : 0);
	}
	gt_record_own(to.own, &to.slot->runq, waited);
}

static __always_inline void switch_in(struct task_struct *task, __u32 cpu, __u64 now)
{
	struct gt_thread *thread;
	struct gt_counters to;
	__u32 blocked;
	__u64 out, gone;

	if (task->flags & PF_EXITING)
		return;
	thread = gt_thread_of(GT_OBJECT_SCHED, (__u32)task->tgid, (__u32)task->pid);
	if (!thread)
		return;
	to = gt_counters_of(thread->slot, cpu);
	if (!to.slot)
		return;
	gt_count(to.own, &to.slot->switches, 1);
	if (thread->cpu != cpu) {
		if (thread->cpu != GT_NO_CPU)
			gt_count(to.own, &to.slot->migrations, 1);
		thread->cpu = (__u16)cpu;
	}
	out = thread->out_ns;
	thread->out_ns = 0;
	/* Stamped by an earlier attachment: who knows what was missed between. */
	if (!out || thread->generation != (__u16)shared.scheduler_generation)
		return;
	gone = now > out ? now - out : 0;
	thread->off_ns += gone;
	if (thread->out == GT_OUT_RUNNABLE) {
		gt_record_own(to.own, &to.slot->runq, gone);
		return;
	}
	came_from_sleep(to, thread, out, out + gone);
	blocked = (__u32)thread->out_class - 1;
	if (gone >= GT_BLOCKED_NS && blocked < GT_CLASSES)
		gt_record_blocked(to.own, &to.slot->blocked[blocked], gone);
}

SEC("tp_btf/sched_switch")
int BPF_PROG(sched_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	struct gt_entered *call_here;
	bool out, in;
	__u32 cpu;
	__u64 now;

	out = gt_is_watched((__u32)prev->tgid);
	in = gt_is_watched((__u32)next->tgid);
	if (!out && !in)
		return 0;
	now = bpf_ktime_get_ns();
	cpu = bpf_get_smp_processor_id();
	call_here = gt_entered_on(cpu);
	if (out)
		switch_out(prev, call_here, preempt, now);
	if (call_here)
		call_here->thread = call_here->open = 0;
	if (in)
		switch_in(next, cpu, now);
	return 0;
}

/* Stamped always, judged at switch-in; sched_wakeup would come only after the interrupt to the other CPU. */
SEC("tp_btf/sched_waking")
int BPF_PROG(sched_waking, struct task_struct *task)
{
	struct gt_thread *thread;
	__u32 tid;

	if (!gt_is_watched((__u32)task->tgid))
		return 0;
	tid = (__u32)task->pid;
	thread = bpf_map_lookup_elem(&threads, &tid);
	if (thread)
		thread->wake_ns = bpf_ktime_get_ns();
	return 0;
}

SEC("tp_btf/sched_wakeup_new")
int BPF_PROG(sched_wakeup_new, struct task_struct *task)
{
	struct gt_thread *thread;

	if (!gt_is_watched((__u32)task->tgid))
		return 0;
	thread = gt_thread_of(GT_OBJECT_SCHED, (__u32)task->tgid, (__u32)task->pid);
	if (!thread)
		return 0;
	thread->out = GT_OUT_RUNNABLE;
	thread->generation = (__u16)shared.scheduler_generation;
	thread->out_ns = bpf_ktime_get_ns();
	return 0;
}

/* Of any process: one that is not watched any more may have left entries behind. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(thread_exit, struct task_struct *task)
{
	__u32 tid = (__u32)task->pid;

	if (bpf_map_lookup_elem(&threads, &tid))
		bpf_map_delete_elem(&threads, &tid);
	return 0;
}

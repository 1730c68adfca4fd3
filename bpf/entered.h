/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The call that was entered last on each CPU. Most calls leave on the CPU that they entered on and never sleep: their
 * stamp is found there without a look into a hash. When the thread is switched out inside its call, sched_switch moves
 * the stamp to the thread's own entry (threads.h). So only that CPU uses its place: sys_enter and sys_exit run without
 * preemption, sched_switch with interrupts off.
 */
#ifndef GOTUNED_ENTERED_H
#define GOTUNED_ENTERED_H

#include "threads.h"

/* A cache line. */
struct gt_entered {
	__u32 tid;      /* whose call is open; 0: nobody's */
	__u32 tgid;     /* the watched process that entered last, and its slot */
	__u32 slot;
	__u32 lease;
	__u64 enter_ns;
	__u16 window;   /* the window in which it entered */
	__u16 number;
	__u32 zero_timeout;
	__u64 reserved[4];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* as many as CPUs: the loader sets it */
	__uint(map_flags, BPF_F_MMAPABLE); /* begins with a page, so that each place is one cache line */
	__type(key, __u32);
	__type(value, struct gt_entered);
} entered SEC(".maps");

static __always_inline struct gt_entered *gt_entered_on(__u32 cpu) { return bpf_map_lookup_elem(&entered, &cpu); }

/* Stamps a call in the thread's own entry. */
static __always_inline void gt_enter_thread(struct gt_thread *thread, const struct gt_entered *call)
{
	thread->number = call->number;
	thread->zero_timeout = call->zero_timeout & 1;
	thread->off_ns = 0;
	thread->window = call->window;
	thread->enter_ns = call->enter_ns;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The thread that entered a system call last on each CPU, and that call. Most calls leave on the CPU that they entered on
 * and never sleep, and most threads make several before they leave the CPU: then neither who calls nor when has to be
 * looked up. When a thread is switched out, sched_switch moves the stamp of its call to the thread's own entry
 * (threads.h) and empties the place. So only that CPU uses its place, and no thread finds there what another left.
 *
 * A thread is told by the address of its registers: they lie at the top of its kernel stack, and as long as it does not
 * leave the CPU the stack cannot become another's. That saves asking for its id, twice a call.
 */
#ifndef GOTUNED_ENTERED_H
#define GOTUNED_ENTERED_H

#include "threads.h"

/* NULL: a CPU without a place. */
static __always_inline struct gt_entered *gt_entered_on(__u64 cpu)
{
	gt_keep_bounds(cpu);
	if (cpu >= GT_MAX_CPUS)
		return 0;
	gt_keep_bounds(cpu); /* the address is made after the comparison */
	return &shared.entered[cpu];
}

/* Stamps a call in the thread's own entry. */
static __always_inline void gt_enter_thread(struct gt_thread *thread, const struct gt_entered *call)
{
	thread->kind = call->kind;
	thread->off_ns = 0;
	thread->window = call->window;
	thread->enter_ns = call->enter_ns;
}

#endif

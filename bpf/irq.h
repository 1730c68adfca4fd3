/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What irq.bpf.c and its reader (daemon/probe/interrupts.cpp) share.
 */
#ifndef GOTUNED_IRQ_H
#define GOTUNED_IRQ_H

#include "gotuned.h"

/* Order of include/linux/interrupt.h, the same since 2.6; daemon/observe names the signals after it. */
enum gt_softirq {
	GT_SOFTIRQ_HI, GT_SOFTIRQ_TIMER, GT_SOFTIRQ_NET_TX, GT_SOFTIRQ_NET_RX, GT_SOFTIRQ_BLOCK, GT_SOFTIRQ_IRQ_POLL,
	GT_SOFTIRQ_TASKLET, GT_SOFTIRQ_SCHED, GT_SOFTIRQ_HRTIMER, GT_SOFTIRQ_RCU,
	GT_SOFTIRQS
};

#define GT_MAX_HANDLERS 128
#define GT_MAX_DRIVERS 32
#define GT_IRQ_NAME 32

/* Read by a copy, so the maximum is not taken out but begins anew with each window. */
struct gt_named_hist {
	char name[GT_IRQ_NAME];
	struct gt_hist hist;
	__u32 window;   /* the last in which something was counted: max_ns is of it */
	__u32 reserved;
};

#ifndef __BPF__
#ifdef __cplusplus
static_assert(sizeof(struct gt_named_hist) == GT_IRQ_NAME + sizeof(struct gt_hist) + 8, "gt_named_hist has no holes");
#endif
#endif

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What goroutine.bpf.c and its loader (daemon/probe/goroutine_probe.cpp) share.
 */
#ifndef GOTUNED_GOROUTINES_H
#define GOTUNED_GOROUTINES_H

#include "gotuned.h"

#define GT_GOROUTINE_PROCESSES 256U /* processes that are looked into at once: 60 KiB */
#define GT_GOROUTINES_READY 16384U  /* goroutines that are ready and not running yet, of all of them: 1.3 MiB */

/* Value of the hash `processes`, by tgid. User space writes the first two when it opts the process in. */
struct gt_goroutine_process {
	__u32 rg_offset; /* of the reading goroutine in the runtime's pollDesc; the writing one is behind it */
	__u32 reserved;
	__u64 hits;      /* of both probes: what they cost follows from it */
	__u64 full;      /* ready goroutines that found no place */
	__u64 unread;    /* pollDescs that could not be read */
	struct gt_hist wait;
};

/* Key of the hash `ready`. */
struct gt_goroutine {
	__u64 g;    /* address of the runtime's g */
	__u32 tgid;
	__u32 reserved;
};

#ifndef __BPF__
#ifdef __cplusplus
static_assert(sizeof(struct gt_goroutine) == 16, "a key has no holes");
static_assert(sizeof(struct gt_goroutine_process) == 32 + sizeof(struct gt_hist), "part of the interface");
#endif
#endif

#endif

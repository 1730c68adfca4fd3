/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The errors that are counted (errno(3), include/uapi/asm-generic/errno.h), and who counts them.
 */
#ifndef GOTUNED_ERRNOS_H
#define GOTUNED_ERRNOS_H

#include "common.h"

#define EMFILE 24
#define ENFILE 23
#define EAGAIN 11
#define ENOMEM 12
#define ECONNREFUSED 111
#define ETIMEDOUT 110
#define EADDRNOTAVAIL 99

/* The place in gt_slot.failed; GT_ERRNOS: not counted. */
static __always_inline __u32 gt_errno(__u32 class, long error)
{
	switch (error) {
	case EMFILE: return GT_EMFILE;
	case ENFILE: return GT_ENFILE;
	case ENOMEM: return GT_ENOMEM;
	case ECONNREFUSED: return GT_ECONNREFUSED;
	case EADDRNOTAVAIL: return GT_EADDRNOTAVAIL;
	case EAGAIN: /* anywhere else it only says "not now" */
		return class == GT_CLONE ? GT_EAGAIN_CLONE : GT_ERRNOS;
	case ETIMEDOUT: /* a futex with a timeout ends so without any trouble: Go's runtime does it all the time */
		return class == GT_FUTEX ? GT_ERRNOS : GT_ETIMEDOUT;
	default: return GT_ERRNOS;
	}
}

/* Only few calls can fail so: calls.bpf.c sees them all, where it is attached. */
static __always_inline bool gt_errno_of_calls(__u32 which)
{
	return which == GT_EMFILE || which == GT_ENFILE || which == GT_EAGAIN_CLONE || which == GT_EADDRNOTAVAIL;
}

#endif

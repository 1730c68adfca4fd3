/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What sysctl.bpf.c and its reader (daemon/probe/sysctl_probe.cpp) share.
 */
#ifndef GOTUNED_SYSCTL_H
#define GOTUNED_SYSCTL_H

#ifndef __BPF__
#include <linux/types.h>
#endif

#define GT_SYSCTL_NAME 96
#define GT_SYSCTL_VALUE 64
#define GT_MAX_SYSCTLS 256
#define GT_SYSCTL_RING_BYTES (64U * 1024U)

/* Filled with zeros to its end: it is the key of a hash. */
struct gt_sysctl_name {
	char text[GT_SYSCTL_NAME];
};

struct gt_sysctl_watch {
	__u32 own_tgid; /* the daemon's, initial pid namespace */
	__u32 reserved;
	__u64 lost;     /* events for which the ring had no room; written by the program alone */
};

struct gt_sysctl_write {
	struct gt_sysctl_name name;
	char from[GT_SYSCTL_VALUE];
	char to[GT_SYSCTL_VALUE];
	char cgroup[GT_SYSCTL_VALUE]; /* the last part of the writer's cgroup in the unified hierarchy: its unit, mostly */
	char command[16];
	__u64 at_ns;                  /* bpf_ktime_get_ns() */
	__u32 pid;                    /* thread group id, initial pid namespace */
	__u32 uid;                    /* in the initial user namespace */
	__u32 net_namespace;          /* inode of the writer's network namespace, whose net/... it writes */
	__u32 reserved;
};

#ifndef __BPF__
#ifdef __cplusplus
static_assert(sizeof(struct gt_sysctl_name) == GT_SYSCTL_NAME, "gt_sysctl_name has no holes");
static_assert(sizeof(struct gt_sysctl_watch) == 16, "gt_sysctl_watch has no holes");
static_assert(sizeof(struct gt_sysctl_write) == GT_SYSCTL_NAME + 3 * GT_SYSCTL_VALUE + 40, "gt_sysctl_write has no holes");
#endif
#endif

#endif

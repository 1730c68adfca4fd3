/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the BPF programs and the daemon share: the slot of a watched process, the events, the global counters.
 * The slot array is one BPF_F_MMAPABLE array: user space reads it without a system call and takes differences;
 * every counter only grows (modulo its width), except max_ns, which the reader exchanges with 0.
 */
#ifndef GOTUNED_SHARED_H
#define GOTUNED_SHARED_H

#ifndef __BPF__
#include <linux/types.h>
#endif

#define GT_BUCKETS 26      /* 0: < 2^10 ns; i: [2^(9+i), 2^(10+i)); 25: >= 2^34 ns */
#define GT_PID_BITS 22     /* PID_MAX_LIMIT is 2^22 (include/linux/threads.h) */
/* An exec so soon after another event does not wake: a host with 1,000 execs a second wakes the daemon 50 times. */
#define GT_EXEC_WAKE_NS 20000000ULL
#define GT_BLOCKED_NS 20000000ULL /* calls of 20 ms and more are counted by the scheduler, shorter ones in windows */
#define GT_SQUARE_SHIFT 4  /* sums of squares are of (ns >> 4), so that a tick's difference cannot overflow */

/* 128 bytes, two cache lines. The count is the sum of the buckets. */
struct gt_hist {
	__u64 sum_ns;
	__u64 sum_sq;  /* of (ns >> GT_SQUARE_SHIFT)^2, modulo 2^64 */
	__u64 max_ns;  /* reset by the reader */
	__u32 buckets[GT_BUCKETS];
};

/*
 * A call is counted either as a short one or as a blocked one, so that neither kind needs all buckets: GT_BLOCKED_NS lies
 * in bucket 15, [2^24, 2^25) ns, which both have. At 13 classes a slot that saves 2.5 MiB of the slot array.
 */
#define GT_SHORT_BUCKETS 16 /* of buckets 0 to 15 */
#define GT_BLOCKED_FIRST 15
#define GT_BLOCKED_BUCKETS (GT_BUCKETS - GT_BLOCKED_FIRST)

struct gt_short_hist {
	__u64 sum_ns;
	__u64 sum_sq;
	__u64 max_ns;
	__u32 buckets[GT_SHORT_BUCKETS];
};

struct gt_blocked_hist {
	__u64 sum_ns;
	__u64 sum_sq;
	__u64 max_ns;
	__u32 buckets[GT_BLOCKED_BUCKETS];
	__u32 reserved;
};

/* Order is part of the interface: daemon/observe names the signals after it. */
enum gt_class {
	GT_READ, GT_WRITE, GT_ACCEPT, GT_CONNECT, GT_OPEN, GT_CLOSE, GT_FSYNC, GT_MMAP,
	GT_FUTEX, GT_SLEEP, GT_WAIT, GT_CLONE, GT_OTHER,
	GT_CLASSES
};

enum gt_errno {
	GT_EMFILE, GT_ENFILE, GT_EAGAIN_CLONE, GT_ENOMEM, GT_ECONNREFUSED, GT_ETIMEDOUT, GT_EADDRNOTAVAIL,
	GT_ERRNOS
};

/*
 * For syscall.jitter, in windows: the time in the kernel with the time off the CPU taken out, as what has to be added
 * (modulo 2^64) to `window`, which is right already for each call that never left its CPU.
 */
struct gt_jitter {
	__u64 count;
	__u64 sum_ns;
	__u64 sum_sq;
};

/* epoll_wait, epoll_pwait, epoll_pwait2 by timeout == 0 ([0]) and all others ([1]); counted in windows. */
struct gt_polls {
	__u64 polls[2];
	__u64 empty[2];
	__u64 events[2];
};

/*
 * TCP of the process. The first six count events; segments and retransmitted are what the sockets themselves counted,
 * fetched when one closes and at each sweep; the last three are what the last sweep found.
 */
struct gt_tcp {
	__u64 connects_failed; /* those that succeeded are in connect_time */
	__u64 resets;          /* received on a connection */
	__u64 established;
	__u64 ended;           /* left ESTABLISHED, in whatever way */
	__u64 ended_here;      /* of them, those that this side ended first */
	__u64 time_waits;      /* went into TIME_WAIT, or on the way there */
	__u64 segments;        /* sent, retransmitted ones included */
	__u64 retransmitted;
	__u32 sweep;           /* number of the last sweep that met the process */
	__u32 open;
	__u32 close_wait;
	__u32 stale;           /* a retransmission timer has run out since the peer last acknowledged anything */
};

struct gt_slot {
	__u64 switches;    /* context switches to a thread of the process: 0 since the last tick means idle */
	__u64 migrations;  /* a thread switched in on another CPU than the one it ran on before */
	__u64 failed[GT_ERRNOS];
	struct gt_polls polls;
	__u64 swapins;     /* page faults that read their page from swap */
	__u64 reserved;    /* a slot is a multiple of 16 bytes, so that 256 of them end with a page */
	struct gt_hist epoll_wake;
	struct gt_hist netpoll_sleep;
	struct gt_hist timer_late;
	struct gt_hist runq;                 /* of all waits for a CPU but those in epoll_wake */
	struct gt_hist netpoll_wait;         /* from data arriving at a socket to the process reading it */
	struct gt_hist connect_time;         /* of TCP connects that succeeded */
	struct gt_hist lifetime;             /* of TCP connections that were seen to begin and to end */
	struct gt_tcp tcp;
	struct gt_hist reclaim;              /* direct reclaim, of the host or of the cgroup: entered to left */
	struct gt_blocked_hist blocked[GT_CLASSES]; /* from the scheduler: segments of GT_BLOCKED_NS and more */
	struct gt_short_hist window[GT_CLASSES];    /* from windows: whole calls shorter than GT_BLOCKED_NS */
	struct gt_jitter jitter[GT_CLASSES];
};

enum gt_event_kind {
	GT_EXEC = 1,  /* any process of the host has executed a new image */
	GT_EXIT = 2,  /* the last thread of a watched process or an heir ended */
	GT_FORK = 3,  /* an heir (see the heirs map) has a new child process */
};

#define GT_EXIT_OOM (1U << 31) /* in exit_code: the OOM killer had chosen it */

struct gt_event {
	__u32 kind;
	__u32 pid;     /* thread group id, initial pid namespace */
	__u32 parent;  /* thread group id of the real parent; GT_FORK: of the heir that forked */
	__u32 exit_code; /* GT_EXIT: as wait(2) has it, and GT_EXIT_OOM; GT_EXEC: changes when the file's mtime does, 0 when unknown */
	__u64 dev;     /* GT_EXEC: s_dev of the file (kernel encoding), 0 when unknown */
	__u64 inode;   /* GT_EXEC: inode of the file */
	__u64 at_ns;   /* bpf_ktime_get_ns() */
};

/* Every way of losing something is counted, in a per-object global array of these. */
enum gt_drop {
	GT_DROP_RING_FULL,   /* event lost: ring buffer full */
	GT_DROP_TASK_FULL,   /* no place for a thread's state */
	GT_DROP_STALE,       /* stamps that contradict each other */
	GT_DROP_HEIRS_FULL,
	GT_DROP_SOCKET_FULL, /* no memory to remember a socket */
	GT_DROP_NAMES_FULL,  /* no place for one more interrupt handler or driver */
	GT_DROPS
};

#ifndef __BPF__
#ifdef __cplusplus
static_assert(sizeof(struct gt_hist) == 128, "gt_hist is two cache lines");
static_assert(GT_BLOCKED_NS >> (9 + GT_BLOCKED_FIRST) == 1, "the shortest blocked call falls into GT_BLOCKED_FIRST");
static_assert(GT_SHORT_BUCKETS == GT_BLOCKED_FIRST + 1, "both kinds have the bucket that GT_BLOCKED_NS divides");
static_assert(sizeof(struct gt_event) == 40, "gt_event is part of the interface");
static_assert(sizeof(struct gt_slot) % 8 == 0, "gt_slot is an array element");
#endif
#endif

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the BPF objects and their loader (daemon/probe) share beside gotuned.h: the watch bitmap, the leases of
 * the slots, the generations, the drop counters, the places of system calls. Private to bpf/ and daemon/probe.
 */
#ifndef GOTUNED_LAYOUT_H
#define GOTUNED_LAYOUT_H

#include "gotuned.h"

#define GT_PIDS (1U << GT_PID_BITS)
#define GT_MAX_SLOTS 16384U   /* a bound for lease[]; the slot array itself has as many as the loader asks for */
#define GT_MAX_CPUS 1024U     /* with a place in `entered`; on all further ones calls are remembered by thread */
#define GT_MAX_THREADS 32768U /* threads of watched processes that are remembered: 4 MiB */
#define GT_MAX_HEIRS 4096U
#define GT_MAX_RECLAIMS 1024U /* threads of watched processes that reclaim at one time */
#define GT_RING_BYTES (256U * 1024U)

enum gt_object {
	GT_OBJECT_SCHED,
	GT_OBJECT_PROCESS,
	GT_OBJECT_SYSCALLS,
	GT_OBJECT_NET,
	GT_OBJECT_TCP,
	GT_OBJECT_CALLS,
	GT_OBJECT_MEMORY,
	GT_OBJECT_SWAP,
	GT_OBJECT_IRQ,
	GT_OBJECTS
};

/* What the number of a system call says about it, beside its class + 1. */
#define GT_KIND_CLASS 0x0fU
#define GT_KIND_EPOLL 0x10U
#define GT_KIND_SOCKOPT 0x20U /* getsockopt: may hand out the error of a connect */
#define GT_KIND_CLONE 0x40U   /* its EAGAIN is a failure */
#define GT_KIND_ZERO_TIMEOUT 0x80U /* not of the number: this epoll call waits for nothing */
#define GT_EPOLL (GT_WAIT + 1 + GT_KIND_EPOLL)
#define GT_CLONES (GT_CLONE + 1 + GT_KIND_CLONE)

/*
 * Of one CPU, one cache line: the thread that entered a system call there last, if it has not left the CPU since, and that
 * call. See entered.h.
 */
struct gt_entered {
	__u64 thread;     /* address of its registers at entry, which lie in its own kernel stack; 0: nobody */
	__u64 open;       /* the same while the call is under way; else 0 */
	__u64 enter_ns;
	__u8 kind;        /* GT_KIND_... of the call */
	__u8 own;         /* the counters are this CPU's own: see gt_shared.copies */
	__u32 generation; /* gt_shared.entered_generation when `own` and what follows were looked up */
	__u32 tid;
	__u32 tgid;
	__u32 slot;
	__u32 lease;
	__u32 counters;   /* element of `slots` that calls are counted in on this CPU */
	__u16 window;
} __attribute__((aligned(64)));

/*
 * The variable `shared`, alone in the map .bss. User space writes all but `entered`, `last_wake_ns` and `drops`. What is
 * looked at most stands first, where one instruction reaches it.
 */
struct gt_shared {
	/*
	 * Counts changes of what a place in `entered` remembers: leases, copies, windows, attachments of the scheduler's
	 * programs. Counted up after the change, read before what it is about.
	 */
	__u32 entered_generation;
	__u32 scheduler_generation;      /* counts attachments of the scheduler's programs; 0: not attached */
	__u32 window_generation;         /* counts windows; 0: none was ever open */
	__u32 cpus;                      /* copies of a slot; a CPU with a higher number counts into the slot itself */
	__u32 network_generation;        /* counts attachments of all probes: what a socket remembers of an earlier one is void */
	__u32 arrivals_generation;       /* counts attachments of the programs of net.bpf.c; 0: not attached */
	__u32 calls_attached;            /* calls.bpf.c counts gt_errno_of_calls() always, the windows do not */
	__u32 sweep;                     /* counts sweeps over the sockets; 0: none yet */
	__u32 memory_generation;         /* counts attachments of the programs of memory.bpf.c */
	__u32 irq_generation;            /* counts windows in which interrupts were looked at; 0: none was ever open */
	struct gt_entered entered[GT_MAX_CPUS];
	__u64 last_wake_ns;              /* when an event of process.bpf.c last woke the daemon */
	__u64 drops[GT_OBJECTS][GT_DROPS];
	__u32 lease[GT_MAX_SLOTS];       /* who holds a slot now: stamps made under an earlier lease are void */
	/*
	 * The busiest processes count into a copy of their slot for each CPU, which that CPU alone writes: plain additions,
	 * and no cache line that two CPUs pull at. The copies stand behind the slots in the same array; this is the element
	 * of CPU 0, 0: none. Whoever reads adds all up.
	 */
	__u32 copies[GT_MAX_SLOTS];
	__u8 watched_bits[GT_PIDS / 8];  /* by tgid: one load tells most tasks of the host that nobody watches them */
};

/* Value of the hash `watched`, by tgid. */
struct gt_watch {
	__u32 slot;
	__u32 lease;
};

#ifdef __cplusplus
static_assert(sizeof(struct gt_entered) == 64, "a cache line");
static_assert(GT_CLASSES <= GT_KIND_CLASS, "a class + 1 fits into its bits");
#endif

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is remembered of each thread of a watched process, and the slots that its measurements go to.
 *
 * A preallocated hash by tid, and no task storage: task storage for tracing programs needs a kernel newer than 5.10, its
 * creation allocates under the run queue's lock before 6.4, and measured beside each other the hash costs no more.
 * An entry goes when its thread exits (sched.bpf.c) or changes its tid in an exec (process.bpf.c).
 */
#ifndef GOTUNED_THREADS_H
#define GOTUNED_THREADS_H

#include "common.h"

#define GT_NO_CPU 0xffff

enum gt_out {
	GT_OUT_RUNNABLE, /* preempted, yielded or new: ready since it was switched out */
	GT_OUT_ASLEEP,
	GT_OUT_EPOLL,
};

/*
 * 56 bytes: with the 48 that the kernel's hash adds, the key and the bucket that is 128 a thread. Generations are kept in
 * 16 bits: a stamp could be taken for a new one only after 65,536 windows, or attachments, to the one.
 */
struct gt_thread {
	__u64 out_ns;       /* switched out at; 0: running, or not seen leaving */
	__u64 wake_ns;      /* last sched_waking, sleeping or not */
	__u64 enter_ns;     /* entered its system call at, when it has left the CPU in it (entered.h) */
	__u64 off_ns;       /* off the CPU since then */
	__u32 tgid;
	__u32 lease;
	__u32 timeout_us;   /* of the epoll call it sleeps in; 0: none */
	__u16 slot;
	__u16 generation;   /* of the scheduler's programs, when out_ns was stamped */
	__u16 window;       /* the window in which enter_ns was stamped; 0: no call to count */
	__u16 cpu;          /* NR_CPUS is 8,192 at most (arch/x86/Kconfig; arm64: 4,096) */
	__u8 kind;          /* GT_KIND_... of the system call entered */
	__u8 out;           /* enum gt_out */
	__u8 out_class;     /* class + 1 of the call it sleeps in; 0: none known */
	__u8 reserved;      /* no holes: it is copied from the stack */
};

_Static_assert(sizeof(struct gt_thread) == 56, "32,768 of them are kept");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, GT_MAX_THREADS);
	__type(key, __u32);
	__type(value, struct gt_thread);
} threads SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2048);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct gt_slot);
} slots SEC(".maps");

static __always_inline __u32 gt_kind_of(unsigned long number)
{
	return number < 512 ? gt_kind_of_number[number] : 0;
}

static __always_inline __u32 gt_class_of(__u32 kind)
{
	__u32 class = kind & GT_KIND_CLASS;

	return class ? class - 1 : GT_OTHER;
}

/* Of 8 bits: the place of the highest one, from 1. */
static const __u8 gt_highest[256] = {
	[1] = 1, [2 ... 3] = 2, [4 ... 7] = 3, [8 ... 15] = 4, [16 ... 31] = 5, [32 ... 63] = 6, [64 ... 127] = 7, [128 ... 255] = 8,
};

/* How long something takes changes from one time to the next: a look-up mispredicts no branch where a search would. */
static __always_inline __u64 gt_bucket(__u64 ns)
{
	__u64 us = ns >> 10;

	gt_keep_bounds(us);
	if (us < 256)
		return gt_highest[us];
	us >>= 8;
	if (us < 256)
		return 8 + gt_highest[us];
	us >>= 8;
	return us < 256 ? 16 + gt_highest[us] : GT_BUCKETS - 1;
}

/* Where the counters of a process are for the CPU that runs now. */
struct gt_counters {
	struct gt_slot *slot;
	bool own; /* nobody else writes there: no atomic operation is needed */
};

static __always_inline void gt_count(bool own, __u64 *counter, __u64 amount)
{
	if (own)
		*counter += amount;
	else
		gt_add(counter, amount);
}

/* Two CPUs may race at the maximum: the smaller of two may stay. */
static __always_inline void gt_record_in(bool own, __u32 *bucket, __u64 *sum_ns, __u64 *sum_sq, __u64 *max_ns, __u64 ns)
{
	__u64 scaled = ns >> GT_SQUARE_SHIFT;

	if (own) {
		*bucket += 1;
		*sum_ns += ns;
		*sum_sq += scaled * scaled;
	} else {
		__sync_fetch_and_add(bucket, 1);
		gt_add(sum_ns, ns);
		gt_add(sum_sq, scaled * scaled);
	}
	if (ns > *max_ns)
		*max_ns = ns;
}

static __always_inline void gt_record_own(bool own, struct gt_hist *hist, __u64 ns)
{
	__u64 bucket = gt_bucket(ns);

	gt_keep_bounds(bucket);
	if (bucket < GT_BUCKETS)
		gt_record_in(own, &hist->buckets[bucket], &hist->sum_ns, &hist->sum_sq, &hist->max_ns, ns);
}

static __always_inline void gt_record(struct gt_hist *hist, __u64 ns)
{
	gt_record_own(false, hist, ns);
}

/* ns below GT_BLOCKED_NS */
static __always_inline void gt_record_short(bool own, struct gt_short_hist *hist, __u64 ns)
{
	__u64 bucket = gt_bucket(ns);

	gt_keep_bounds(bucket);
	if (bucket < GT_SHORT_BUCKETS)
		gt_record_in(own, &hist->buckets[bucket], &hist->sum_ns, &hist->sum_sq, &hist->max_ns, ns);
}

/* ns of GT_BLOCKED_NS and more */
static __always_inline void gt_record_blocked(bool own, struct gt_blocked_hist *hist, __u64 ns)
{
	__u64 bucket = gt_bucket(ns) - GT_BLOCKED_FIRST;

	gt_keep_bounds(bucket);
	if (bucket < GT_BLOCKED_BUCKETS)
		gt_record_in(own, &hist->buckets[bucket], &hist->sum_ns, &hist->sum_sq, &hist->max_ns, ns);
}

/* Whether the process that was given the slot under this lease still holds it. */
static __always_inline bool gt_is_leased(__u32 slot, __u32 lease)
{
	return shared.lease[slot & (GT_MAX_SLOTS - 1)] == lease;
}

/*
 * The thread's entry, made when there is none or when it was made under another lease. NULL: its process is not
 * watched any more, or there is no place (counted).
 */
static __always_inline struct gt_thread *gt_thread_of(enum gt_object object, __u32 tgid, __u32 tid)
{
	struct gt_thread *thread = bpf_map_lookup_elem(&threads, &tid);
	struct gt_thread fresh = {};
	struct gt_watch *watch;

	if (thread && thread->tgid == tgid && gt_is_leased(thread->slot, thread->lease))
		return thread;
	watch = bpf_map_lookup_elem(&watched, &tgid);
	if (!watch)
		return 0;
	fresh.tgid = tgid;
	fresh.slot = (__u16)watch->slot;
	fresh.lease = watch->lease;
	fresh.cpu = GT_NO_CPU;
	if (bpf_map_update_elem(&threads, &tid, &fresh, BPF_ANY)) {
		gt_drop(object, GT_DROP_TASK_FULL);
		return 0;
	}
	return bpf_map_lookup_elem(&threads, &tid);
}

static __always_inline struct gt_slot *gt_slot_of(struct gt_thread *thread)
{
	__u32 slot = thread->slot;

	return bpf_map_lookup_elem(&slots, &slot);
}

/* Of the process that runs, for programs that count rarely. NULL: nobody watches it. */
static __always_inline struct gt_slot *gt_slot_of_current(void)
{
	__u32 tgid = (__u32)(bpf_get_current_pid_tgid() >> 32);
	struct gt_watch *watch;

	if (!gt_is_watched(tgid))
		return 0;
	watch = bpf_map_lookup_elem(&watched, &tgid);
	return watch ? bpf_map_lookup_elem(&slots, &watch->slot) : 0;
}

/* The element of `slots` that calls and switches of a process are counted in on a CPU. */
static __always_inline __u32 gt_counters_at(__u32 slot, __u32 cpu, bool *own)
{
	__u32 copies = shared.copies[slot & (GT_MAX_SLOTS - 1)];

	*own = copies && cpu < shared.cpus;
	return *own ? copies + cpu : slot;
}

/*
 * For programs of one tracepoint that cannot interrupt themselves on one CPU: two of them must not write to the same
 * counters (sched_switch runs with interrupts off, sys_exit is left out where it would nest: kernel/trace/bpf_trace.c,
 * __bpf_trace_run).
 */
static __always_inline struct gt_counters gt_counters_of(__u32 slot, __u32 cpu)
{
	struct gt_counters counters = {};
	__u32 index = gt_counters_at(slot, cpu, &counters.own);

	counters.slot = bpf_map_lookup_elem(&slots, &index);
	return counters;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Direct reclaim, always on: how long a thread of a watched process was made to free memory before it got some, because
 * the host ran short (direct) or its cgroup was at its limit (memcg). The tracepoints' arguments changed over the years
 * and are not read: all that counts is who runs, and when. A task that nobody watches pays one load at the beginning and
 * one failed look-up at the end of a reclaim, which takes microseconds at least.
 */
#include "threads.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct gt_reclaim {
	__u64 began_ns;
	__u32 slot;
	__u32 lease;
	__u32 generation;
	__u32 reserved;
};

/* By thread id, for as long as the reclaim lasts. A thread cannot end inside; it reclaims once at a time. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, GT_MAX_RECLAIMS);
	__type(key, __u32);
	__type(value, struct gt_reclaim);
} reclaims SEC(".maps");

static __always_inline int reclaim_begins(void)
{
	__u64 current = bpf_get_current_pid_tgid();
	__u32 tgid = (__u32)(current >> 32), tid = (__u32)current;
	struct gt_reclaim reclaim = {};
	struct gt_watch *watch;

	if (!gt_is_watched(tgid))
		return 0;
	watch = bpf_map_lookup_elem(&watched, &tgid);
	if (!watch)
		return 0;
	reclaim.began_ns = bpf_ktime_get_ns();
	reclaim.slot = watch->slot;
	reclaim.lease = watch->lease;
	reclaim.generation = shared.memory_generation;
	if (bpf_map_update_elem(&reclaims, &tid, &reclaim, BPF_ANY))
		gt_drop(GT_OBJECT_MEMORY, GT_DROP_TASK_FULL);
	return 0;
}

static __always_inline int reclaim_ends(void)
{
	__u32 tid = (__u32)bpf_get_current_pid_tgid();
	struct gt_reclaim *found = bpf_map_lookup_elem(&reclaims, &tid), reclaim;
	struct gt_slot *slot;
	__u64 now;

	if (!found)
		return 0;
	reclaim = *found;
	bpf_map_delete_elem(&reclaims, &tid);
	/* Begun under an earlier attachment, which missed its end, or for a process that is not watched any more. */
	if (reclaim.generation != shared.memory_generation ||
	    !gt_is_leased(reclaim.slot, reclaim.lease))
		return 0;
	slot = bpf_map_lookup_elem(&slots, &reclaim.slot);
	now = bpf_ktime_get_ns();
	if (slot && now > reclaim.began_ns)
		gt_record(&slot->reclaim, now - reclaim.began_ns);
	return 0;
}

SEC("tp_btf/mm_vmscan_direct_reclaim_begin")
int direct_reclaim_begin(void *context)
{
	return reclaim_begins();
}

SEC("tp_btf/mm_vmscan_direct_reclaim_end")
int direct_reclaim_end(void *context)
{
	return reclaim_ends();
}

SEC("tp_btf/mm_vmscan_memcg_reclaim_begin")
int memcg_reclaim_begin(void *context)
{
	return reclaim_begins();
}

SEC("tp_btf/mm_vmscan_memcg_reclaim_end")
int memcg_reclaim_end(void *context)
{
	return reclaim_ends();
}

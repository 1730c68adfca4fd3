/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Maps and small functions that every object uses. The loader creates the maps once and hands them to all objects.
 */
#ifndef GOTUNED_COMMON_H
#define GOTUNED_COMMON_H

#include "kernel.h"
#include "layout.h"

struct gt_call {
	long number;
	unsigned long timeout; /* the fourth argument */
};

#if defined(__TARGET_ARCH_x86)
#include "arch_x86.h"
#elif defined(__TARGET_ARCH_arm64)
#include "arch_arm64.h"
#else
#error "no register layout for this architecture"
#endif

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct gt_shared);
} shared SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2048); /* as many as slots: the loader sets both */
	__type(key, __u32);
	__type(value, struct gt_watch);
} watched SEC(".maps");

static __always_inline struct gt_shared *gt_shared_state(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&shared, &zero);
}

static __always_inline bool gt_is_watched(struct gt_shared *state, __u32 tgid)
{
	return (state->watched_bits[(tgid >> 3) & (GT_PIDS / 8 - 1)] >> (tgid & 7)) & 1;
}

/* Only adding is atomic before 5.12, and it is all we need. */
static __always_inline void gt_add(__u64 *counter, __u64 amount) { __sync_fetch_and_add(counter, amount); }

static __always_inline void gt_drop(struct gt_shared *state, enum gt_object object, enum gt_drop reason)
{
	gt_add(&state->drops[object][reason], 1);
}

#endif

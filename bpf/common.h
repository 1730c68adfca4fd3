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

/*
 * The only variable of any object (the loader checks it): so it is the whole of the map .bss, which the loader makes once and
 * maps, and programs reach it without a look-up.
 */
struct gt_shared shared;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2048); /* as many as slots: the loader sets both */
	__type(key, __u32);
	__type(value, struct gt_watch);
} watched SEC(".maps");

/*
 * Before a comparison whose bound the verifier has to remember: it and what comes after it use one register of 64 bits. The
 * verifier of 5.10 does not carry bounds over to 32-bit copies, nor through the stack (kernel/bpf/verifier.c, check_alu_op
 * and check_stack_write).
 */
#define gt_keep_bounds(number) asm volatile("" : "+r"(number))

static __always_inline bool gt_is_watched(__u32 tgid)
{
	return (shared.watched_bits[(tgid >> 3) & (GT_PIDS / 8 - 1)] >> (tgid & 7)) & 1;
}

/* Only adding is atomic before 5.12, and it is all we need. */
static __always_inline void gt_add(__u64 *counter, __u64 amount) { __sync_fetch_and_add(counter, amount); }

static __always_inline void gt_drop(enum gt_object object, enum gt_drop reason)
{
	gt_add(&shared.drops[object][reason], 1);
}

#endif

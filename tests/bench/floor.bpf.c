// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The floor: two programs that do nothing, where every system call passes. What they cost, no tracer of system calls
 * can save. And two that only read the clock, which whoever tells how long a call took has to do.
 */
#include "kernel.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("tp_btf/sys_enter")
int floor_enter(void *ctx)
{
	return 0;
}

SEC("tp_btf/sys_exit")
int floor_exit(void *ctx)
{
	return 0;
}

SEC("tp_btf/sys_enter")
int clock_enter(void *ctx)
{
	bpf_ktime_get_ns();
	return 0;
}

SEC("tp_btf/sys_exit")
int clock_exit(void *ctx)
{
	bpf_ktime_get_ns();
	return 0;
}

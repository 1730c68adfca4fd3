// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The floor: two programs that do nothing, where every system call passes. What they cost, no tracer of system calls
 * can save.
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

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How long a goroutine that the netpoller made ready waits until it runs. Two uprobes in the runtime of programs that
 * were opted in, each where the kernel can emulate the instruction (goroutine_probe.h); never at a return.
 *
 *   runtime.netpollready(toRun *gList, pd *pollDesc, mode int32): data or room has come. Whoever waits for it is in
 *   pd.rg and pd.wg; it is called on the thread that polled, and takes the goroutines out right after.
 *   runtime.execute(gp *g, inheritTime bool): gp runs from here on.
 *
 * Arguments are in AX, BX, CX since Go 1.17 (src/cmd/compile/abi-internal.md).
 */
#include "kernel.h"
#include "goroutines.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define PD_WAIT 2 /* pdNil, pdReady, pdWait: no goroutine (runtime/netpoll.go) */
#define MODE_READ 'r'
#define MODE_WRITE 'w'

struct pt_regs___go {
	unsigned long ax;
	unsigned long bx;
	unsigned long cx;
} KERNEL_TYPE;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, GT_GOROUTINE_PROCESSES);
	__type(key, __u32);
	__type(value, struct gt_goroutine_process);
} processes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, GT_GOROUTINES_READY);
	__type(key, struct gt_goroutine);
	__type(value, __u64);
} ready SEC(".maps");

static __always_inline struct gt_goroutine_process *process_of(__u32 tgid)
{
	struct gt_goroutine_process *process = bpf_map_lookup_elem(&processes, &tgid);

	if (process)
		__sync_fetch_and_add(&process->hits, 1);
	return process;
}

static __always_inline void becomes_ready(struct gt_goroutine_process *process, __u32 tgid, unsigned long place, __u64 now)
{
	struct gt_goroutine key = {.tgid = tgid};

	if (bpf_probe_read_user(&key.g, sizeof(key.g), (void *)place)) {
		__sync_fetch_and_add(&process->unread, 1);
		return;
	}
	if (key.g <= PD_WAIT)
		return;
	if (bpf_map_update_elem(&ready, &key, &now, BPF_ANY))
		__sync_fetch_and_add(&process->full, 1);
}

SEC("uprobe")
int netpoll_ready(struct pt_regs___go *regs)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct gt_goroutine_process *process = process_of(tgid);
	unsigned long place;
	__u32 mode;
	__u64 now;

	if (!process)
		return 0;
	mode = (__u32)regs->cx;
	place = regs->bx + process->rg_offset;
	now = bpf_ktime_get_ns();
	if (mode == MODE_READ || mode == MODE_READ + MODE_WRITE)
		becomes_ready(process, tgid, place, now);
	if (mode == MODE_WRITE || mode == MODE_READ + MODE_WRITE)
		becomes_ready(process, tgid, place + 8, now);
	return 0;
}

SEC("uprobe")
int execute(struct pt_regs___go *regs)
{
	struct gt_goroutine key = {.tgid = bpf_get_current_pid_tgid() >> 32};
	struct gt_goroutine_process *process = process_of(key.tgid);
	__u64 *since, now, waited, scaled;
	__u32 bucket = 0;

	if (!process)
		return 0;
	key.g = regs->ax;
	since = bpf_map_lookup_elem(&ready, &key);
	if (!since)
		return 0;
	now = bpf_ktime_get_ns();
	waited = now > *since ? now - *since : 0;
	bpf_map_delete_elem(&ready, &key);
	__sync_fetch_and_add(&process->wait.sum_ns, waited);
	scaled = waited >> GT_SQUARE_SHIFT;
	__sync_fetch_and_add(&process->wait.sum_sq, scaled * scaled);
	if (waited > process->wait.max_ns)
		process->wait.max_ns = waited;
#pragma unroll
	for (int i = 10; i < 10 + GT_BUCKETS - 1; i++)
		bucket += waited >> i ? 1 : 0;
	__sync_fetch_and_add(&process->wait.buckets[bucket < GT_BUCKETS ? bucket : GT_BUCKETS - 1], 1);
	return 0;
}


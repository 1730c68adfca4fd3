/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who writes a sysctl that one of our adjustments holds. Called for every read and write below /proc/sys by a process of
 * the cgroup it is attached to or below it, before the write (__cgroup_bpf_run_filter_sysctl in kernel/bpf/cgroup.c);
 * it allows each, whatever happens. bpf_get_current_comm and _pid_tgid came to this type of program after 5.10: the task
 * itself is read instead.
 */
#include "kernel.h"
#include "sysctl.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define ALLOW 1

/* include/uapi/linux/bpf.h */
struct bpf_sysctl {
	__u32 write;
	__u32 file_pos;
};

/* Names as the kernel has them ("vm/swappiness"), of what is in force. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, GT_MAX_SYSCTLS);
	__type(key, struct gt_sysctl_name);
	__type(value, __u32);
} sysctls SEC(".maps");

/* Our own writes are not news. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct gt_sysctl_watch);
} watch SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, GT_SYSCTL_RING_BYTES);
} writes SEC(".maps");

SEC("cgroup/sysctl")
int sysctl_write(struct bpf_sysctl *context)
{
	struct gt_sysctl_name name = {};
	struct gt_sysctl_watch *state;
	struct gt_sysctl_write *event;
	struct task_struct *task;
	const char *cgroup;
	__u32 zero = 0, tgid;

	if (!context->write)
		return ALLOW;
	if (bpf_sysctl_get_name(context, name.text, sizeof(name.text), 0) <= 0)
		return ALLOW; /* longer than any that we hold */
	if (!bpf_map_lookup_elem(&sysctls, &name))
		return ALLOW;
	state = bpf_map_lookup_elem(&watch, &zero);
	if (!state)
		return ALLOW;
	task = (struct task_struct *)bpf_get_current_task();
	tgid = (__u32)BPF_CORE_READ(task, tgid);
	if (tgid == state->own_tgid)
		return ALLOW;
	event = bpf_ringbuf_reserve(&writes, sizeof(*event), 0);
	if (!event) {
		__sync_fetch_and_add(&state->lost, 1);
		return ALLOW;
	}
	__builtin_memset(event, 0, sizeof(*event));
	event->name = name;
	event->pid = tgid;
	event->uid = (__u32)bpf_get_current_uid_gid();
	event->net_namespace = BPF_CORE_READ(task, nsproxy, net_ns, ns.inum);
	event->at_ns = bpf_ktime_get_ns();
	BPF_CORE_READ_STR_INTO(&event->command, task, group_leader, comm);
	cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, name);
	bpf_probe_read_kernel_str(event->cgroup, sizeof(event->cgroup), cgroup);
	/* What does not fit is cut off, with an error that says nothing new. */
	bpf_sysctl_get_current_value(context, event->from, sizeof(event->from));
	bpf_sysctl_get_new_value(context, event->to, sizeof(event->to));
	bpf_ringbuf_submit(event, BPF_RB_FORCE_WAKEUP);
	return ALLOW;
}

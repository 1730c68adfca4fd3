/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The life of processes: every exec of the host, the end of watched processes and of heirs, the children of heirs.
 * Events go through one bounded ring buffer; what does not fit is counted.
 */
#include "threads.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, GT_RING_BYTES);
} events SEC(".maps");

/* tgid → 1. Children are added here, before they run, so that none is ever missed by being too short. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, GT_MAX_HEIRS);
	__type(key, __u32);
	__type(value, __u32);
} heirs SEC(".maps");

static __always_inline struct gt_event *reserve(void)
{
	struct gt_event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event)
		gt_drop(GT_OBJECT_PROCESS, GT_DROP_RING_FULL);
	return event;
}

/* Changes whenever the file's time of modification does; 0 when this kernel has it elsewhere. */
static __always_inline __u32 version_of(struct inode *inode)
{
	__u64 seconds = 0, nanoseconds = 0, mixed;

	if (bpf_core_field_exists(inode->i_mtime_sec)) {
		seconds = (__u64)inode->i_mtime_sec;
		nanoseconds = inode->i_mtime_nsec;
	} else if (bpf_core_field_exists(((struct inode___before_6_11 *)inode)->__i_mtime)) {
		seconds = (__u64)((struct inode___before_6_11 *)inode)->__i_mtime.tv_sec;
		nanoseconds = (__u64)((struct inode___before_6_11 *)inode)->__i_mtime.tv_nsec;
	} else if (bpf_core_field_exists(((struct inode___before_6_7 *)inode)->i_mtime)) {
		seconds = (__u64)((struct inode___before_6_7 *)inode)->i_mtime.tv_sec;
		nanoseconds = (__u64)((struct inode___before_6_7 *)inode)->i_mtime.tv_nsec;
	} else
		return 0;
	mixed = (seconds * 1000000000ULL + nanoseconds) * 0x9e3779b97f4a7c15ULL;
	return (__u32)(mixed >> 32) | 1;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(process_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	struct gt_event *event;
	struct file *file;
	__u64 wake = BPF_RB_NO_WAKEUP;

	/* A thread other than the leader takes the leader's id when it execs: nobody will exit under its old one. */
	if (old_pid != task->pid) {
		__u32 tid = (__u32)old_pid;

		bpf_map_delete_elem(&threads, &tid);
	}
	event = reserve();
	if (!event)
		return 0;
	event->kind = GT_EXEC;
	event->pid = (__u32)task->tgid;
	event->parent = (__u32)task->real_parent->tgid;
	event->exit_code = 0;
	event->dev = 0;
	event->inode = 0;
	event->at_ns = bpf_ktime_get_ns();
	file = bprm->file;
	if (file) {
		event->dev = file->f_inode->i_sb->s_dev;
		event->inode = file->f_inode->i_ino;
		event->exit_code = version_of(file->f_inode);
	}
	if (event->at_ns - shared.last_wake_ns > GT_EXEC_WAKE_NS || bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) > GT_RING_BYTES / 4) {
		shared.last_wake_ns = event->at_ns;
		wake = BPF_RB_FORCE_WAKEUP;
	}
	bpf_ringbuf_submit(event, wake);
	return 0;
}

/*
 * As wait(2) will have it, wait_task_zombie() in kernel/exit.c: the group's code, else the leader's. Whom the OOM killer
 * has chosen is marked in the process itself (mark_oom_victim() in mm/oom_kill.c, since 4.9), so the tracepoint
 * oom:mark_victim, whose arguments differ by version, is not needed.
 */
static __always_inline __u32 exit_code_of(struct task_struct *task)
{
	struct signal_struct *signal = task->signal;
	__u32 oom = signal->oom_mm ? GT_EXIT_OOM : 0;

	if (signal->flags & SIGNAL_GROUP_EXIT)
		return (__u32)signal->group_exit_code | oom;
	return (__u32)task->group_leader->exit_code | oom;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(process_exit, struct task_struct *task)
{
	__u32 tgid = (__u32)task->tgid;
	struct gt_event *event;
	bool ours = false;

	/* Two last threads may both see nobody alive: whoever takes the entry out tells. */
	if (task->signal->live.counter != 0)
		return 0;
	if (gt_is_watched(tgid))
		ours = bpf_map_delete_elem(&watched, &tgid) == 0;
	if (bpf_map_lookup_elem(&heirs, &tgid) && bpf_map_delete_elem(&heirs, &tgid) == 0)
		ours = true;
	if (!ours)
		return 0;
	event = reserve();
	if (!event)
		return 0;
	event->kind = GT_EXIT;
	event->pid = tgid;
	event->parent = (__u32)task->real_parent->tgid;
	event->exit_code = exit_code_of(task);
	event->dev = 0;
	event->inode = 0;
	event->at_ns = bpf_ktime_get_ns();
	shared.last_wake_ns = event->at_ns;
	bpf_ringbuf_submit(event, BPF_RB_FORCE_WAKEUP);
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(process_fork, struct task_struct *parent, struct task_struct *child)
{
	__u32 from = (__u32)parent->tgid, to = (__u32)child->tgid, one = 1;
	struct gt_event *event;

	if (child->pid != child->tgid || !bpf_map_lookup_elem(&heirs, &from)) /* a thread, or nobody's heir */
		return 0;
	if (bpf_map_update_elem(&heirs, &to, &one, BPF_ANY))
		gt_drop(GT_OBJECT_PROCESS, GT_DROP_HEIRS_FULL);
	event = reserve();
	if (!event)
		return 0;
	event->kind = GT_FORK;
	event->pid = to;
	event->parent = from; /* what is inherited comes from who forks, also with CLONE_PARENT */
	event->exit_code = 0;
	event->dev = 0;
	event->inode = 0;
	event->at_ns = bpf_ktime_get_ns();
	shared.last_wake_ns = event->at_ns;
	bpf_ringbuf_submit(event, BPF_RB_FORCE_WAKEUP);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The few kernel types that our programs look into, and nothing else: the same source then compiles on every machine,
 * and CO-RE finds each field where the running kernel has it (preserve_access_index). A type whose layout or names
 * changed has a second description with a ___suffix, which libbpf leaves out when it compares names.
 *
 * Where the facts come from, all in the kernel's own tree:
 *   task_struct, signal_struct   include/linux/sched.h, include/linux/sched/signal.h
 *   `state` became `__state`     5.14, 2f064a59a11f ("sched: Change task_struct::state")
 *   TASK_*, PF_*                 include/linux/sched.h
 *   linux_binprm                 include/linux/binfmts.h; `file` is the image that runs once the exec is done
 *   nsproxy, net, ns_common      include/linux/nsproxy.h, include/net/net_namespace.h, include/linux/ns_common.h
 *   css_set, cgroup, kernfs_node include/linux/cgroup-defs.h, include/linux/kernfs.h
 *   sock, sock_common, tcp_sock  include/net/sock.h, include/linux/tcp.h; sk_type and sk_protocol are no bit fields since 5.6
 *   inet_connection_sock, socket   include/net/inet_connection_sock.h, include/linux/net.h
 *   VM_FAULT_MAJOR               enum vm_fault_reason, include/linux/mm_types.h (mm.h before 5.3)
 *   inode's time of modification i_mtime to 6.6, __i_mtime from 6.7, i_mtime_sec and i_mtime_nsec from 6.11 (fs.h)
 */
#ifndef GOTUNED_KERNEL_H
#define GOTUNED_KERNEL_H

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u64 __be64;
typedef __u32 __wsum;
typedef _Bool bool;
#define true 1
#define false 0

/* include/uapi/linux/bpf.h: only what we use. */
enum {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_SK_STORAGE = 24,
	BPF_MAP_TYPE_RINGBUF = 27,
};
enum { BPF_ANY = 0 };
enum { BPF_F_NO_PREALLOC = 1U << 0, BPF_F_CLONE = 1U << 9, BPF_F_MMAPABLE = 1U << 10 };
enum { BPF_SK_STORAGE_GET_F_CREATE = 1U << 0 };
enum { BPF_RB_NO_WAKEUP = 1U << 0, BPF_RB_FORCE_WAKEUP = 1U << 1 };
enum { BPF_RB_AVAIL_DATA = 0 };
/* The helpers newer than 5.10 that we call behind bpf_core_enum_value_exists(). */
enum bpf_func_id {
	BPF_FUNC_task_pt_regs = 175, /* 5.15 */
};

struct pt_regs; /* arch_*.h */

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#define KERNEL_TYPE __attribute__((preserve_access_index))

#define TASK_INTERRUPTIBLE 0x0001U
#define TASK_DEAD 0x0080U
#define TASK_WAKING 0x0200U
#define PF_EXITING 0x00000004U
#define PF_IO_WORKER 0x00000010U
#define PF_KTHREAD 0x00200000U
#define SIGNAL_GROUP_EXIT 0x00000004U

typedef struct {
	int counter;
} KERNEL_TYPE atomic_t;

struct signal_struct {
	atomic_t live; /* threads that have not begun to exit */
	int group_exit_code;
	unsigned int flags;
	void *oom_mm; /* the memory of a process that the OOM killer has chosen, until the last thread is gone; else NULL */
} KERNEL_TYPE;

struct thread_info {
	unsigned long flags;
	__u32 status; /* x86 */
} KERNEL_TYPE;

struct ns_common {
	unsigned int inum;
} KERNEL_TYPE;

struct net {
	struct ns_common ns;
} KERNEL_TYPE;

struct nsproxy {
	struct net *net_ns;
} KERNEL_TYPE;

struct kernfs_node {
	const char *name;
} KERNEL_TYPE;

struct cgroup {
	struct kernfs_node *kn;
} KERNEL_TYPE;

struct css_set {
	struct cgroup *dfl_cgrp; /* in the unified hierarchy */
} KERNEL_TYPE;

struct task_struct {
	struct thread_info thread_info;
	unsigned int __state;
	void *stack;
	unsigned int flags;
	int exit_code;
	int pid;
	int tgid;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct signal_struct *signal;
	struct nsproxy *nsproxy;
	struct css_set *cgroups;
	char comm[16];
} KERNEL_TYPE;

struct task_struct___before_5_14 {
	long state;
} KERNEL_TYPE;

struct super_block {
	__u32 s_dev;
} KERNEL_TYPE;

struct timespec64 {
	__s64 tv_sec;
	long tv_nsec;
} KERNEL_TYPE;

struct inode {
	struct super_block *i_sb;
	unsigned long i_ino;
	__s64 i_mtime_sec;
	__u32 i_mtime_nsec;
} KERNEL_TYPE;

struct inode___before_6_11 {
	struct timespec64 __i_mtime;
} KERNEL_TYPE;

struct inode___before_6_7 {
	struct timespec64 i_mtime;
} KERNEL_TYPE;

struct file {
	struct inode *f_inode;
} KERNEL_TYPE;

struct bpf_iter__task_file { /* what an iterator over descriptors is called with, kernel/bpf/task_iter.c */
	struct task_struct *task;
	struct file *file;
} KERNEL_TYPE;

struct linux_binprm {
	struct file *file;
} KERNEL_TYPE;

struct sock_common {
	unsigned short skc_family;
	unsigned char skc_state;
} KERNEL_TYPE;

struct sk_buff_head {
	__u32 qlen;
} KERNEL_TYPE;

struct sock {
	struct sock_common __sk_common;
	struct sk_buff_head sk_receive_queue;
	__u16 sk_type;
	__u16 sk_protocol;
	int sk_err;
	__u8 sk_shutdown;
	void *sk_bpf_storage; /* of all programs that keep something with the socket; NULL: none does */
} KERNEL_TYPE;

struct socket {
	struct sock *sk;
} KERNEL_TYPE;

struct inet_connection_sock {
	__u8 icsk_retransmits; /* timeouts since the last acknowledgement */
} KERNEL_TYPE;

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	__u32 segs_out;      /* all segments sent (RFC 4898, tcpEStatsPerfSegsOut) */
	__u32 total_retrans; /* of them, those sent again */
	__u32 rcv_nxt;    /* what came in order ends here */
	__u32 copied_seq; /* what was read ends here */
	__u64 bytes_received;
} KERNEL_TYPE;

/* For BTF arguments only (plain loads). */
static __always_inline unsigned int task_state(struct task_struct *task)
{
	if (bpf_core_field_exists(task->__state))
		return task->__state;
	return (unsigned int)((struct task_struct___before_5_14 *)task)->state;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * x86-64: which system call a task is in, its arguments, and the kind of each number.
 * Registers: arch/x86/include/asm/ptrace.h. Numbers: arch/x86/entry/syscalls/syscall_64.tbl.
 * 32-bit calls have other numbers and get no class: thread_info.status has TS_COMPAT (2) inside them
 * (arch/x86/include/asm/thread_info.h).
 */
#ifndef GOTUNED_ARCH_X86_H
#define GOTUNED_ARCH_X86_H

#define TS_COMPAT 0x0002U
#define GT_ENOSYS 38
#define GT_THREAD_SIZE 16384 /* THREAD_SIZE_ORDER 2 (page_64_types.h); 32768 with KASAN, which no server runs */
#define GT_USER32_CS 0x23 /* __USER32_CS; Xen's FLAT_USER_CS32 is 0xe023 */

struct pt_regs {
	unsigned long r8;
	unsigned long r10;
	unsigned long ax;
	unsigned long dx;
	unsigned long si;
	unsigned long di;
	unsigned long orig_ax;
	__u16 cs;
} KERNEL_TYPE;

#define GT_HANDLER "__x64_sys_" /* arch/x86/include/asm/syscall_wrapper.h */
#define GT_NR_EPOLL_PWAIT2 441

/* Class + 1 (0 is GT_OTHER) and the other GT_KIND_... bits. */
static const __u8 gt_kind_of_number[512] = {
	[0] = GT_READ + 1, [17] = GT_READ + 1, [19] = GT_READ + 1, [45] = GT_READ + 1, [47] = GT_READ + 1,
	[295] = GT_READ + 1, [299] = GT_READ + 1, [327] = GT_READ + 1,
	/* read pread64 readv recvfrom recvmsg preadv recvmmsg preadv2 */
	[1] = GT_WRITE + 1, [18] = GT_WRITE + 1, [20] = GT_WRITE + 1, [40] = GT_WRITE + 1, [44] = GT_WRITE + 1,
	[46] = GT_WRITE + 1, [275] = GT_WRITE + 1, [276] = GT_WRITE + 1, [278] = GT_WRITE + 1, [296] = GT_WRITE + 1,
	[307] = GT_WRITE + 1, [326] = GT_WRITE + 1, [328] = GT_WRITE + 1,
	/* write pwrite64 writev sendfile sendto sendmsg splice tee vmsplice pwritev sendmmsg copy_file_range pwritev2 */
	[43] = GT_ACCEPT + 1, [288] = GT_ACCEPT + 1, /* accept accept4 */
	[42] = GT_CONNECT + 1,
	[2] = GT_OPEN + 1, [85] = GT_OPEN + 1, [257] = GT_OPEN + 1, [437] = GT_OPEN + 1, /* open creat openat openat2 */
	[3] = GT_CLOSE + 1, [436] = GT_CLOSE + 1, /* close close_range */
	[26] = GT_FSYNC + 1, [74] = GT_FSYNC + 1, [75] = GT_FSYNC + 1, [162] = GT_FSYNC + 1, [277] = GT_FSYNC + 1,
	[306] = GT_FSYNC + 1, /* msync fsync fdatasync sync sync_file_range syncfs */
	[9] = GT_MMAP + 1, [10] = GT_MMAP + 1, [11] = GT_MMAP + 1, [12] = GT_MMAP + 1, [25] = GT_MMAP + 1,
	[28] = GT_MMAP + 1, [149] = GT_MMAP + 1, [150] = GT_MMAP + 1, [151] = GT_MMAP + 1, [152] = GT_MMAP + 1,
	[325] = GT_MMAP + 1, /* mmap mprotect munmap brk mremap madvise mlock munlock mlockall munlockall mlock2 */
	[202] = GT_FUTEX + 1, [449] = GT_FUTEX + 1, [454] = GT_FUTEX + 1, [455] = GT_FUTEX + 1, [456] = GT_FUTEX + 1,
	/* futex futex_waitv futex_wake futex_wait futex_requeue */
	[35] = GT_SLEEP + 1, [230] = GT_SLEEP + 1, /* nanosleep clock_nanosleep */
	[7] = GT_WAIT + 1, [23] = GT_WAIT + 1, [34] = GT_WAIT + 1, [61] = GT_WAIT + 1, [128] = GT_WAIT + 1,
	[130] = GT_WAIT + 1, [219] = GT_WAIT + 1, [232] = GT_EPOLL, [247] = GT_WAIT + 1, [270] = GT_WAIT + 1,
	[271] = GT_WAIT + 1, [281] = GT_EPOLL, [441] = GT_EPOLL,
	/* poll select pause wait4 rt_sigtimedwait rt_sigsuspend restart_syscall epoll_wait waitid pselect6 ppoll
	 * epoll_pwait epoll_pwait2 */
	[56] = GT_CLONES, [57] = GT_CLONES, [58] = GT_CLONES, [435] = GT_CLONES, /* clone fork vfork clone3 */
	[55] = GT_KIND_SOCKOPT, /* getsockopt */
};

/* In which system call `task`, just switched out, sleeps: false when in none (page fault, stop, kernel thread). */
static __always_inline bool gt_sleeping_call(struct task_struct *task, unsigned int state, struct gt_call *call)
{
	unsigned long number, ax, timeout;

	(void)state;
	if (task->flags & PF_KTHREAD)
		return false;
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs)) {
		struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);

		number = regs->orig_ax;
		ax = regs->ax;
		timeout = regs->r10;
	} else {
		struct pt_regs *regs =
			(void *)((unsigned long)task->stack + GT_THREAD_SIZE - bpf_core_type_size(struct pt_regs));

		number = BPF_CORE_READ(regs, orig_ax);
		ax = BPF_CORE_READ(regs, ax);
		timeout = BPF_CORE_READ(regs, r10);
	}
	/* The entry code puts -ENOSYS where the result will be, so it stands there only inside the handler: that leaves
	 * out stops, the freezer, ptrace's exit stops and io_uring's workers. A fault from user mode has number -1. */
	if ((long)number < 0 || (int)ax != -GT_ENOSYS || (task->thread_info.status & TS_COMPAT))
		return false;
	call->number = (long)number;
	call->timeout = timeout;
	return true;
}

/* The arguments of the running task's call, at sys_enter and at sys_exit (only the result's register has changed). */
static __always_inline bool gt_is_compat(struct pt_regs *regs)
{
	return (regs->cs & 0xff) == GT_USER32_CS;
}
static __always_inline unsigned long gt_argument_2(struct pt_regs *regs) { return regs->si; }
static __always_inline unsigned long gt_argument_3(struct pt_regs *regs) { return regs->dx; }
static __always_inline unsigned long gt_argument_4(struct pt_regs *regs) { return regs->r10; }

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * arm64: as arch_x86.h. Written from the kernel's sources and UNTESTED: no arm64 machine has run it yet.
 * Registers: arch/arm64/include/asm/ptrace.h (syscallno is -1 outside a call). Numbers: include/uapi/asm-generic/unistd.h.
 * There is no -ENOSYS mark as on x86: only interruptible sleeps and those of ordinary threads are taken, and a stop
 * (jobctl) has its own task states.
 */
#ifndef GOTUNED_ARCH_ARM64_H
#define GOTUNED_ARCH_ARM64_H

#define GT_THREAD_SIZE 16384 /* 1 << MIN_THREAD_SHIFT without KASAN and VMAP_STACK of 64 KiB pages (memory.h) */
#define TASK_UNINTERRUPTIBLE 0x0002U
#define GT_TIF_32BIT (1UL << 22)
#define GT_PSR_MODE32 0x10UL

struct pt_regs {
	unsigned long long regs[31];
	unsigned long long pstate;
	int syscallno;
} KERNEL_TYPE;

#define GT_HANDLER "__arm64_sys_" /* arch/arm64/include/asm/syscall_wrapper.h */
#define GT_NR_EPOLL_PWAIT2 441

/* Class + 1 (0 is GT_OTHER) and the other GT_KIND_... bits. */
static const __u8 gt_kind_of_number[512] = {
	[63] = GT_READ + 1, [65] = GT_READ + 1, [67] = GT_READ + 1, [69] = GT_READ + 1, [207] = GT_READ + 1,
	[212] = GT_READ + 1, [243] = GT_READ + 1, [286] = GT_READ + 1,
	/* read readv pread64 preadv recvfrom recvmsg recvmmsg preadv2 */
	[64] = GT_WRITE + 1, [66] = GT_WRITE + 1, [68] = GT_WRITE + 1, [70] = GT_WRITE + 1, [71] = GT_WRITE + 1,
	[75] = GT_WRITE + 1, [76] = GT_WRITE + 1, [77] = GT_WRITE + 1, [206] = GT_WRITE + 1, [211] = GT_WRITE + 1,
	[269] = GT_WRITE + 1, [285] = GT_WRITE + 1, [287] = GT_WRITE + 1,
	/* write writev pwrite64 pwritev sendfile vmsplice splice tee sendto sendmsg sendmmsg copy_file_range pwritev2 */
	[202] = GT_ACCEPT + 1, [242] = GT_ACCEPT + 1, /* accept accept4 */
	[203] = GT_CONNECT + 1,
	[56] = GT_OPEN + 1, [437] = GT_OPEN + 1, /* openat openat2 */
	[57] = GT_CLOSE + 1, [436] = GT_CLOSE + 1, /* close close_range */
	[81] = GT_FSYNC + 1, [82] = GT_FSYNC + 1, [83] = GT_FSYNC + 1, [84] = GT_FSYNC + 1, [227] = GT_FSYNC + 1,
	[267] = GT_FSYNC + 1, /* sync fsync fdatasync sync_file_range msync syncfs */
	[214] = GT_MMAP + 1, [215] = GT_MMAP + 1, [216] = GT_MMAP + 1, [222] = GT_MMAP + 1, [226] = GT_MMAP + 1,
	[228] = GT_MMAP + 1, [229] = GT_MMAP + 1, [230] = GT_MMAP + 1, [231] = GT_MMAP + 1, [233] = GT_MMAP + 1,
	[284] = GT_MMAP + 1, /* brk munmap mremap mmap mprotect mlock munlock mlockall munlockall madvise mlock2 */
	[98] = GT_FUTEX + 1, [449] = GT_FUTEX + 1, [454] = GT_FUTEX + 1, [455] = GT_FUTEX + 1, [456] = GT_FUTEX + 1,
	/* futex futex_waitv futex_wake futex_wait futex_requeue */
	[101] = GT_SLEEP + 1, [115] = GT_SLEEP + 1, /* nanosleep clock_nanosleep */
	[22] = GT_EPOLL, [72] = GT_WAIT + 1, [73] = GT_WAIT + 1, [95] = GT_WAIT + 1, [128] = GT_WAIT + 1,
	[133] = GT_WAIT + 1, [137] = GT_WAIT + 1, [260] = GT_WAIT + 1, [441] = GT_EPOLL,
	/* epoll_pwait pselect6 ppoll waitid restart_syscall rt_sigsuspend rt_sigtimedwait wait4 epoll_pwait2 */
	[220] = GT_CLONES, [435] = GT_CLONES, /* clone clone3 */
	[209] = GT_KIND_SOCKOPT, /* getsockopt */
};

static __always_inline bool gt_sleeping_call(struct task_struct *task, unsigned int state, struct gt_call *call)
{
	int number;
	unsigned long long timeout;

	if ((task->flags & (PF_KTHREAD | PF_IO_WORKER)) || !(state & (TASK_INTERRUPTIBLE | TASK_UNINTERRUPTIBLE | TASK_WAKING)))
		return false;
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs)) {
		struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);

		number = regs->syscallno;
		timeout = regs->regs[3];
	} else {
		struct pt_regs *regs =
			(void *)((unsigned long)task->stack + GT_THREAD_SIZE - bpf_core_type_size(struct pt_regs));

		number = BPF_CORE_READ(regs, syscallno);
		timeout = BPF_CORE_READ(regs, regs[3]);
	}
	if (number < 0 || (task->thread_info.flags & GT_TIF_32BIT))
		return false;
	call->number = number;
	call->timeout = (unsigned long)timeout;
	return true;
}

static __always_inline bool gt_is_compat(struct pt_regs *regs) { return (regs->pstate & GT_PSR_MODE32) != 0; }
static __always_inline unsigned long gt_argument_2(struct pt_regs *regs) { return (unsigned long)regs->regs[1]; }
static __always_inline unsigned long gt_argument_3(struct pt_regs *regs) { return (unsigned long)regs->regs[2]; }
static __always_inline unsigned long gt_argument_4(struct pt_regs *regs) { return (unsigned long)regs->regs[3]; }

#endif

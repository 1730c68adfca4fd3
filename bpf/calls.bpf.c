/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Calls that failed for want of descriptors, threads or ports, seen always: fexit on the handlers of the few calls that
 * can fail so. Only these calls pay for it, and hardly anything where they succeed. While it is attached the windows
 * (syscalls.bpf.c) leave these errors out; 32-bit calls have other handlers and are not counted.
 * Handlers: SYSCALL_DEFINEx in fs/, net/socket.c and kernel/fork.c, with the names that syscall_wrapper.h gives them.
 */
#include "errnos.h"
#include "threads.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static __always_inline int count_failed(long result, __u32 class)
{
	struct gt_slot *slot;
	__u32 which;

	if (result >= 0 || result < -4095)
		return 0;
	which = gt_errno(class, -result);
	if (which >= GT_ERRNOS || !gt_errno_of_calls(which))
		return 0;
	slot = gt_slot_of_current();
	if (slot)
		gt_add(&slot->failed[which], 1);
	return 0;
}

#define CALL(name, class) \
	SEC("fexit/" GT_HANDLER #name) \
	int BPF_PROG(call_##name, const struct pt_regs *regs, long result) \
	{ \
		return count_failed(result, class); \
	}

CALL(accept, GT_ACCEPT)
CALL(accept4, GT_ACCEPT)
CALL(openat, GT_OPEN)
CALL(openat2, GT_OPEN)
CALL(socket, GT_OTHER)
CALL(socketpair, GT_OTHER)
CALL(pipe2, GT_OTHER)
CALL(dup, GT_OTHER)
CALL(dup3, GT_OTHER)
CALL(fcntl, GT_OTHER)
CALL(epoll_create1, GT_OTHER)
CALL(eventfd2, GT_OTHER)
CALL(inotify_init1, GT_OTHER)
CALL(timerfd_create, GT_OTHER)
CALL(memfd_create, GT_OTHER)
CALL(connect, GT_CONNECT)
CALL(bind, GT_OTHER)
CALL(clone, GT_CLONE)
CALL(clone3, GT_CLONE)

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * TCP connections by process: how they begin and end, and what they are now.
 *
 * Most changes of state happen in a soft interrupt, where the current task is anybody. So the owner is remembered with
 * the socket (sockets.h): it is whoever called listen or connect; a connection inherits its listener's owner; whoever
 * reads takes it over; and the sweep labels what was there before. Nothing here runs per segment: how many were sent,
 * and how many again, the socket counts itself (segs_out, total_retrans). Both are fetched at one moment, so their
 * ratio is true; tcp_retransmit_skb would count only the one, at another time than the other could be had.
 */
#include "sockets.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define SHUTDOWN_MASK 3 /* include/net/sock.h: both directions, as close(2) sets it */

/* Adds what the socket sent since the last time to its owner's counters. */
static __always_inline void fetch_segments(struct gt_slot *slot, struct gt_socket *socket, struct sock *sk)
{
	struct tcp_sock *tcp = bpf_skc_to_tcp_sock(sk);
	__u32 segments, retransmitted;

	if (!tcp)
		return;
	segments = tcp->segs_out;
	retransmitted = tcp->total_retrans;
	/* A socket that was disconnected counts from 0 again. */
	if ((__s32)(segments - socket->segments) < 0 || (__s32)(retransmitted - socket->retransmitted) < 0) {
		socket->segments = 0;
		socket->retransmitted = 0;
	}
	gt_add(&slot->tcp.segments, segments - socket->segments);
	gt_add(&slot->tcp.retransmitted, retransmitted - socket->retransmitted);
	socket->segments = segments;
	socket->retransmitted = retransmitted;
}

static __always_inline void connect_ended(struct gt_slot *slot, struct gt_socket *socket, struct sock *sk, int to, __u64 now)
{
	if (to == TCP_ESTABLISHED) {
		if (socket->since_ns)
			gt_record(&slot->connect_time, now - socket->since_ns);
		return;
	}
	/* A program that closes a socket while it connects has changed its mind: nothing failed. */
	if (to == TCP_CLOSE && (sk->sk_err || (sk->sk_shutdown & SHUTDOWN_MASK) != SHUTDOWN_MASK))
		gt_add(&slot->tcp.connects_failed, 1);
}

static __always_inline void connection_ends(struct gt_slot *slot, struct gt_socket *socket, int to)
{
	gt_add(&slot->tcp.ended, 1);
	/* Straight to CLOSE without a reset from the peer: closed with data unread, SO_LINGER 0, or timed out here. */
	if (to == TCP_FIN_WAIT1 || (to == TCP_CLOSE && !socket->reset))
		gt_add(&slot->tcp.ended_here, 1);
}

static __always_inline void closed(struct gt_slot *slot, struct gt_socket *socket, struct sock *sk, int from, __u64 now)
{
	/* Sockets in TIME_WAIT are others, without an owner: what is known is when the owned one made way for it. */
	if ((from == TCP_FIN_WAIT2 || from == TCP_CLOSING) && !socket->reset)
		gt_add(&slot->tcp.time_waits, 1);
	if (socket->since_ns && from != TCP_SYN_SENT && from != TCP_SYN_RECV)
		gt_record(&slot->lifetime, now - socket->since_ns);
	socket->since_ns = 0;
	fetch_segments(slot, socket, sk);
	socket->segments = 0;
	socket->retransmitted = 0;
	socket->reset = 0;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(inet_sock_set_state, struct sock *sk, int from, int to)
{
	struct gt_socket *socket;
	struct gt_slot *slot;
	__u64 now;

	if (sk->sk_protocol != IPPROTO_TCP)
		return 0;
	now = bpf_ktime_get_ns();
	if (to == TCP_LISTEN || to == TCP_SYN_SENT) { /* both in the caller's context */
		__u32 tgid = (__u32)(bpf_get_current_pid_tgid() >> 32);

		if (!gt_is_watched(tgid))
			return 0;
		socket = gt_label(sk, tgid);
		if (socket)
			socket->since_ns = to == TCP_SYN_SENT ? now : 0;
		return 0;
	}
	socket = bpf_sk_storage_get(&sockets, sk, 0, 0);
	if (!socket)
		return 0;
	slot = gt_slot_of_owner(socket);
	if (!slot)
		return 0;
	if (from == TCP_SYN_SENT)
		connect_ended(slot, socket, sk, to, now);
	if (to == TCP_ESTABLISHED) {
		gt_add(&slot->tcp.established, 1);
		socket->since_ns = now;
	}
	if (from == TCP_ESTABLISHED)
		connection_ends(slot, socket, to);
	if (to == TCP_CLOSE)
		closed(slot, socket, sk, from, now);
	return 0;
}

/* Before the state changes. A reset that refuses a connect is a failed connect and no lost connection. */
SEC("tp_btf/tcp_receive_reset")
int BPF_PROG(tcp_receive_reset, struct sock *sk)
{
	struct gt_socket *socket = bpf_sk_storage_get(&sockets, sk, 0, 0);
	struct gt_slot *slot;

	if (!socket || sk->__sk_common.skc_state == TCP_SYN_SENT)
		return 0;
	slot = gt_slot_of_owner(socket);
	if (!slot)
		return 0;
	socket->reset = 1;
	gt_add(&slot->tcp.resets, 1);
	return 0;
}

static __always_inline void count_open(struct gt_slot *slot, struct sock *sk)
{
	struct tcp_sock *tcp = bpf_skc_to_tcp_sock(sk);
	__u32 is = sk->__sk_common.skc_state;

	if (is != TCP_ESTABLISHED && is != TCP_CLOSE_WAIT && is != TCP_FIN_WAIT1 && is != TCP_FIN_WAIT2)
		return;
	slot->tcp.open++;
	if (is == TCP_CLOSE_WAIT)
		slot->tcp.close_wait++;
	if (tcp && tcp->inet_conn.icsk_retransmits)
		slot->tcp.stale++;
}

/*
 * Called for each open descriptor of the host while user space reads the iterator (sweeps), one thread at a time. In
 * place of sock_diag: that needs a socket in each network namespace and the descriptors of each process to find out
 * whose a socket is; here the owner is the one who holds it.
 */
SEC("iter/task_file")
int sweep(struct bpf_iter__task_file *context)
{
	struct task_struct *task = context->task;
	struct file *file = context->file;
	struct gt_socket *known;
	struct socket *socket;
	struct gt_slot *slot;
	struct sock *sk;
	__u32 tgid;

	if (!task || !file)
		return 0;
	tgid = (__u32)task->tgid;
	if (!gt_is_watched(tgid))
		return 0;
	{
		struct gt_watch *watch = bpf_map_lookup_elem(&watched, &tgid);
		__u32 index = watch ? watch->slot : GT_MAX_SLOTS;

		slot = bpf_map_lookup_elem(&slots, &index);
		if (!slot)
			return 0;
		if (slot->tcp.sweep != shared.sweep) {
			slot->tcp.open = slot->tcp.close_wait = slot->tcp.stale = 0;
			slot->tcp.sweep = shared.sweep;
		}
	}
	socket = bpf_sock_from_file(file);
	if (!socket)
		return 0;
	sk = socket->sk;
	if (!sk || !gt_is_followed(sk))
		return 0;
	known = bpf_sk_storage_get(&sockets, sk, 0, 0);
	if (!known || !gt_slot_of_owner(known))
		known = gt_label(sk, tgid);
	/* Descriptors that share a socket are one; what another process shares is its owner's. */
	if (!known || !gt_is_tcp(sk) || known->sweep == shared.sweep || known->tgid != tgid)
		return 0;
	known->sweep = shared.sweep;
	count_open(slot, sk);
	fetch_segments(slot, known, sk);
	return 0;
}

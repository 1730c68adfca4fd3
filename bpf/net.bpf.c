/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * netpoll.wait: how long data waits at a socket until the process reads it. For a socket that no watched process has, an
 * arrival costs one load, and a read one bit. A socket is known when it was listened with, connected or inherited
 * (tcp.bpf.c), was found by a sweep, or was read once.
 *
 * Where data comes more often than the budget allows, both programs are attached for a part of the time only. A TCP
 * connection's stamp outlives that: its position tells whether the data was read while nobody looked. What came while
 * nobody looked is not known, and data behind it that is seen to come counts as if it came alone.
 *
 * Both tracepoints came with 6.3 (40e0b0908142 "net/sock: Introduce trace_sk_data_ready()", 6e6eda44b939 "sock: add
 * tracepoint for send recv length"). sk_data_ready runs where the data comes in, under the socket's lock for TCP;
 * sock_recv_length in the reader, behind the read. The two may meet: arrivals that wait for the reader to give up the
 * lock are handled by the reader itself, before its sock_recv_length. That is what gt_socket.next is for.
 *
 * What is read by splice(2), as io.Copy between two connections does, passes no tracepoint: the position tells that the
 * stamped data went another way, and the stamp is void.
 */
#include "sockets.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define EAGAIN 11
#define MSG_PEEK 0x2
#define MSG_ERRQUEUE 0x2000

static __always_inline bool after(__u32 a, __u32 b) { return (__s32)(a - b) > 0; }

/* The programs may have been off: what counts from one event to the next has a hole. */
static __always_inline void catch_up(struct gt_socket *socket, bool tcp)
{
	if (socket->arrivals == shared.arrivals_generation)
		return;
	socket->arrivals = shared.arrivals_generation;
	socket->has_seen = 0;
	socket->arrived = 0;
	socket->taken = 0;
	if (!tcp)
		socket->arrival.at_ns = 0;
}

static __always_inline __u32 received(struct tcp_sock *tcp) { return (__u32)(tcp->bytes_received >> 20); }

static __always_inline void stamp(struct gt_arrival *arrival, struct tcp_sock *tcp, __u32 position)
{
	arrival->position = position;
	arrival->received = received(tcp);
	arrival->at_ns = bpf_ktime_get_ns();
}

SEC("tp_btf/sk_data_ready")
int BPF_PROG(sk_data_ready, struct sock *sk)
{
	struct gt_socket *socket;
	struct tcp_sock *tcp;
	__u32 copied;

	if (!sk->sk_bpf_storage)
		return 0;
	socket = bpf_sk_storage_get(&sockets, sk, 0, 0);
	if (!socket)
		return 0;
	catch_up(socket, gt_is_tcp(sk));
	if (!gt_is_tcp(sk)) {
		socket->arrived++;
		if (!socket->arrival.at_ns) {
			socket->arrival.position = socket->arrived;
			socket->arrival.at_ns = bpf_ktime_get_ns();
		}
		return 0;
	}
	if (sk->__sk_common.skc_state == TCP_LISTEN) /* a connection to accept, no data */
		return 0;
	tcp = bpf_skc_to_tcp_sock(sk);
	if (!tcp)
		return 0;
	copied = tcp->copied_seq;
	if (!socket->arrival.at_ns) {
		/* What had come before the last read is being read: this is about what came behind it. */
		stamp(&socket->arrival, tcp, socket->has_seen && after(socket->seen, copied) ? socket->seen : copied);
	} else if (after(copied, socket->arrival.position) &&
		   (!socket->next.at_ns || after(copied, socket->next.position))) {
		stamp(&socket->next, tcp, copied);
	}
	return 0;
}

static __always_inline void observe(struct gt_socket *socket, __u64 since)
{
	__u64 now = bpf_ktime_get_ns();
	__u32 index = socket->slot;
	struct gt_slot *slot;

	if (since > now) {
		gt_drop(GT_OBJECT_NET, GT_DROP_STALE);
		return;
	}
	slot = bpf_map_lookup_elem(&slots, &index);
	if (slot)
		gt_record(&slot->netpoll_wait, now - since);
}

/* The bytes from `before` up to `copied` were read. */
static __always_inline void read_stream(struct gt_socket *socket, struct tcp_sock *tcp, __u32 bytes)
{
	__u32 copied = tcp->copied_seq, before = copied - bytes;
	__u64 since = 0;

	/* 1 GiB is the largest window: more than that was read since, and sequence numbers may have gone round. */
	if (socket->arrival.at_ns && received(tcp) - socket->arrival.received > 1024) {
		socket->arrival.at_ns = 0;
		socket->next.at_ns = 0;
	}
	if (!socket->arrival.at_ns) {
		socket->seen = tcp->rcv_nxt;
		socket->has_seen = 1;
		return;
	}
	if (!after(copied, socket->arrival.position)) /* older data only: the arrival goes on waiting */
		return;
	if (!after(before, socket->arrival.position))
		since = socket->arrival.at_ns;
	else if (socket->next.at_ns && !after(before, socket->next.position) && after(copied, socket->next.position))
		since = socket->next.at_ns; /* the first went by splice */
	if (socket->next.at_ns && !after(copied, socket->next.position)) {
		socket->arrival = socket->next;
	} else {
		socket->arrival.at_ns = 0;
		socket->seen = tcp->rcv_nxt;
		socket->has_seen = 1;
	}
	socket->next.at_ns = 0;
	if (since)
		observe(socket, since);
}

/* One read takes one datagram, but counts may drift apart (checksums are looked at late): an empty queue sets them right. */
static __always_inline void read_datagram(struct gt_socket *socket, struct sock *sk, int result)
{
	__u64 since = socket->arrival.at_ns;

	if (result == -EAGAIN) {
		if (socket->taken == socket->arrived || sk->sk_receive_queue.qlen)
			return;
		socket->taken = socket->arrived;
		socket->arrival.at_ns = 0;
		return;
	}
	socket->taken++;
	if (!since || after(socket->arrival.position, socket->taken))
		return;
	socket->arrival.at_ns = 0;
	observe(socket, since);
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(sock_recv_length, struct sock *sk, int result, int flags)
{
	__u32 tgid = (__u32)(bpf_get_current_pid_tgid() >> 32);
	struct gt_socket *socket;
	struct tcp_sock *tcp;
	bool stream = sk->sk_type == SOCK_STREAM;

	/* First what is cheapest: a Go server's every other read finds nothing yet. */
	if (result <= 0 && (stream || (result < 0 && result != -EAGAIN)))
		return 0;
	if (!gt_is_watched(tgid) || (flags & (MSG_PEEK | MSG_ERRQUEUE)))
		return 0;
	socket = bpf_sk_storage_get(&sockets, sk, 0, 0);
	if (!socket && !gt_is_followed(sk))
		return 0;
	if (!socket || !gt_is_owned_by(socket, tgid)) {
		socket = gt_label(sk, tgid);
		if (!socket)
			return 0;
	}
	catch_up(socket, gt_is_tcp(sk));
	if (!stream) {
		read_datagram(socket, sk, result);
		return 0;
	}
	if (gt_is_tcp(sk)) {
		tcp = bpf_skc_to_tcp_sock(sk);
		if (tcp)
			read_stream(socket, tcp, (__u32)result);
		return 0;
	}
	if (socket->arrival.at_ns) {
		__u64 since = socket->arrival.at_ns;

		socket->arrival.at_ns = 0;
		observe(socket, since);
	}
	return 0;
}

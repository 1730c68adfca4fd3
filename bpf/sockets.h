/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is remembered of each socket of a watched process, in storage that the kernel keeps with the socket itself.
 *
 * Not a hash by address: the storage goes when the socket goes, so no stamp outlives its socket and no address that is
 * used again finds another's. A socket that nobody labelled has none, which the helper sees in one load: that is the
 * whole price for the sockets of unwatched processes. A listener's storage is copied to each connection that it takes
 * (BPF_F_CLONE), so that a connection is known from its first byte on, before anybody has accepted or read it.
 * There are as many entries as labelled sockets, and each is charged to its socket (net.core.optmem_max): where that is
 * lower than the few hundred bytes of one, no listener gets any, so that the kernel does not have to refuse a connection for
 * want of the copy (sk_clone_lock() in net/core/sock.c).
 * Tracing programs may use it since 5.11 (8e4597c627fb, "bpf: Allow using bpf_sk_storage in FENTRY/FEXIT/RAW_TP").
 */
#ifndef GOTUNED_SOCKETS_H
#define GOTUNED_SOCKETS_H

#include "threads.h"

#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define AF_VSOCK 40
#define SOCK_STREAM 1
#define IPPROTO_TCP 6

enum { /* include/net/tcp_states.h */
	TCP_ESTABLISHED = 1,
	TCP_SYN_SENT,
	TCP_SYN_RECV,
	TCP_FIN_WAIT1,
	TCP_FIN_WAIT2,
	TCP_TIME_WAIT,
	TCP_CLOSE,
	TCP_CLOSE_WAIT,
	TCP_LAST_ACK,
	TCP_LISTEN,
	TCP_CLOSING,
};

/*
 * One arrival a socket is followed at a time: the first since the last one was read. What it is about begins at a
 * position: a sequence number of TCP, the how-manieth datagram. It ends when the process reads past that position, so
 * an arrival behind data that was already there is not mistaken for read when only the older data was.
 */
struct gt_arrival {
	__u64 at_ns; /* 0: none */
	__u32 position;
	__u32 received; /* TCP: MiB of the connection that had come then */
};

struct gt_socket {
	struct gt_arrival arrival;
	struct gt_arrival next; /* came while the reader of the first was still on its way out of the kernel */
	__u64 since_ns;         /* TCP: connecting or established since; 0: not known */
	__u32 seen;             /* TCP: what had come in when the process last read ends here */
	__u32 arrived;          /* datagrams */
	__u32 taken;            /* datagrams */
	__u32 tgid;             /* whose it is: who listened, or who read last */
	__u32 slot;
	__u32 lease;
	__u32 generation;       /* of the probes: all of this is of this attachment */
	__u32 arrivals;         /* the same of net.bpf.c, which may be off for a part of the time: of what it counts */
	__u32 segments;         /* TCP: of segs_out, what the slot has already */
	__u32 retransmitted;    /* TCP: the same of total_retrans */
	__u32 sweep;            /* the sweep that counted it */
	__u8 has_seen;
	__u8 reset;             /* TCP: the peer reset it */
	__u8 pad[2];
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct gt_socket);
} sockets SEC(".maps");

static __always_inline bool gt_is_tcp(const struct sock *sk)
{
	return sk->sk_type == SOCK_STREAM && sk->sk_protocol == IPPROTO_TCP && sk->__sk_common.skc_family != AF_UNIX;
}

/* Netlink and packet sockets are no services. */
static __always_inline bool gt_is_followed(const struct sock *sk)
{
	__u32 family = sk->__sk_common.skc_family;

	return family == AF_INET || family == AF_INET6 || family == AF_UNIX || family == AF_VSOCK;
}

static __always_inline bool gt_is_owned_by(struct gt_socket *socket, __u32 tgid)
{
	return socket->tgid == tgid && gt_is_leased(socket->slot, socket->lease) &&
	       socket->generation == shared.network_generation;
}

/* Its owner's slot. NULL: the owner is not watched any more, or was labelled under an earlier attachment. */
static __always_inline struct gt_slot *gt_slot_of_owner(struct gt_socket *socket)
{
	__u32 slot = socket->slot;

	if (socket->generation != shared.network_generation || !gt_is_leased(slot, socket->lease))
		return 0;
	return bpf_map_lookup_elem(&slots, &slot);
}

/* Labels a socket as that of a watched process. NULL: the process is not watched, or there is no memory (counted). */
static __always_inline struct gt_socket *gt_label(struct sock *sk, __u32 tgid)
{
	struct gt_watch *watch = bpf_map_lookup_elem(&watched, &tgid);
	struct gt_socket *socket;

	if (!watch)
		return 0;
	socket = bpf_sk_storage_get(&sockets, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!socket) {
		gt_drop(GT_OBJECT_NET, GT_DROP_SOCKET_FULL);
		return 0;
	}
	/* Made while nobody looked, or while nobody watched the reader: who knows what was read since. */
	if (socket->generation != shared.network_generation ||
	    !gt_is_leased(socket->slot, socket->lease)) {
		socket->arrival.at_ns = 0;
		socket->next.at_ns = 0;
		socket->has_seen = 0;
		socket->since_ns = 0;
		socket->reset = 0;
		socket->sweep = 0;
		socket->segments = 0;
		socket->retransmitted = 0;
		if (gt_is_tcp(sk) && sk->__sk_common.skc_state != TCP_SYN_SENT) {
			struct tcp_sock *tcp = bpf_skc_to_tcp_sock(sk);

			/* What it sent before it was known belongs to a time that nobody looked at. */
			if (tcp) {
				socket->segments = tcp->segs_out;
				socket->retransmitted = tcp->total_retrans;
			}
		}
		socket->generation = shared.network_generation;
		socket->arrivals = shared.arrivals_generation;
	}
	socket->tgid = tgid;
	socket->slot = watch->slot;
	socket->lease = watch->lease;
	return socket;
}

#endif

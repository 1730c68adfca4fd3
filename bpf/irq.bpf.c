/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * In windows: how long softirqs ran by vector, interrupt handlers by name, and the polls of network devices within the
 * receive softirq by driver. These fire too often to be always on: a busy network card alone has 100,000 a second.
 *
 * A softirq or a handler never moves to another CPU and never runs within its like, so one stamp a CPU is enough. What
 * interrupts a softirq is in its time. Stamps of an earlier window, whose end was missed, are void.
 */
#include "threads.h"
#include "irq.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct device_driver {
	const char *name;
} KERNEL_TYPE;

struct device {
	struct device *parent;
	struct device_driver *driver;
} KERNEL_TYPE;

struct net_device {
	char name[16];
	struct device dev;
} KERNEL_TYPE;

struct napi_struct {
	struct net_device *dev;
} KERNEL_TYPE;

struct irqaction {
	const char *name;
} KERNEL_TYPE;

struct gt_running {
	__u64 softirq_ns; /* 0: none runs */
	__u64 poll_ns;    /* end of the poll before, or the softirq's begin */
	__u64 irq_ns;
	__u32 softirq_window;
	__u32 irq_window;
	__u32 vector;
	__u32 reserved;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct gt_running);
} running SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, GT_SOFTIRQS);
	__type(key, __u32);
	__type(value, struct gt_named_hist);
} softirqs SEC(".maps");

/* By the address of the irqaction. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, GT_MAX_HANDLERS);
	__type(key, __u64);
	__type(value, struct gt_named_hist);
} handlers SEC(".maps");

/* By the address of the driver, or of the device where there is none; 0: packets from this host to itself. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, GT_MAX_DRIVERS);
	__type(key, __u64);
	__type(value, struct gt_named_hist);
} drivers SEC(".maps");

static __always_inline struct gt_running *running_here(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&running, &zero);
}

static __always_inline void count(struct gt_named_hist *found, __u32 window, __u64 ns)
{
	if (found->window != window) {
		found->window = window;
		found->hist.max_ns = 0;
	}
	gt_record(&found->hist, ns);
}

SEC("tp_btf/softirq_entry")
int BPF_PROG(softirq_entry, unsigned int vector)
{
	struct gt_running *here = running_here();

	if (!here)
		return 0;
	here->vector = vector;
	here->softirq_window = shared.irq_generation;
	here->softirq_ns = bpf_ktime_get_ns();
	here->poll_ns = here->softirq_ns;
	return 0;
}

SEC("tp_btf/softirq_exit")
int BPF_PROG(softirq_exit, unsigned int vector)
{
	struct gt_running *here = running_here();
	struct gt_named_hist *found;
	__u64 began;

	if (!here)
		return 0;
	began = here->softirq_ns;
	here->softirq_ns = 0;
	if (!began || here->softirq_window != shared.irq_generation || here->vector != vector)
		return 0;
	found = bpf_map_lookup_elem(&softirqs, &vector);
	if (found)
		count(found, shared.irq_generation, bpf_ktime_get_ns() - began);
	return 0;
}

SEC("tp_btf/irq_handler_entry")
int BPF_PROG(irq_entry, int irq, struct irqaction *action)
{
	struct gt_running *here = running_here();

	if (!here)
		return 0;
	here->irq_window = shared.irq_generation;
	here->irq_ns = bpf_ktime_get_ns();
	return 0;
}

static __always_inline struct gt_named_hist *made(void *map, __u64 key, const char *name)
{
	struct gt_named_hist *found = bpf_map_lookup_elem(map, &key), fresh = {};

	if (found)
		return found;
	bpf_probe_read_kernel_str(fresh.name, sizeof(fresh.name), name);
	if (bpf_map_update_elem(map, &key, &fresh, BPF_ANY))
		gt_drop(GT_OBJECT_IRQ, GT_DROP_NAMES_FULL);
	return bpf_map_lookup_elem(map, &key);
}

SEC("tp_btf/irq_handler_exit")
int BPF_PROG(irq_exit, int irq, struct irqaction *action)
{
	struct gt_running *here = running_here();
	struct gt_named_hist *found;
	__u64 began, now;

	if (!here)
		return 0;
	began = here->irq_ns;
	here->irq_ns = 0;
	if (!began || here->irq_window != shared.irq_generation)
		return 0;
	now = bpf_ktime_get_ns();
	found = made(&handlers, (__u64)action, action->name);
	if (found)
		count(found, shared.irq_generation, now - began);
	return 0;
}

/* Fires behind each poll. Within the receive softirq all time is some device's: from the poll before to this one. */
SEC("tp_btf/napi_poll")
int BPF_PROG(napi_polled, struct napi_struct *napi)
{
	struct gt_running *here = running_here();
	struct device_driver *driver = 0;
	struct gt_named_hist *found;
	struct net_device *device;
	const char *name;
	__u64 now, key;

	if (!here || !here->softirq_ns || here->vector != GT_SOFTIRQ_NET_RX ||
	    here->softirq_window != shared.irq_generation)
		return 0; /* busy polling, a thread of its own, or a softirq whose beginning was not seen */
	now = bpf_ktime_get_ns();
	device = BPF_CORE_READ(napi, dev);
	if (device)
		driver = BPF_CORE_READ(device, dev.parent, driver);
	name = driver ? BPF_CORE_READ(driver, name) : device ? (const char *)&device->name : "backlog";
	key = driver ? (__u64)driver : (__u64)device;
	found = made(&drivers, key, name);
	if (found)
		count(found, shared.irq_generation, now - here->poll_ns);
	here->poll_ns = now;
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Pages that a watched process had to wait for because they were in swap: fexit on do_swap_page() (mm/memory.c), whose
 * result says VM_FAULT_MAJOR when it read the page from the device, or made it anew because it was all zeros (kept
 * without the device since 6.12, swap_read_folio_zeromap() in mm/page_io.c). A page that readahead had brought in before
 * is no wait and is not counted, and a fault that is tried again finds its page there. No tracepoint tells faults on swap
 * from those on files. Only these faults pay for it, each of which takes microseconds at least.
 */
#include "threads.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct vm_fault;
enum { GT_FAULT_MAJOR = 0x4 }; /* VM_FAULT_MAJOR */

SEC("fexit/do_swap_page")
int BPF_PROG(swapped_in, struct vm_fault *fault, unsigned int result)
{
	struct gt_slot *slot;

	if (!(result & GT_FAULT_MAJOR))
		return 0;
	slot = gt_slot_of_current();
	if (slot)
		gt_add(&slot->swapins, 1);
	return 0;
}

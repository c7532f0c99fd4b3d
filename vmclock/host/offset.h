/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What makes the guest's TSC of the host's: guest = (host * ratio >> ratio_bits) + offset. From
 * KVM, which knows it exactly, or from an exchange of stamps, which bounds it (vmclock/mailbox.h).
 */
#ifndef TB_VMCLOCK_HOST_OFFSET_H
#define TB_VMCLOCK_HOST_OFFSET_H

#include "vmclock/mailbox.h"

struct offset {
	bool known;
	u64 offset; /* modulo 2^64 */
	u64 ratio;
	u32 ratio_bits;	    /* 0: no scaling */
	u64 half_width;	    /* cycles: the true offset is at most this far off */
	const char *source; /* "none", "given", "kvm", "mailbox" */
};

/* guest = host + cycles, exactly. */
void offset_given(struct offset *offset, u64 cycles, const char *source);

u64 offset_to_guest(const struct offset *offset, u64 host);
u64 offset_to_host(const struct offset *offset, u64 guest);
/* Cycles of the guest's counter per cycle of the host's. */
long double offset_scale(const struct offset *offset);

/*
 * The offset of vCPU 0 of process `pid` from KVM's debugfs below `debugfs` (normally
 * /sys/kernel/debug/kvm), which must be mounted and readable. false: not to be had.
 */
bool offset_from_kvm(struct offset *offset, const char *debugfs, s32 pid);

/* All that exchanges have told so far: g - host lies in [low, high], both modulo 2^64. */
struct exchange {
	u64 request;
	u64 low, high;
	u64 count;     /* exchanges that were answered */
	u64 narrowest; /* width of the best single one, cycles */
};

enum exchange_result {
	EXCHANGE_SILENT,      /* no answer in time */
	EXCHANGE_AGREES,      /* the bounds are as before, or closer */
	EXCHANGE_CONTRADICTS, /* the counter has moved: the bounds are now those of this one alone
			       */
};

/* One exchange; waits up to `patience` cycles for the answer. */
enum exchange_result exchange_once(struct exchange *exchange, volatile struct mailbox *mailbox,
				   u64 patience);

enum offset_change {
	OFFSET_KEPT, /* because a changed offset moves the published line; half_width is up to date
		      */
	OFFSET_REFINED, /* to the middle of closer bounds; the counter is as it was */
	OFFSET_MOVED,	/* the counter is another one, or stood still: a disruption */
};

/*
 * Keeps the offset as long as it lies within the bounds and is not much worse than they are; else
 * takes their middle. Sets half_width either way. true: the offset changed.
 */
bool offset_from_exchange(struct offset *offset, const struct exchange *exchange);

#endif

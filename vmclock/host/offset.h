/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The relation of the guest's TSC to the host's: guest = (host * ratio >> ratio_bits) + offset.
 * From KVM, which knows it exactly, or from an exchange of stamps, which bounds it
 * (vmclock/mailbox.h).
 */
#ifndef TB_VMCLOCK_HOST_OFFSET_H
#define TB_VMCLOCK_HOST_OFFSET_H

#include "vmclock/mailbox.h"

/* Whose word it is. */
enum offset_source {
	OFFSET_IS_NONE,	 /* the page is in host counter terms */
	OFFSET_IS_GIVEN, /* on the command line */
	OFFSET_FROM_KVM,
	OFFSET_FROM_MAILBOX,
};

struct offset {
	bool known;
	u64 offset; /* modulo 2^64 */
	u64 ratio;
	u32 ratio_bits; /* 0: no scaling */
	u64 half_width; /* cycles: the true offset is at most this far off */
	enum offset_source source;
};

/* guest = host + cycles, exactly. */
void offset_given(struct offset *offset, u64 cycles, enum offset_source source);

u64 offset_to_guest(const struct offset *offset, u64 host);
u64 offset_to_host(const struct offset *offset, u64 guest);
/* Cycles of the guest's counter per cycle of the host's. */
long double offset_scale(const struct offset *offset);

/*
 * The offset of vCPU 0 of process `pid` from KVM's debugfs below `debugfs` (normally
 * /sys/kernel/debug/kvm), which must be mounted and readable. false: not to be had.
 */
bool offset_from_kvm(struct offset *offset, const char *debugfs, s32 pid);

#define EXCHANGE_KEPT 64 /* questions whose moment is remembered */

/* The bounds from all exchanges so far: g - host lies in [low, high], both modulo 2^64. */
struct exchange {
	u64 request; /* number of the last question */
	u64 taken;   /* of the last answer */
	u64 asked[EXCHANGE_KEPT];
	u64 low, high;
	u64 count;     /* exchanges that were answered */
	u64 narrowest; /* width of the best single one, cycles */
	/* When `confirmed`, in host cycles, a stop of at most `doubt` cycles could be unseen. */
	u64 confirmed, doubt;
};

enum exchange_result {
	EXCHANGE_SILENT,      /* no answer in time */
	EXCHANGE_AGREES,      /* the bounds are as before, or closer */
	EXCHANGE_CONTRADICTS, /* the counter has moved: the bounds are now those of this one alone
			       */
};

/* Whether there is an answer that no exchange has taken yet. */
bool exchange_answered(const struct exchange *exchange, const volatile struct mailbox *mailbox);

/*
 * One exchange; waits up to `patience` cycles for the answer. An answer that came after an earlier
 * call's patience counts as well.
 */
enum exchange_result exchange_once(struct exchange *exchange, volatile struct mailbox *mailbox,
				   u64 patience);

/* Nothing is known of the guest's counter any more: the next answer counts as the first one. */
void exchange_forget(struct exchange *exchange);

/*
 * Cycles: how long the guest may have been stopped without any answer's having shown it. It grows
 * with the host's counter, `now`, and each answer brings it down to its own width.
 */
u64 exchange_doubt(const struct exchange *exchange, u64 now);

/*
 * Keeps the offset as long as it lies within the bounds and is not much worse than they are; else
 * takes their middle. Sets half_width either way. true: the offset changed.
 */
bool offset_from_exchange(struct offset *offset, const struct exchange *exchange);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mailbox: a second page that the guest and the publisher both write, by which the publisher
 * learns what to add to the host's TSC to get the guest's, where the hypervisor does not tell, and
 * judges the guest's wall time. It lies in ordinary memory, mapped write-back on both sides. Each
 * field has one writer; each writer's fields have a cache line of their own. Little endian, every
 * field aligned to its size, read and written by single loads and stores.
 *
 * The exchange, which the publisher starts as often as it likes:
 *
 *	publisher			guest
 *	host_counter = t1 = rdtsc
 *	request = n
 *					sees request != answer
 *					guest_counter = g = rdtsc
 *					answer = n
 *	sees answer == n
 *	t2 = rdtsc
 *
 * g was read between t1 and t2, so the offset lies in [g - t2, g - t1]. It is constant, so the
 * publisher intersects all it gets; the guest need only answer quickly sometimes. While the page
 * says "initializing" or "unknown" the guest should spin on mailbox_serve() (bounded), and call it
 * as often as it can afterwards, at the least in every tick: an offset that moved (the machine was
 * paused) is detected in no other way, and a guest that is silent for long gets an "unknown" page.
 *
 * The guest's wall time goes the other way, whenever the guest has one to be judged: it fills
 * post.* and then writes post.number = its last number + 1. The publisher writes verdict.* and then
 * verdict.number = that number. The guest must not post again before it has that answer or has
 * given up on it: post.* is read after post.number, with no further protection.
 */
#ifndef TB_VMCLOCK_MAILBOX_H
#define TB_VMCLOCK_MAILBOX_H

#include "lib/types.h"
#include "lib/instant.h"

#define MAILBOX_MAGIC	0x584f424b43495454ULL /* "TTICKBOX" */
#define MAILBOX_VERSION 1

#define MAILBOX_LINE __attribute__((aligned(64)))

struct mailbox {
	/* The publisher writes these once, magic last. */
	u64 magic;
	u64 version;

	/* The exchange: what the publisher writes ... */
	MAILBOX_LINE u64 request; /* number of the exchange; 0: none yet */
	u64 host_counter;	  /* t1 */

	/* ... and what the guest writes. */
	MAILBOX_LINE u64 answer; /* the request that guest_counter answers */
	u64 guest_counter;	 /* g */

	/* The guest's wall time at a counter of its own. */
	MAILBOX_LINE struct {
		u64 number;
		u64 counter;
		u64 sec;  /* UTC since the epoch */
		u64 frac; /* 2^-64 s */
	} post;

	/* The publisher's answer to the post. */
	MAILBOX_LINE struct {
		u64 number;	   /* of the post this is about */
		s64 difference_fs; /* guest's time less the host's clock at the same moment */
		u64 maxerror_ns;   /* what the page states, and the reading of the host's clock adds
				    */
		u64 valid;	   /* 1; 0: the offset is not known, so nothing can be said */
	} verdict;
};

#define MAILBOX_PAGE_SIZE 4096U

/* A mailbox of this version is there. */
bool mailbox_present(const volatile struct mailbox *mailbox);

/* Publisher: fresh, with nothing asked and nothing posted. */
void mailbox_init(volatile struct mailbox *mailbox);

/* Guest: whether there is a request to be answered. Two loads; any context. */
bool mailbox_asks(const volatile struct mailbox *mailbox);

/*
 * Guest: answers a request if there is a new one, with counter(context); true if there was. Costs
 * two loads when there is none. Any context, one caller at a time.
 */
bool mailbox_serve(volatile struct mailbox *mailbox, u64 (*counter)(void *context), void *context);

/* Guest: posts its UTC time at a counter value; gives the number of the post. */
u64 mailbox_post(volatile struct mailbox *mailbox, u64 counter, instant utc);

struct mailbox_verdict {
	s64 difference_fs;
	u64 maxerror_ns;
	bool valid;
};

/* Guest: the verdict on post `number`; false: none yet. */
bool mailbox_verdict(const volatile struct mailbox *mailbox, u64 number,
		     struct mailbox_verdict *verdict);

#endif

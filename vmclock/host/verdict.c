// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Compares the guest's wall time with the host's clock at the same moment. The guest may post
 * anything: every value is bounded before it is used.
 */
#include <math.h>

#include "vmclock/host/live.h"
#include "vmclock/host/log.h"

#define POST_AGE_NS   10e9	   /* an older post cannot be judged */
#define POST_SEC_MAX  (1ULL << 40) /* 35 000 years: sums of such times overflow nothing */
#define HALF_GRAIN_NS 0.5L	   /* the kernel rounds its clock down to whole ns */
#define FRAC_PER_NS   (18446744073709551616.0L / 1e9L)

/* false: nothing can be said of a post like this, or not now. */
static bool judge(const struct live *live, u64 counter, u64 sec, u64 frac,
		  struct mailbox_verdict *verdict)
{
	long double age_ns;
	instant guest, host;
	struct pair pair;

	if (sec >= POST_SEC_MAX)
		return false;
	live_pair(live, &pair);
	age_ns = (s64)(pair.counter - offset_to_host(&live->offset, counter)) * live->fit.period_ns;
	if (fabsl(age_ns) > POST_AGE_NS)
		return false;
	guest = instant_make((s64)sec, frac);
	if (live->leap.known)
		guest += instant_make(live->leap.tai_offset_sec, 0);
	host = instant_from_nsec(pair.time_ns) - (instant)((age_ns - HALF_GRAIN_NS) * FRAC_PER_NS);
	/* Saturates at 2.5 hours. */
	verdict->difference_fs = instant_to_fsec(guest - host);
	verdict->maxerror_ns = (u64)ceill(lines_stated_ns(live, counter) +
					  pair.half_width * live->fit.period_ns + 1);
	return true;
}

void verdict_give(struct live *live)
{
	volatile struct mailbox *mailbox = live->mailbox;
	u64 number = __atomic_load_n(&mailbox->post.number, __ATOMIC_ACQUIRE);
	struct mailbox_verdict verdict = { 0 };

	/* While the offset is in doubt, the post is not answered yet; the guest waits. */
	if (number == live->judged || !live->published || live->stated_doubt_us)
		return;
	live->judged = number;
	verdict.valid =
		judge(live, mailbox->post.counter, mailbox->post.sec, mailbox->post.frac, &verdict);
	mailbox->verdict.difference_fs = verdict.difference_fs;
	mailbox->verdict.maxerror_ns = verdict.maxerror_ns;
	mailbox->verdict.valid = verdict.valid;
	__atomic_store_n(&mailbox->verdict.number, number, __ATOMIC_RELEASE);
	log_verdict(number, (double)verdict.difference_fs / 1e6, verdict.maxerror_ns,
		    verdict.valid);
}

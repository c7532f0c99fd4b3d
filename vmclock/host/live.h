/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of a page that follows the host's clock, and the functions of the files that work on
 * it. live.c (the loop) calls guest_offset.c, verdict.c and lines.c.
 */
#ifndef TB_VMCLOCK_HOST_LIVE_H
#define TB_VMCLOCK_HOST_LIVE_H

#include "vmclock/host/device.h"
#include "vmclock/host/fit.h"
#include "vmclock/host/offset.h"
#include "vmclock/host/options.h"
#include "vmclock/host/rule.h"
#include "vmclock/host/steer.h"

#define SPAN_NS	   16000000000LL /* of the window that is fitted */
#define PAIR_TRIES 8		 /* bracketed reads of the clock, of which the narrowest counts */

#define REPLACED 32 /* lines that are remembered */

/* A line that another one has replaced. */
struct replaced {
	struct vmclock_line line;
	u64 counter; /* the guest's, at the replacement */
};

struct live {
	const struct options *options;
	struct vmclock_abi *page;
	struct vmclock_abi written; /* the page as we left it */
	struct mailbox *mailbox;    /* or NULL */
	struct host_device device;  /* /dev/vmclock_host */

	struct rule rule; /* with --rule kernel */
	struct leap leap;
	struct window window;
	struct fit fit;

	struct offset offset;
	struct exchange exchange;
	bool bursting; /* asking the guest as fast as it answers, since: */
	s64 burst_us;
	u32 late_looks;	 /* at a burst without an answer in time */
	u32 burst_idle;	 /* answers in a row that did not narrow the bounds */
	u64 kvm_counter; /* host's counter when KVM last gave the offset */
	bool kvm_silent; /* it gave none when last read */
	bool complained; /* that KVM tells nothing */

	struct vmclock_line line;	    /* in guest terms, as of the last confirmed exchange */
	struct replaced replaced[REPLACED]; /* a ring */
	u32 replacements;
	bool published;	     /* the page holds that line, and it may be continued */
	s64 stated_doubt_us; /* what is added to time_maxerror for the guest's silence */
	bool lost;	     /* the page says "unknown" */
	u32 device_seq;
	u64 marker;	/* ours; what a device says is added */
	u64 generation; /* vm_generation_counter, if options->generation_known */
	u64 lines, judged;

	s64 started_us, pair_us, ask_us, refresh_us, tampered_us; /* monotonic; when due */
};

static inline double live_period_ns(const struct live *live)
{
	return (double)live->fit.period_ns;
}

/* The host's clock against its counter, with the error that --clock-error gives it. */
static inline void live_pair(const struct live *live, struct pair *pair)
{
	hostclock_pair(&live->leap, PAIR_TRIES, pair);
	pair->time_ns += live->options->clock_error_ns;
}

/* --- guest_offset.c --- */

/* Measures the guest's offset until it is known, a part at each call. */
void guest_offset_find(struct live *live);

/*
 * Checks a known offset again. If it has moved, the page says so before this returns: a new marker
 * and "initializing", until guest_offset_find() has the new one.
 */
void guest_offset_watch(struct live *live);

/* The guest was restored from a snapshot: another generation, and nothing is known of its counter.
 */
void guest_offset_forget(struct live *live);

/* --- doubt.c --- */

/* The longest stop of the guest that may have passed unnoticed, microseconds. */
s64 guest_offset_doubt_us(const struct live *live);

/* --- verdict.c --- */

/*
 * Answers the guest's post, if there is a new one. A post may hold anything, and has no other
 * effect.
 */
void verdict_give(struct live *live);

/* --- lines.c --- */

/*
 * The error that the page states for a reading at this guest counter, ns. A reading that precedes
 * the present line, or follows it by less than a guest needs to take it, may come from a line that
 * was replaced: the larger of both errors counts.
 */
long double lines_stated_ns(const struct live *live, u64 counter);

/* Puts the VM generation counter into the line, where --generation gave one. */
void lines_state_generation(struct live *live);

/* Puts the time's scale into the line: TAI with its offset where that is known, else UTC. */
void lines_state_scale(struct live *live);

/* Writes the next line: of the fit, or of the host's device. */
void lines_refresh(struct live *live);

/* Adds to or takes from the published error bounds what the guest's silence makes necessary. */
void lines_state_doubt(struct live *live);

/* A disruption: the next marker, and no line until the next lines_refresh(). */
void lines_disrupt(struct live *live);

/* Puts the page back if somebody else wrote into it, with a higher seq_count than any before. */
void lines_guard(struct live *live);

/* Ends the page's use: sets its status to "unreliable". */
void lines_end(struct live *live);

#endif

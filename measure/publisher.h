/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A host that publishes a page of its own for a clock whose true time wanders (measure/noise.h). It
 * measures the true phase once a second, each time with white noise, and publishes the
 * least-squares line through its last PUBLISHER_FIT measurements. As on a real host, an update may
 * come late, be missed, or repeat what was published before.
 */
#ifndef TB_MEASURE_PUBLISHER_H
#define TB_MEASURE_PUBLISHER_H

#include "measure/noise.h"
#include "vmclock/vmclock.h"

#define PUBLISHER_FIT 8

struct publisher_params {
	u32 page_s;   /* between two updates, 1 to 3600 */
	u32 late_ms;  /* an update comes up to this late, at random */
	u32 missed;   /* per cent of the updates, at random, 0 to 100 */
	u32 repeated; /* per cent of the seconds without an update */
	u32 at_ms;    /* of the true second, 0 to 999: when the host measures */
	s64 rate_ppt; /* the straight line's period is longer than nominal by this * 10^-12 */
};

struct publisher {
	struct publisher_params params;
	struct noise noise;
	struct vmclock_line straight; /* what the true time would be without noise */
	u64 hz;
	u64 random;
	u64 measure_at; /* counter of the next measurement */
	u64 publish_at; /* and of the line that is under way, if it is */
	bool under_way;
	u32 seconds;			 /* since the last update was due */
	struct vmclock_line next;	 /* the line that is under way */
	instant measured[PUBLISHER_FIT]; /* the oldest first */
	volatile struct vmclock_abi *page;
};

/*
 * Has measured for PUBLISHER_FIT seconds at `counter`, and publishes the first line, in `page`. The
 * true time is a second of 2026 and at_ms then. hz: the counter's nominal frequency.
 */
void publisher_init(struct publisher *publisher, const struct publisher_params *params,
		    const struct noise_params *noise, u64 seed, u64 hz, u64 counter,
		    volatile struct vmclock_abi *page);

/* The true time. Of a value at most a sixteenth of a second before the latest asked for. */
instant publisher_truth(struct publisher *publisher, u64 counter);

/* The true time's line at a counter's value: what an all-knowing host would publish. */
void publisher_true_line(struct publisher *publisher, u64 counter, struct vmclock_line *line);

/* When publisher_act() is to be called next. */
u64 publisher_due(const struct publisher *publisher);
/* Does what is due at `counter`. Returns whether the page has changed. */
bool publisher_act(struct publisher *publisher, u64 counter);

#endif

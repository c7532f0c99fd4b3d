/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a disruption of the counter (a live migration, a restored snapshot) did to a run. From the
 * look at the page that shows another disruption_marker or vm_generation_counter until a line of
 * that marker is taken, the run's time is unknown: nothing is known of the counter's past.
 */
#ifndef TB_MEASURE_DISRUPTION_H
#define TB_MEASURE_DISRUPTION_H

#include "measure/measure.h"

#define DISRUPTIONS_KEPT 1024

/* How near the new line a reading has to be. */
enum disruption_near {
	NEAR_STATED, /* within the error that the page states */
	NEAR_1US,
	NEAR_10NS,
	NEAR_1NS,
	NEARS,
};

struct disruption {
	u64 marker;	    /* of the line that ended it */
	bool own;	    /* whose markers are not those of the line before */
	u64 generation;	    /* its vm_generation_counter; 0: the page has none */
	u64 noticed;	    /* counter, at the first look that showed it */
	s64 noticed_us;	    /* UTC at that counter by the new line, since 1970 */
	u64 taken;	    /* counter, when the new line was taken; 0: not yet */
	s64 first_fs;	    /* error of the first reading after it was noticed, by the new line */
	s64 off_fs;	    /* the same of the last reading before the new line was taken */
	s64 after_fs;	    /* the same of the first reading after it was taken */
	u64 stated_ns;	    /* the error that the new line states */
	s64 near_us[NEARS]; /* from the new line until a reading was that near; -1: none was */
};

/* Forgets all; a run of a scenario begins. */
void disruptions_reset(void);

/*
 * The page shows another marker than the line `before`. Does nothing while one is under way. May be
 * called with ticks on, and in a tick.
 */
void disruption_notice(struct run *run, const struct vmclock_line *before);

/* The look of a tick: notices a marker that the page shows. Call with ticks off. */
void disruption_look(struct run *run);

/* A line was accepted that ends the one under way: `run->line`, not handed to the core yet. */
void disruption_line(struct run *run);

/* A reading after the new line was taken. */
void disruption_sample(struct run *run, u64 counter, s64 error_fs);

/*
 * Whether a line of a new marker was taken less than two seconds ago. So long a publisher may still
 * learn more of the guest's counter; its corrections are stepped to, since slewing over
 * microseconds takes a minute.
 */
bool disruption_recent(const struct run *run, u64 counter);

/* Those that were noticed; the first DISRUPTIONS_KEPT are kept. */
u32 disruptions_count(void);
const struct disruption *disruption_get(u32 number);

#endif

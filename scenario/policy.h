/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who disciplines the core in scenario `discipline`: the kernel that is told the page's line, a
 * daemon in user space that reads page and clock and calls adjtimex(), or nobody. Each is a row of
 * a table here.
 */
#ifndef TB_SCENARIO_POLICY_H
#define TB_SCENARIO_POLICY_H

#include "measure/measure.h"
#include "measure/publisher.h"
#include "measure/servo.h"

struct daemon {
	struct run *run;
	struct publisher *publisher; /* for `ideal`, which knows the true line */
	u64 interval;		     /* cycles between two readings */
	u64 wake_at;		     /* the counter at the next one */
	u64 random;
	u64 calls;    /* into the core, by which it is set or adjusted */
	u64 refused;  /* of these */
	u64 timer_at; /* the counter at which policy->timer is called; 0: it is not */
	struct pi_servo pi;
	struct chrony_servo chrony;
};

struct policy {
	bool follows; /* the kernel is told each line of the page */
	u32 read_ms;  /* between two readings of a daemon, unless the parameter says otherwise; 0:
			 every tick */
	void (*begin)(struct daemon *daemon); /* NULL: nothing to do */
	void (*wake)(struct daemon *daemon);  /* NULL: there is no daemon */
	void (*timer)(struct daemon *daemon);
};

/* By enum policy_kind (measure/params.h). */
const struct policy *policy_of(u32 kind);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Watches a page that somebody else writes, and counts what its specification (UAPI.13) rules out.
 * Unlike vmclock_read() it takes a page of any contents, and refuses none. Freestanding; it does
 * not depend on how the page got there.
 */
#ifndef TB_VMCLOCK_OBSERVE_H
#define TB_VMCLOCK_OBSERVE_H

#include "vmclock/vmclock.h"

struct observation {
	const volatile struct vmclock_abi *page;
	u64 mapped;		  /* bytes that may be read */
	bool any;		  /* there was a whole copy: `first` and `last` are set */
	struct vmclock_abi first; /* the first whole copy */
	struct vmclock_abi last;  /* the latest one */
	bool lined;		  /* one of them claimed to have a line: */
	struct vmclock_abi line;  /* the latest of these */
	u64 line_seen;		  /* counter, at the last look that found it */
	u64 first_seen;		  /* counter, at the first and at the last look that found `last` */
	u64 last_seen;
	bool odd;      /* seq_count was odd at the last look, */
	u64 odd_since; /* at this counter for the first time */

	u64 looks;
	u64 updates;		  /* whole copies with another seq_count than the one before */
	u64 odd_max_cycles;	  /* the longest time for which seq_count was seen odd */
	u64 constants_changed;	  /* updates that changed a field up to time_type */
	u64 silent_changes;	  /* copies that differ, of one seq_count */
	u64 seq_back;		  /* times that seq_count became less */
	u64 markers, generations; /* changes of these two */
	/* Updates of a line by one of the same marker: those that could be judged by the errors
	 * that the line before states, those that break them, and by how much at most. */
	u64 judged, outside;
	s64 outside_max_fs;
	/* The same of pages that promise that no update sets the time back. */
	u64 monotonic, set_back;
};

void observe_begin(struct observation *seen, const volatile struct vmclock_abi *page, u64 mapped);

/*
 * Looks once, at the counter value `now`. Any context; one caller at a time. Returns whether this
 * look found another whole copy than the one before.
 */
bool observe_look(struct observation *seen, u64 now);

/* Whether a whole copy claims to have a line: it has a counter, and its clock_status says that its
 * fields are valid, or nothing that is defined. */
bool observe_claims_line(const struct vmclock_abi *copy);

/* Whether a whole copy, of a page of so many bytes, has a line that a guest may follow; the line.
 */
bool observe_line(const struct vmclock_abi *copy, u64 mapped, struct vmclock_line *line);

#endif

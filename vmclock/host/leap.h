/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TAI - UTC: from the kernel if somebody set it there, else from the system's list of leap seconds,
 * else unknown, and the page then carries UTC.
 */
#ifndef TB_VMCLOCK_HOST_LEAP_H
#define TB_VMCLOCK_HOST_LEAP_H

#include "lib/types.h"

struct leap {
	bool known;
	bool kernel_knows;  /* CLOCK_TAI is TAI; else CLOCK_REALTIME + tai_offset_sec is */
	s32 tai_offset_sec; /* 0 where not known */
	u8 indicator; /* leap_indicator of the page: 0 none, 1 one to be inserted, 2 deleted */
	const char *source; /* "kernel", a file's name, or "none" */
};

/* As of now. `list` replaces the system's lists if not NULL. */
void leap_find(struct leap *leap, const char *list);

/*
 * TAI - UTC at `utc` (seconds since 1970) by a list in the form of IERS (leap-seconds.list: seconds
 * since 1900 and offset) or of tzdata (leapseconds: "Leap YEAR MON DAY HH:MM:SS + S"); 0: neither.
 */
s32 leap_from_file(const char *path, s64 utc);

#endif

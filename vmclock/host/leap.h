/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TAI - UTC: from the kernel if it was set there, else from the system's list of leap seconds,
 * else unknown, and the page then carries UTC. Over a leap second the kernel steps CLOCK_REALTIME
 * and leaves CLOCK_TAI alone, also if its TAI offset was never set. So TAI is CLOCK_TAI plus a
 * number of seconds that a leap second does not change.
 */
#ifndef TB_VMCLOCK_HOST_LEAP_H
#define TB_VMCLOCK_HOST_LEAP_H

#include "lib/types.h"

/* leap_indicator of the page, as Linux's vmclock-abi.h numbers it. */
enum leap_indicator {
	LEAP_NONE = 0,
	LEAP_PRE_POS = 1,  /* a second will be inserted */
	LEAP_PRE_NEG = 2,  /* a second will be deleted */
	LEAP_POS = 3,	   /* during the inserted second, 23:59:60 */
	LEAP_POST_POS = 4, /* a second was inserted within the last day */
	LEAP_POST_NEG = 5, /* a second was deleted within the last day */
};

struct leap {
	bool known;
	s32 tai_offset_sec; /* TAI - UTC; 0 where not known */
	s32 add_sec;	    /* TAI - CLOCK_TAI; 0 where not known */
	s32 kernel_tai_sec; /* the kernel's own CLOCK_TAI - CLOCK_REALTIME, set or not */
	u8 indicator;	    /* enum leap_indicator */
	const char *source; /* "kernel", a file's name, or "none" */
	const char *list; /* the caller's list, or NULL: the kernel's offset is used if it is set */
	s32 passed;	  /* 1 or -1: a leap second was seen to pass at `passed_sec`; 0: none */
	s64 passed_sec;	  /* CLOCK_MONOTONIC */
};

/* As of now. `list` replaces the kernel's offset and the system's lists if not NULL. */
void leap_find(struct leap *leap, const char *list);

/*
 * Asks the kernel again. Whether TAI is known never changes, since the page's readers rely on its
 * time_type. true: the offset or the indicator changed. One system call.
 */
bool leap_poll(struct leap *leap);

/*
 * Seconds by which TAI moves if the list is applied to the clock as it is now: not 0 after a
 * program has set the clock by a leap second that the kernel was not told of. 0: not from a list.
 */
s32 leap_list_moves(const struct leap *leap);

/* TAI - CLOCK_TAI grows by `sec`, and with it TAI - UTC. */
void leap_move(struct leap *leap, s32 sec);

/*
 * TAI - UTC at `utc` (seconds since 1970) by a list in the form of IERS (leap-seconds.list: seconds
 * since 1900 and offset) or of tzdata (leapseconds: "Leap YEAR MON DAY HH:MM:SS + S"); 0: neither.
 */
s32 leap_from_file(const char *path, s64 utc);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of a core that is compared after every tick, under the names of struct timekeeper and
 * of the NTP data in a kernel. The native core keeps its state in these structs; a lifted core
 * copies its own into them. Members of tkr_mono and tkr_raw are members of tk_state_clock itself. A
 * field that a core does not have is 0. No struct has padding, so states can be compared as bytes.
 */
#ifndef TB_TK_STATE_H
#define TB_TK_STATE_H

#include "lib/types.h"

/* No leap second is pending: the kernel's TIME64_MAX. */
#define TK_NO_LEAP ((s64)(~0ULL >> 1))

struct tk_state_timespec {
	s64 tv_sec;
	s64 tv_nsec; /* 0 to 999999999 */
};

/* Fields of struct timekeeper. */
struct tk_state_clock {
	u64 cycle_last;
	u64 cycle_interval; /* C, cycles a tick */
	u64 xtime_interval; /* X, shifted ns a tick */
	s64 xtime_sec;
	u64 xtime_nsec; /* tkr_mono's; shifted */
	u64 raw_sec;
	u64 raw_nsec; /* tkr_raw's xtime_nsec; shifted */
	struct tk_state_timespec wall_to_monotonic;
	u64 ntp_tick;  /* L in use since the last tick, ns * 2^32 */
	s64 ntp_error; /* e, ns * 2^32 */
	u32 mult;
	u32 shift;
	u32 ntp_error_shift; /* S = 32 - shift */
	u32 ntp_err_mult;    /* q, the dither: 1 while mult is one above its base */
	u32 skip_second_overflow;
	s32 tai_offset;
};

/* Fields of the NTP data. */
struct tk_state_ntp {
	u64 tick_length;       /* L for the next ticks, ns * 2^32 */
	s64 time_offset;       /* phase still to be slewed, ns * 2^32 / HZ */
	s64 skew_delta;	       /* part of time_offset that each tick of this second delivers */
	s64 time_freq;	       /* ns * 2^32 a second */
	s64 time_adjust;       /* rest of adjtime's amount, us */
	s64 time_adjust_frac;  /* subtracted from time_adjust, not yet delivered, ns * 2^32 */
	s64 time_maxerror;     /* us */
	s64 ntp_next_leap_sec; /* TK_NO_LEAP: none pending */
	s64 time_constant;
	s32 time_state;
	s32 time_status;
};

#endif

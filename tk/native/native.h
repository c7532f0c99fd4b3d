/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of the native core: the clock (native.c, set.c) and the NTP state that steers it
 * (ntp.c). docs/core.md derives the equations. Times are shifted nanoseconds (ns * 2^shift),
 * lengths and errors ns * 2^32, as the names in tk.h say.
 */
#ifndef TB_TK_NATIVE_NATIVE_H
#define TB_TK_NATIVE_NATIVE_H

#include "tk/tk.h"

#define NTP_SHIFT 32
#define NSEC	  ((s64)TB_NSEC_PER_SEC)
#define NO_LEAP	  ((s64)(~0ULL >> 1))

/* What steers: once a second, and by adjtimex. */
struct ntp {
	u64 tick_length;      /* L for the coming ticks */
	u64 tick_base;	      /* L without what is slewed by stretching it */
	s64 time_offset;      /* phase still to be slewed, ns * 2^32 / HZ */
	s64 skew_delta;	      /* of it, what each tick of this second shall deliver */
	s64 time_freq;	      /* ns * 2^32 a second */
	s64 cs_tick_adj;      /* ns * 2^32 a second: the tick is a whole number of cycles */
	s64 tick_usec;	      /* of USER_HZ = 100 */
	s64 time_adjust;      /* adjtime's, us still to go */
	s64 time_adjust_frac; /* us already taken off time_adjust but not delivered, ns * 2^32 */
	s64 time_reftime;
	s64 next_leap_sec;
	s64 maxerror, esterror;
	s32 state, status;
	s32 constant;
};

struct native {
	u32 seq; /* odd while tick() or a setter writes */
	u32 switches;
	u32 hz;

	struct tk_conversion conversion;
	u64 mask;
	u64 max_delta; /* more cycles than this since cycle_last means the counter went back */

	u64 cycle_last;
	u32 mult, shift;
	u32 error_shift;    /* S = 32 - shift */
	u32 dither;	    /* q: is mult one above its base */
	u64 interval;	    /* C */
	u64 xtime_interval; /* X */
	u64 raw_interval;
	s64 remainder; /* R = 1/HZ in shifted ns - X at the start; 0 with the `remainder` switch */
	u64 ntp_tick;  /* L of the tick under way */
	s64 skew_delta;
	s64 error; /* e */

	s64 sec;
	u64 nsec; /* shifted */
	u64 raw_sec, raw_nsec;
	s64 wtm_sec, wtm_nsec;
	s32 tai_offset;
	bool second_done; /* the second that xtime is in had its NTP step already */

	u64 paused_interval, paused_tick; /* C and L, while the counter is being recalibrated */
	struct ntp ntp;
};

static inline bool has(const struct native *tk, u32 switches)
{
	return tk->switches & switches;
}

/* native.c */
void native_advance(struct native *tk, u64 now, bool always);
u64 native_delta(const struct native *tk, u64 now);

/* set.c: time and counter changes. tk->seq is held by the caller. */
void native_install_counter(struct native *tk, const struct tk_counter *counter, u64 now);
void native_clear_ntp(struct native *tk);
enum tk_error native_settime(struct native *tk, u64 now, s64 sec, u32 nsec);
enum tk_error native_inject(struct native *tk, u64 now, s64 sec, s64 nsec);
enum tk_error native_follow(struct native *tk, u64 now, const struct tk_reference *reference);
void native_forward(struct native *tk, u64 now);
void native_move_wtm(struct native *tk, s64 sec, s64 nsec);

/* ntp.c */
void ntp_start(struct ntp *ntp);
void ntp_clear(struct native *tk);
/* All ticks of a second together, ns * 2^32, nothing slewed. */
u64 ntp_second_length(const struct native *tk);
/* After a change of what that is made of: the length of a tick, at once. */
void ntp_update_length(struct native *tk);
/* The NTP step at the start of second `sec`; returns what a leap second adds to the clock. */
s32 ntp_second(struct native *tk, s64 sec);
/* Takes off time_adjust and time_offset what 2^k ticks of `skew_delta` deliver; returns it, in
 * time_offset's unit. */
s64 ntp_drain(struct native *tk, s64 skew_delta, u32 k);
enum tk_error ntp_check_timex(const struct tk_timex *timex);
/* Applies and fills timex; sec and nsec are the time now. May change *tai. */
void ntp_adjtimex(struct native *tk, struct tk_timex *timex, s64 sec, u32 nsec, s32 *tai);

#endif

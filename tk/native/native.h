/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of the native core. Its files, each of which calls only those after it: native.c (the
 * operations of tk.h), set.c (what moves the clock at once), tick.c (the tick), ntp.c (what steers
 * the clock). docs/core.md derives the equations. Fields and functions have the names of their
 * counterparts in kernel/time/. Times are shifted nanoseconds (ns * 2^shift), lengths and errors
 * ns * 2^32.
 */
#ifndef TB_TK_NATIVE_NATIVE_H
#define TB_TK_NATIVE_NATIVE_H

#include "tk/tk.h"

#define NTP_SCALE_SHIFT 32
#define NSEC		((s64)TB_NSEC_PER_SEC)

/* What steers: once a second, and by adjtimex. */
struct ntp_data {
	struct tk_state_ntp;
	u64 tick_length_base; /* tick_length without what is slewed by stretching it */
	s64 cs_tick_adj;      /* ns * 2^32 a second: the tick is a whole number of cycles */
	s64 tick_usec;	      /* of USER_HZ = 100 */
	s64 time_reftime;     /* s; of the latest phase measurement */
	s64 time_esterror;    /* us */
};

struct timekeeper {
	struct tk_state_clock;
	u32 seq; /* odd while a writer is at work */
	u32 switches;
	u32 hz;

	struct tk_conversion conversion;
	u64 mask;
	u64 max_raw_delta; /* more cycles than this since cycle_last: the counter went back */
	u64 raw_interval;
	s64 xtime_remainder; /* 1/HZ in shifted ns - X at the start; 0 with `remainder`, in either
				form */
	s64 skew_delta;	     /* ntp.skew_delta as of the last tick, as ntp_tick is tick_length */
	u64 paused_interval, paused_tick; /* C and ntp_tick while the counter is recalibrated */
	struct ntp_data ntp;
};

static inline bool has(const struct timekeeper *tk, u32 switches)
{
	return tk->switches & switches;
}

/* set.c. The caller holds tk->seq. */
void tk_setup_internals(struct timekeeper *tk, const struct tk_counter *counter, u64 now);
void timekeeping_clear_ntp(struct timekeeper *tk);
enum tk_error timekeeping_settime(struct timekeeper *tk, u64 now, s64 sec, u32 nsec);
enum tk_error timekeeping_inject_offset(struct timekeeper *tk, u64 now, s64 sec, s64 nsec);
enum tk_error timekeeping_set_reference(struct timekeeper *tk, u64 now,
					const struct tk_reference *reference);
/* The clock up to `now`, also between ticks: before it is set, so that nothing is left over. */
void timekeeping_forward_now(struct timekeeper *tk, u64 now);

/* tick.c. The caller holds tk->seq. */
enum timekeeping_adv_mode {
	TK_ADV_TICK, /* adjusts mult if a tick has passed */
	TK_ADV_FREQ, /* a frequency was set: adjusts mult at once */
};
void timekeeping_advance(struct timekeeper *tk, u64 now, enum timekeeping_adv_mode mode);
/* Cycles since cycle_last; 0 for a counter that went back. */
u64 timekeeping_get_delta(const struct timekeeper *tk, u64 now);
void tk_sub_wall_to_mono(struct timekeeper *tk, s64 sec, s64 nsec);

/* ntp.c */
void ntp_init(struct ntp_data *ntp);
void ntp_clear(struct timekeeper *tk);
/* All ticks of a second together, ns * 2^32, nothing slewed. */
u64 ntp_second_length(const struct timekeeper *tk);
/* After a change of what that is made of: the length of a tick, at once. */
void ntp_update_frequency(struct timekeeper *tk);
/* The NTP step at the start of second `sec`; returns what a leap second adds to the clock. */
s32 second_overflow(struct timekeeper *tk, s64 sec);
/*
 * Takes from time_adjust and time_offset what 2^k ticks of skew_delta deliver, and returns it, in
 * ns * 2^32 / HZ.
 */
s64 ntp_drain_skew(struct timekeeper *tk, s64 skew_delta, u32 k);
enum tk_error timekeeping_validate_timex(const struct tk_timex *timex);
/* Applies and fills timex; sec and nsec are the time now. May change *tai. */
void ntp_adjtimex(struct timekeeper *tk, struct tk_timex *timex, s64 sec, u32 nsec, s32 *tai);

#endif

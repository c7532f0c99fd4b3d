/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The arithmetic of following a line, for every core that has no set_reference of its own. It is
 * exact in 128 bits and rounds once. Phases and lengths are in the NTP code's unit, ns * 2^32.
 */
#ifndef TB_TK_REFERENCE_H
#define TB_TK_REFERENCE_H

#include "tk/tk.h"

/* T_ref at a counter value of `mask` width, before or after the line's own. Rounded down. */
instant tk_reference_at(const struct tk_reference *reference, u64 counter, u64 mask);

/*
 * L = cycle_interval * period, ns * 2^32, rounded to nearest. TK_ERATE if that is more than 10 %
 * off `nominal`, the tick's length at the counter's nominal frequency in the same unit
 * (raw_interval << ntp_error_shift), TK_EINVAL for a zero period, a shift beyond 64 or a time
 * outside 0 to 2^33 s. cycle_interval < 2^33.
 */
enum tk_error tk_reference_tick(const struct tk_reference *reference, u64 cycle_interval,
				u64 nominal, u64 *tick_length);

/*
 * Whether the line can be followed at this counter value: TK_EINVAL if its time there is not a time
 * that a clock can be set to (0 to TK_SEC_MAX), as where `counter` lies centuries from the line's
 * own. After tk_reference_tick() has taken the line.
 */
enum tk_error tk_reference_check(const struct tk_reference *reference, u64 counter, u64 mask);

/* What a core's clock says at its last tick, after that tick's adjustment. */
struct tk_told {
	u64 cycle_last, cycle_interval, mask;
	s64 sec;
	u64 snsec; /* xtime's shifted ns */
	u64 tick_length;
	u32 shift; /* at most 32 */
	u32 hz;
};

/* What brings the clock onto the line, by reference->rule; replaces the previous ntp_error and
 * time_offset. */
struct tk_correction {
	s64 ntp_error;	  /* ns * 2^32 */
	s64 time_offset;  /* ns * 2^32 / hz */
	s128 step_snsec;  /* to be added to the clock, shifted ns; 0: no step */
	s64 step_mono_ns; /* the step in whole ns, rounded down: to be subtracted from
			     wall_to_monotonic, so that CLOCK_MONOTONIC moves by 0 to 1 ns, never
			     back */
};

/*
 * The line's lead over the clock at the next tick, T_ref(cycle_last + cycle_interval) - (xtime +
 * L), becomes: ntp_error if it is no more than dithering leaves there anyway (one step of mult over
 * a tick); else a step if it exceeds step_ns; else ntp_error by that one step of mult, and
 * time_offset by the rest. (Where the wanted rate is next to a whole mult, dithering alone would
 * not remove an error on that side.) The parts that a unit cannot hold go into ntp_error, so that
 * nothing is lost. Call it after tk_reference_check() at a counter value less than a tick away;
 * told->sec is below TK_SEC_MAX.
 */
struct tk_correction tk_reference_correct(const struct tk_reference *reference,
					  const struct tk_told *told);

/* Adds the step to a clock of seconds and shifted ns; snsec stays below a second. */
void tk_correction_step(const struct tk_correction *correction, u32 shift, s64 *sec, u64 *snsec);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The arithmetic of following a line, the same for every core that is not given its own: exact in
 * 128 bits, rounded once. Phases and lengths are in the NTP code's unit, ns * 2^32.
 */
#ifndef TB_TK_REFERENCE_H
#define TB_TK_REFERENCE_H

#include "tk/tk.h"

/* T_ref at a counter value of `mask` width, before or after the line's own. Rounded down. */
instant tk_reference_at(const struct tk_reference *reference, u64 counter, u64 mask);

/*
 * L = cycle_interval * period, ns * 2^32, rounded to nearest. TK_ERATE if that is more than 10 % off
 * 1/hz, TK_EINVAL for a zero period, a shift beyond 64 or a time outside 0 to 2^33 s.
 * cycle_interval < 2^33.
 */
enum tk_error tk_reference_tick(const struct tk_reference *reference, u64 cycle_interval, u32 hz,
				u64 *tick_length);

/*
 * How far the line at `at` is ahead of a clock that says sec s + nsec_q32 ns * 2^-32, in ns * 2^32
 * rounded to nearest. Both within 2^33 s of the epoch.
 */
s128 tk_reference_phase(instant at, s64 sec, s128 nsec_q32);

/* What a step moves. */
struct tk_step {
	s128 snsec; /* the clock, shifted ns: phase rounded to nearest */
	s64 rest;   /* what that leaves, ns * 2^32: into ntp_error */
	s64 mono_ns; /* wall_to_monotonic, to be subtracted: snsec rounded down to whole ns, so that
			CLOCK_MONOTONIC moves by 0 to 1 ns and never back */
};
struct tk_step tk_reference_step(s128 phase, u32 shift);

/* A slew: time_offset, in ns * 2^32 / hz, and what the division leaves for ntp_error. */
s64 tk_reference_offset(s128 phase, u32 hz, s64 *rest);

#endif

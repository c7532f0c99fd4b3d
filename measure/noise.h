/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a host's true time does to a counter's straight line: declared random parts, from a seed.
 * Integers only, so that each vehicle gets the same numbers to the last bit. The frequency is
 * constant within a cell of a sixteenth of a second, and the phase is its integral.
 *
 * Parts, each with random numbers of its own, so that one of them can be changed alone:
 *
 * White noise of each measurement of the phase, and not of the true time.
 *
 * Flicker of the frequency: sources of equal variance that are redrawn every 1, 2, 4, ... cells (R.
 * F. Voss, M. Gardner). Their sum has a spectrum of 1/f from 16 Hz to 2^-14 Hz, and an Allan
 * deviation that is flat there, at the value given.
 *
 * Walk of the frequency: what it walks in a second. White noise and walk are given as standard
 * deviations.
 *
 * Wander of the frequency, as by temperature: an amplitude and a period. It is a cubic, within 2 %
 * of a sine.
 *
 * And what a real host's time did, where there is a record (measure/record.h).
 */
#ifndef TB_MEASURE_NOISE_H
#define TB_MEASURE_NOISE_H

#include "lib/instant.h"

#define NOISE_CELLS    16 /* a second */
#define NOISE_FLICKERS 18 /* sources */

struct noise_params {
	s64 white_ps;			       /* 0 to 10^9 */
	s64 flicker_e15, walk_e15, wander_e15; /* frequencies, in 10^-15; 0 to 10^12 */
	u32 wander_s;			       /* 1 to 10^6 */
};

struct noise_cell {
	u64 counter;	/* at its beginning */
	instant phase;	/* there */
	instant change; /* of the phase over the cell */
};

struct noise {
	struct noise_params params;
	u64 cell_cycles;
	u64 cells;     /* that have begun */
	u64 random[3]; /* white, flicker, walk */
	s64 flicker_e18[NOISE_FLICKERS];
	s64 walk_e18;
	s64 step_e18; /* the sum of all steps of the frequency */
	struct noise_cell before, now;
};

/* Begins with a phase of 0 at `counter`. hz: the counter's nominal frequency, at least 1 kHz. */
void noise_init(struct noise *noise, const struct noise_params *params, u64 seed, u64 hz,
		u64 counter);

/*
 * The phase at a counter's value: how far the true time is ahead of the straight line. A value may
 * be at most a cell before any value that was asked for earlier.
 */
instant noise_phase(struct noise *noise, u64 counter);

/* The white part of one measurement. */
instant noise_white(struct noise *noise);

/* From now on the frequency is higher by so much; takes effect at the next cell. */
void noise_step_frequency(struct noise *noise, s64 by_e15);
/* From now on the phase is so much ahead. */
void noise_step_phase(struct noise *noise, instant by);

/* A normally distributed number with a standard deviation of 2^16, from 12 uniform ones. */
s64 noise_normal(u64 *random);

#endif

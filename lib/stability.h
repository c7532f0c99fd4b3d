/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Allan deviations, time deviation and MTIE of a clock's error while it is sampled, for runs too
 * long to keep: a bin for each decade of the averaging time, in bounded memory.
 *
 * A phase x[0..n-1] is equally spaced by tau0, tau = m tau0, m = 10^k. As in
 * runner/report/stability.py (W. Riley, NIST SP 1065, section 5; ITU-T G.810, II.5), but for where
 * the windows begin: at every stride-th sample, stride = m / 10, or 1 below m = 10. So the sums are
 * over ADEV  (x[j + 2m] - 2 x[j + m] + x[j])^2                            j = 0, stride, 2 stride,
 * ... MDEV  the same of phases that are averaged over m samples; TDEV = tau MDEV / sqrt(3) MTIE max
 * - min of x[j..j + m], the largest which for m = 1 and m = 10 is every j. Samples behind the last
 * whole stride are left out.
 */
#ifndef TB_LIB_STABILITY_H
#define TB_LIB_STABILITY_H

#include "lib/types.h"

#define STABILITY_DECADES 13
#define STABILITY_PARTS	  10 /* strides in an averaging time */

/* A sum of squares that keeps 48 bits of its largest term: the square root of a term is shifted. */
struct squares {
	u128 sum;
	u32 shift;
	u64 count;
};

struct stability_decade {
	u64 blocks; /* of a stride each, that were begun */
	/* The latest ones' first samples and extremes, and the sum of all samples before each. */
	s64 first[2 * STABILITY_PARTS + 1];
	s64 low[STABILITY_PARTS], high[STABILITY_PARTS];
	s128 before[3 * STABILITY_PARTS];
	s128 sum; /* of all samples */
	struct squares adev, mdev;
	s64 mtie_fs;
	/* The block of the next decade that these blocks make up. */
	s64 made_first, made_low, made_high;
	s128 made_sum;
	u32 made;
};

struct stability {
	u64 tau0_cycles, hz;
	u64 count;   /* of samples, since the latest gap */
	u64 longest; /* of samples without a gap */
	struct stability_decade decades[STABILITY_DECADES];
	/* Of samples that are not equally spaced. */
	bool begun;
	u64 last_counter, next_counter;
	s64 last_fs;
};

/* tau0 in cycles of a counter of hz. */
void stability_init(struct stability *stability, u64 tau0_cycles, u64 hz);

/* The next sample, fs, tau0 after the one before; |error| is limited to 2^60. */
void stability_add(struct stability *stability, s64 error_fs);

/*
 * A sample at any moment: the phase at each multiple of tau0 from the first sample on is
 * interpolated linearly between the two samples beside it.
 */
void stability_sample(struct stability *stability, u64 counter, s64 error_fs);

/*
 * A gap: the next sample does not follow the one before, and no window has samples from both sides.
 * What has been gathered stays.
 */
void stability_gap(struct stability *stability);

/* Of m = 10^k. What does not fit is ~0: a frequency that is 18 per mille off. */
struct stability_values {
	u64 m;
	u64 adev_e21, mdev_e21; /* 10^-21 */
	u64 tdev_zs;		/* 10^-21 s */
	s64 mtie_fs;
};

/* false: m is more than a tenth of the longest stretch, or there is no such decade. */
bool stability_values(const struct stability *stability, u32 k, struct stability_values *values);

#endif

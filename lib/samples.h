/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How samples leave a vehicle: a header a run, then its samples, little endian (docs/report.md). */
#ifndef TB_LIB_SAMPLES_H
#define TB_LIB_SAMPLES_H

#include "lib/stats.h"

#define SAMPLE_MAGIC "TBSAMPL1"

/* Kept of a run, the same in every vehicle so that percentiles are too: at 16 bytes each, half a
 * second's work for an emulated debug console. */
#define SAMPLES_KEPT 32768U

struct sample_header {
	char magic[8];
	u32 run;
	u32 count;	/* of struct sample behind this header */
	u32 decimation; /* every 2^n-th was kept */
	u32 reserved;
	u64 counter_hz;
	u64 start_counter; /* counter at the window's start */
	char scenario[24]; /* padded with NUL */
};

_Static_assert(sizeof(struct sample_header) == 64, "the header is 64 bytes");

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The format in which a vehicle writes samples: a header for each run, then its samples, little
 * endian (docs/report.md).
 */
#ifndef TB_LIB_SAMPLES_H
#define TB_LIB_SAMPLES_H

#include "lib/stats.h"

#define SAMPLE_MAGIC "TBSAMPL1"

/*
 * The number of samples that are kept of a run. It is the same in each vehicle, so that percentiles
 * are the same. At 16 bytes each, an emulated debug console takes half a second to write them.
 */
#define SAMPLES_KEPT 32768U

struct sample_header {
	char magic[8];
	u32 run;
	u32 count;	/* of struct sample after this header */
	u32 decimation; /* every 2^n-th was kept */
	u32 reserved;
	u64 counter_hz;
	u64 start_counter; /* counter at the window's start */
	char scenario[24]; /* padded with NUL */
};

_Static_assert(sizeof(struct sample_header) == 64, "the header is 64 bytes");

#endif

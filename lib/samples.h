/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The format in which a vehicle writes samples: a header for each run, then its samples, little
 * endian (docs/report.md).
 */
#ifndef TB_LIB_SAMPLES_H
#define TB_LIB_SAMPLES_H

#include "lib/stats.h"

#define SAMPLE_MAGIC "TBSAMPL1"
#define TRACE_MAGIC  "TBTRACE1"
#define TICKS_MAGIC  "TBTICKS1" /* then u32 each: a tick's delay after its due time, cycles */

/*
 * The number of samples that are kept of a run. It is the same in each vehicle, so that percentiles
 * are the same. At 16 bytes each, an emulated debug console takes half a second to write them.
 */
#define SAMPLES_KEPT 32768U

/*
 * Where a core's clock is against the line, fs, at the last tick's counter value: the time that it
 * tells (A), with ntp_error added (B, intended), and with the phase that is still to be slewed
 * added (C, going).
 */
struct trace_point {
	u64 counter;
	s64 told_fs, intended_fs, going_fs;
};

#define TRACES_KEPT 4096U

/* Also of the traces' record, which follows the samples' record of its run. */
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

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The error of a Linux guest's clocks against the page's line, over time, and its report. */
#ifndef TB_LINUX_MEASURE_H
#define TB_LINUX_MEASURE_H

#include "lib/ktap.h"
#include "lib/stats.h"
#include "linux/guest.h"

/* One reading against the line. */
struct against {
	u64 counter;
	s64 error_fs;	/* of the clock; midway between the counters, where they enclose it */
	s64 outside_fs; /* how far the reading is outside of the line's time at its two counters */
	s64 width_fs;	/* the line's time from the one to the other */
};

/* Reads a clock against the line; false: not now. */
typedef bool read_against(const struct linux_guest *guest, struct against *against);

/* The PTP clock; and CLOCK_REALTIME, whose error is the kernel's own cross-stamp where there is
 * one. */
bool against_ptp(const struct linux_guest *guest, struct against *against);
bool against_realtime(const struct linux_guest *guest, struct against *against);

struct measured {
	struct stats stats;
	u64 start, hz;
	s64 outside_max_fs, width_max_fs;
	u64 missed; /* readings that the page's line, or the kernel, did not allow */
};

/* Reads the clock a hundred times a second, for so many milliseconds. */
void measure(const struct linux_guest *guest, read_against *read, u64 ms,
	     struct measured *measured);

/* The "# metric" lines. */
void measure_report(struct ktap *ktap, const struct measured *measured);

/* Writes the samples to QEMU's debug console, as run `number`. Assumes access to its port. */
void measure_ship(const struct measured *measured, const char *name, u32 number);

#endif

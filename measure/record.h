/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a real host did, from a file: its true time as pairs of counter and time, and the delays of
 * its ticks. A vehicle hands the file's text here before a run. Integers only, so that a record
 * gives the same run in each vehicle.
 */
#ifndef TB_MEASURE_RECORD_H
#define TB_MEASURE_RECORD_H

#include "lib/instant.h"

#define RECORD_POINTS (1U << 16)

enum record_error {
	RECORD_OK,
	RECORD_NOT_PAIR,  /* not a counter and a time in seconds */
	RECORD_BACK,	  /* the counter or the time does not go forward */
	RECORD_LONG,	  /* more than 100 days, or RECORD_POINTS points */
	RECORD_SHORT,	  /* fewer than three pairs, or no tick */
	RECORD_NOT_DELAY, /* not a number of ns below 2^32 */
	RECORD_ERRORS,
};

const char *record_strerror(enum record_error error);

/* Forgets both records. */
void record_clear(void);

/*
 * A pair: "COUNTER SECONDS[.FRACTION]". The counter's frequency does not matter: what counts is how
 * far the time is from the straight line through the first pair and the last.
 */
enum record_error record_pair(const char *line);
/* After the last pair. */
enum record_error record_pairs_end(void);

bool record_has_pairs(void);
/*
 * How far the true time was ahead of that line, fs, `ps` after the first pair. The record begins
 * and ends at 0, and is repeated.
 */
s64 record_phase_fs(u64 ps);

/* A tick: how many ns after its due time it came. Delays of more than a tick are ticks that were
 * skipped: the host had stolen the time, or the CPU was idle without ticks. */
enum record_error record_tick(const char *line);
/* Where a vehicle without files keeps its own delays: RECORD_POINTS entries. */
u32 *record_own_ticks(void);

/*
 * A file's text, in pieces of any size: `take`, record_pair() or record_tick(), gets each line but
 * blank ones and those that begin with #. Of a line, the first 255 characters count.
 */
struct record_reader {
	enum record_error (*take)(const char *line);
	u64 number; /* of the latest line, from 1: an error is in it */
	u32 length;
	char line[256];
};

enum record_error record_read(struct record_reader *reader, const char *text, size_t length);
/* After the last piece: the last line need not end with a newline. */
enum record_error record_read_end(struct record_reader *reader);

/* All of them, in their order. 0: there is no record. */
u32 record_ticks(const u32 **late_ns);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A core driven by hand, tick by tick, on a counter that only these functions advance. A scenario
 * that needs no page and no line uses it: what it claims is exact, and holds by definition.
 */
#ifndef TB_MEASURE_DRIVE_H
#define TB_MEASURE_DRIVE_H

#include "measure/measure.h"
#include "tk/clocks.h"

/* A time in ns * 2^32, in which the kernel's NTP code counts. */
typedef s128 ns_q32;
#define NS_Q32 ((ns_q32)1 << 32)

struct drive {
	struct run *run;
	const struct tk_ops *tk;
	u64 now;      /* the counter */
	u64 interval; /* cycles a tick */
};

/*
 * Starts the core at second `sec`, and reports the claim that it starts. The counter starts
 * three quarters of its range after the run's clock, and counts as that one does; the clock itself
 * does not move.
 */
bool drive_start(struct drive *drive, struct run *run, s64 sec);

/* The same of a core that can be handed pulses: a native one is then configured for it. */
bool drive_start_pps(struct drive *drive, struct run *run, s64 sec);

/* The counter advances, without a tick. */
void drive_pass(struct drive *drive, u64 cycles);
/* n ticks, each of them on time. */
void drive_ticks(struct drive *drive, u64 n);
/* As many ticks as there are in n seconds. */
void drive_seconds(struct drive *drive, u64 n);

enum tk_error drive_adjtimex(struct drive *drive, struct tk_timex *timex);
/* adjtimex with these modes, of which at most one has an argument: `value` in each of its fields.
 */
enum tk_error drive_adjust(struct drive *drive, u32 modes, s64 value);
enum tk_error drive_settime(struct drive *drive, s64 sec, u32 nsec);
/* adjtimex that only reads. */
struct tk_timex drive_query(struct drive *drive);

/* CLOCK_REALTIME and CLOCK_MONOTONIC, ns. */
s64 drive_realtime(struct drive *drive);
s64 drive_monotonic(struct drive *drive);
/* One reading of tk/clocks.h. false: the core has not got it. */
bool drive_reading(struct drive *drive, enum tk_reading which, s64 *value);
bool drive_has_readings(const struct drive *drive);

/*
 * Of the latest tick: the time that is told, the time that is intended (told + ntp_error), and what
 * is still to be slewed.
 */
ns_q32 drive_told(const struct drive *drive);
ns_q32 drive_intended(const struct drive *drive);
ns_q32 drive_owed(const struct drive *drive);

#endif

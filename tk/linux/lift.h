/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The seam inside a lifted core. On one side the units that include a kernel's own sources,
 * compiled with the kernel's headers and flags (wrap_timekeeping.c, wrap_ntp.c); on the other
 * core.c, which is plain freestanding C and knows tk.h. Neither side sees the other's headers, so
 * that no name of a patched kernel can collide with ours. Everything here is called with the tick
 * held off, but for lift_tick(), which is the tick, and lift_read(), which it may interrupt.
 */
#ifndef TB_TK_LINUX_LIFT_H
#define TB_TK_LINUX_LIFT_H

#include "lib/types.h"
#include "tk/clocks.h"
#include "tk/state.h"

/* A counter, by the fields of struct clocksource. */
struct lift_counter {
	u64 mask;
	u64 max_cycles;
	u32 mult;
	u32 shift;
	u32 maxadj;
	u32 khz;
	u64 max_idle_ns;
};

/* Layout of struct timespec64 on 64-bit machines; wrap_timekeeping.c asserts it. */
struct lift_timespec {
	s64 sec;
	long nsec;
};

/* The fields of struct timekeeper that following a line needs beside the state. */
struct lift_intervals {
	u64 raw_interval; /* shifted ns a tick, at the counter's nominal frequency */
	u64 mask;
};

/* One consistent reading. */
struct lift_reading {
	u64 counter;
	u64 delta; /* cycles since cycle_last, masked; 0 for a counter behind it */
	u64 nsec;  /* since xtime_sec, by the kernel's own conversion */
	s64 mono_base;
	u64 xtime_sec;
	u64 xtime_nsec;
	u64 mask;
	u32 mult;
	u32 shift;
};

/* struct tk_timex, field for field. */
struct lift_timex {
	u32 modes;
	s64 offset, freq, maxerror, esterror;
	s32 status;
	s64 constant, tick, time_sec, time_usec;
	s32 tai;
	s64 precision, tolerance, ppsfreq, jitter, shift, stabil, jitcnt, calcnt, errcnt, stbcnt;
};

/* struct tk_aux_time, field for field. */
struct lift_aux_time {
	s64 ns;
	bool has_snapshot;
	s64 snapshot_ns, snapshot_raw_ns;
};

/* A line to follow, for a tree that has timekeeping_set_reference(). */
struct lift_reference {
	u64 counter;
	u64 time_sec;
	u64 time_frac_sec;
	u64 period_frac;
	u8 period_shift;
};

/* wrap_timekeeping.c */

/* timekeeping_init() with this counter. lift_data must be as it was at the start. */
void lift_start(const struct lift_counter *counter, u64 now);
/* update_wall_time() */
void lift_tick(u64 now);
/* timekeeping_advance() as after a change of frequency: accumulates whole ticks, adjusts mult. */
void lift_advance(u64 now);
void lift_read(u64 (*counter)(void *context), void *context, struct lift_reading *reading);
void lift_clock_get(struct tk_state_clock *clock);
void lift_intervals_get(struct lift_intervals *intervals);
/*
 * Moves wall time at once: its new seconds and shifted nanoseconds, and what to subtract from
 * wall_to_monotonic (ns). NTP stays as it is.
 */
void lift_clock_step(u64 xtime_sec, u64 xtime_nsec, s64 mono_ns);
void lift_clock_set_error(s64 ntp_error);
/* do_settimeofday64() and do_adjtimex(), with the kernel's return values. */
int lift_settime(u64 now, s64 sec, u32 nsec);
int lift_adjtimex(u64 now, struct lift_timex *timex);
/*
 * timekeeping_suspend(), timekeeping_resume() and timekeeping_inject_sleeptime64(), which read
 * lift_sleep.
 */
void lift_suspend(u64 now);
void lift_resume(u64 now);
void lift_inject_sleep(u64 now, s64 sec, u32 nsec);
/* hardpps(); nothing in a kernel without CONFIG_NTP_PPS. */
void lift_hardpps(const struct lift_timespec *real, const struct lift_timespec *raw);
/* timekeeping_warp_clock() */
void lift_warp(u64 now, s32 minutes_west);
/*
 * The auxiliary clocks: through sysfs, clock_aux's functions, and their own timekeepers. A negative
 * errno where the kernel refuses.
 */
void lift_aux_enable(u64 now, u32 id, bool enable);
int lift_aux_settime(u64 now, u32 id, s64 sec, u32 nsec);
int lift_aux_adjtimex(u64 now, u32 id, struct lift_timex *timex);
int lift_aux_read(u64 now, u32 id, struct lift_aux_time *time);
void lift_aux_clock_get(u32 id, struct tk_state_clock *clock);
/* timekeeping_notify(), with its return value. */
int lift_change_counter(u64 now, const struct lift_counter *next, u64 next_now);
/* cycle_interval alone. While it is 0, a tick may not end. */
void lift_set_cycle_interval(u64 cycles);
/* The tree's own timekeeping_set_reference(); a negative errno, or LIFT_NO_REFERENCE. */
int lift_own_reference(u64 now, const struct lift_reference *reference);
#define LIFT_NO_REFERENCE 1
/* wrap_clocks.h: struct tk_ops' readings. */
void lift_readings(u64 now, u32 sets, struct tk_readings *readings);
void lift_live(u64 (*counter)(void *context), void *context);
bool lift_ask(u32 which, s64 *value);

/* wrap_vdso.c: the readings of TK_SET_VDSO, at the counter's value that is held. */
void lift_vdso_readings(struct tk_readings *readings);
s64 lift_vdso_monotonic(void);
/* One clock of TK_SET_VDSO, as user space reads it at any time; false: it is none of them. */
bool lift_vdso_ask(u32 which, s64 *value);
/* shim.c: while held, update_vsyscall() is counted, and the call is made at the end. */
void lift_vdso_hold(bool held);
/* wrap_inside.h: to be called at the start of a second, while lift_amid. */
extern bool lift_amid;
void lift_amid_tick(void);
/* wrap_inside.h: to be called around update_vsyscall() while lift_inside. */
extern bool lift_inside;
void lift_inside_before(void);
void lift_inside_after(void);

/*
 * wrap_vmclock.c: the page of the tree's own vmclock_host.c, which begins to write it at the first
 * call; NULL: it has no such file, or it cannot begin.
 */
const volatile void *lift_published(void);

/* wrap_ntp.c */
/*
 * The boot parameter ntp_tick_adj=, ns a second; before lift_start(). The readings of the same
 * file.
 */
void lift_ntp_boot(s64 tick_adj);
void lift_ntp_readings(struct tk_readings *readings);
void lift_ntp_get(struct tk_state_ntp *ntp);
void lift_aux_ntp_get(u32 id, struct tk_state_ntp *ntp);
/* Drops every phase correction under way and sets time_freq so that tick_length is lift_length. */
void lift_ntp_follow(u64 lift_length);
void lift_ntp_set_offset(s64 lift_offset);
/*
 * Slews from now on, and not from the next second: time_offset along its exponential, or
 * (`lift_linear`) as adjtime does. false: the tree slews by changing the tick's length.
 */
bool lift_ntp_slew(s64 lift_offset, bool lift_linear);

/* shim.c: how long the machine has been booting, ns: local_clock(). */
extern u64 lift_boot_ns;

/* shim.c: how many spinlocks timekeeping.c holds, in a kernel for one CPU. */
extern int lift_locks;

/* shim.c: what the machine measures a suspend by. */
struct lift_sleep {
	struct lift_timespec persistent; /* read_persistent_clock64() */
	u64 nonstop_ns;			 /* what clocksource_stop_suspend_timing() answers, if it */
	u64 start, stop; /* and its counterpart are handed these values of the counter */
	u64 started;	 /* what that counterpart was handed */
};
extern struct lift_sleep lift_sleep;

/*
 * shim.c: what the kernel told the rest of itself since lift_told_reset(). Counts by enum
 * tk_reading, from TKR_CLOCK_WAS_SET_SEQ on, but for those that are no calls; of clock_was_set()
 * how often all of these bases were named; and the calls of calc_global_load().
 */
void lift_told_reset(void);
extern s64 lift_told_counts[TK_TOLDS];
s64 lift_told_bases(unsigned int bases);
extern u64 lift_global_loads;

/* shim.c: the notifier block that is called, and not counted; NULL: none. */
extern void *lift_listener;

/* shim.c: whether an auxiliary clock is changed by a call, not by a tick. */
extern bool lift_aux_call;

/* shim.c: the number of a boot parameter. */
extern s64 lift_parameter;

/* shim.c: what stands in sysfs. */
struct lift_sysfs {
	s32 folders, files;
	s32 names;    /* a hash of the first letters of all folders' names */
	u32 fails_in; /* the folder or file of this number, from 1, cannot be made; 0: all can */
};
extern struct lift_sysfs lift_sysfs;

/* lift.ld: the data that the kernel's objects write, and space for a copy of them. */
extern char lift_data[], lift_data_end[], lift_pristine[];

#endif

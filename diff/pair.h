/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two cores, A and B, driven together: one counter, the same calls. Each is the native core or a
 * lifted one; link.mk links the two. Each function that takes a struct difference calls both cores
 * and compares what they return.
 */
#ifndef TB_DIFF_PAIR_H
#define TB_DIFF_PAIR_H

#include "diff/compare.h"
#include "tk/stage.h"
#include "tk/tk.h"

/* Of a core that was linked: the symbol of its operations, renamed. */
extern const struct tk_ops tk_a, tk_b;

struct pair_options {
	/*
	 * Switches of each core, if it is native and `given`. A native core without beside a lifted
	 * one gets those that the lifted one has by behaviour (tk/stage.h), with those in `flip`
	 * inverted; beside a native one all. `reference` and `feed` are always on: a lifted core
	 * can follow a line, whatever its tree has.
	 */
	u32 switches[CORES];
	bool given[CORES];
	u32 flip;
	u32 hz; /* of two native cores; a lifted one has its own */
};

/* Starts a comparison. TK_EHZ: the two cores were built for different HZ. */
enum tk_error pair_begin(const struct pair_options *options);
const struct tk_ops *pair_core(int core);
bool pair_is_native(int core);
/* What a core was found to do. */
const struct tk_stage *pair_stage(int core);
/* The fields that one core has and the other does not: TK_LACKS_*. They are not compared. */
u32 pair_left_out(void);
/* The fields that a core does not have. */
u32 pair_lacks(int core);
u32 pair_hz(void);
/* How many ticks were compared since pair_begin(). */
u64 pair_ticks(void);

/* Initializes both cores. If both refuse, pair_started() is false until the next pair_init(). */
void pair_init(const struct tk_counter *counter, s64 sec, u32 nsec, struct difference *difference);
bool pair_started(void);

/*
 * Advances the counter, at most to the longest time that every kernel can do without a tick: half
 * of max_cycles, and a quarter of the counter's range.
 */
void pair_pass(u64 cycles);
/* One tick at the counter's present value; compares the state. */
void pair_tick(struct difference *difference);
/*
 * The same of a tick that pair_tick() or pair_tick_on() follows, with nothing between: the cores
 * need not write the page for user space, but where it is compared next.
 */
void pair_tick_on(struct difference *difference);
void pair_read(struct difference *difference);
void pair_adjtimex(const struct tk_timex *given, struct difference *difference);
void pair_settime(s64 sec, u32 nsec, struct difference *difference);
/* Not back, if one of the cores moves when it refuses. */
void pair_warp(s32 minutes_west, struct difference *difference);
void pair_add_time_offset(s64 offset_ns, struct difference *difference);
void pair_set_reference(const struct tk_reference *line, struct difference *difference);
/*
 * Whether both take pulses: where a lifted core does, a native one beside it is configured for
 * them. pair_hardpps() hands both one that comes apart_ns after the one before by the raw clock.
 */
bool pair_pulses(void);
void pair_hardpps(s64 apart_ns, s64 sec, u32 nsec);
/* Switches to another counter, which reads next_now at this moment. */
void pair_change_counter(const struct tk_counter *next, u64 next_now,
			 struct difference *difference);
/* The auxiliary clocks of both; nothing where either core has none. */
void pair_aux_enable(u32 id, bool enable, struct difference *difference);
void pair_aux_settime(u32 id, s64 sec, u32 nsec, struct difference *difference);
/* The clock's time, ns; false: it is not enabled, or not there. */
bool pair_aux_time(u32 id, s64 *ns);
void pair_aux_adjtimex(u32 id, const struct tk_timex *given, struct difference *difference);
/* Advances the counter: while both are suspended, and without a limit but for auxiliary clocks. */
void pair_skip(u64 cycles);
/* Suspends and resumes both, and hands both an RTC's measure; nothing where either has no such op.
 */
void pair_suspend(const struct tk_sleep *sleep, struct difference *difference);
void pair_resume(const struct tk_sleep *sleep, struct difference *difference);
void pair_inject_sleep(s64 sec, u32 nsec, struct difference *difference);
/*
 * What a counter may do that most do not. Nothing where a core does not define it (struct
 * tk_stage.wide, struct tk_identity.checks). pair_restart() starts both afresh, as the last init
 * did, at another value of the counter. pair_far() lets many times max_cycles pass at once, with
 * readings, then ticks. pair_behind() reads at a counter that is behind the last tick, and ticks.
 * pair_stop() begins and ends a recalibration, with readings within it.
 */
void pair_restart(u64 start, struct difference *difference);
/* The persistent clock of a machine that boots. */
enum pair_persistent {
	PERSISTENT_READS, /* the time that the core starts from */
	PERSISTENT_WRONG, /* no time that there is */
	PERSISTENT_NONE,  /* there is no such clock: the core starts from 0, here and afterwards */
};

/* The same as a machine may boot: struct tk_setup says what the others are. */
void pair_boot(s64 tick_adj, u64 boot_ns, enum pair_persistent persistent,
	       struct difference *difference);
void pair_far(u32 times, struct difference *difference);
void pair_behind(u64 cycles, struct difference *difference);
void pair_stop(u64 cycles, struct difference *difference);
/* Compares the whole state; does nothing while !pair_started(). */
void pair_compare(struct difference *difference);

/* Compares the readings of these sets (tk/clocks.h) at the counter's value. */
void pair_readings(u32 sets, struct difference *difference);

/* The counter, and what core A reads and holds. */
u64 pair_now(void);
u64 pair_counter_hz(void);
void pair_time(struct tk_time *time);
void pair_state(struct tk_state *state);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How time passes for a run. Two clocks stand behind this: the virtual one (clock/virtual.c), for
 * both vehicles, and the real TSC (guest/tsc_clock.c), for the guest. A clock uses neither cores
 * nor scenarios: it calls the functions of its ticker.
 */
#ifndef TB_CLOCK_CLOCK_H
#define TB_CLOCK_CLOCK_H

#include "tk/tk.h"
#include "vmclock/vmclock.h"

/* Statistics of the ticks; written by the clock, also from the interrupt. */
struct tick_stats {
	u64 ticks;	     /* ticks delivered */
	u64 late_max_cycles; /* the largest delay of a tick after its due time */
	u64 late_sum_cycles; /* of all delays, for their mean and deviation */
	u128 late_squares;
	u64 longest_idle;   /* ticks skipped in a row, at most */
	u64 gap_max_cycles; /* the longest time between two ticks */
};

/* Counts a tick that came so many cycles after its due time, and after the tick before it. */
static inline void tick_stats_add(struct tick_stats *stats, u64 late, u64 gap)
{
	stats->ticks++;
	if (gap > stats->gap_max_cycles)
		stats->gap_max_cycles = gap;
	if (late > stats->late_max_cycles)
		stats->late_max_cycles = late;
	stats->late_sum_cycles += late;
	stats->late_squares += (u128)late * late;
}

/* How ticks are generated, and the functions that are called for them. */
struct ticker {
	u64 interval;  /* cycles a tick, above 0 */
	bool tickless; /* skip ticks while idle */
	/* Virtual clock: each tick's delay in turn, over and over; 0 of them: by late_ns. */
	const u32 *recorded_ns;
	u32 recorded;
	/* Real clock: where the delays of the first ticks are kept, in cycles; NULL: nowhere. */
	u32 *delays;
	u32 delays_most, delays_kept;
	u32 late_ns; /* virtual clock: each tick comes up to this late, at random */
	u64 seed;    /* of the random generator */
	/* Called in run_until() on the virtual clock, and in the interrupt on the real one. */
	void (*tick)(u64 now);
	/*
	 * Called right before each tick on the virtual clock, and in a free loop on the real one.
	 */
	void (*sample)(void *context);
	void *context;
	struct tick_stats stats;
	volatile u64 progress; /* changes whenever a tick or a reading has ended */
};

struct clock {
	bool is_virtual;
	struct tk_counter counter;  /* nominal frequency and width */
	const char *counter_source; /* "given", "cpuid-15h", "hpet", ... */
	u64 counter_error_ppb;	    /* the possible error of counter.hz; 0: exact by definition */
	const char *tick_source;    /* "virtual", "tsc-deadline", "lapic-oneshot" */
	volatile struct vmclock_abi *page; /* NULL: none, and page_error says why */
	u64 page_mapped;		   /* bytes */
	enum vmclock_error page_error;
	const volatile struct vmclock_abi
		*markers;  /* of a second device, without a line; or NULL */
	bool page_is_ours; /* a scenario may rewrite it (virtual clock only) */

	/* Another counter of the same machine, to compare this one with. */
	struct {
		const char *name; /* "hpet", "pm-timer"; NULL: there is none */
		u64 period_fs;
		u64 mask; /* 2^bits - 1 */
		u64 (*read)(void);
	} second;

	/*
	 * The hypervisor's own clock as a function of this counter: kvmclock. NULL: there is none,
	 * and `none` says why. false: it cannot be read now.
	 */
	struct {
		bool (*at)(u64 counter, instant *time);
		const char *none; /* NULL on the virtual clock: nobody asks */
	} kvmclock;

	/*
	 * Called before each run: makes the clock as new, so that no run depends on those before
	 * it. NULL: nothing to do.
	 */
	void (*reset)(struct clock *clock);

	/* The counter's present value. */
	u64 (*now)(void *context);
	void *context;

	/*
	 * Starts and stops the ticks. The ticker belongs to the caller, and must exist until the
	 * stop.
	 */
	void (*ticks_start)(struct clock *clock, struct ticker *ticker);
	void (*ticks_stop)(struct clock *clock);
	struct ticker *ticker; /* whose samples run_until() takes; NULL: none */

	/* Waits until the counter has reached `until`, with ticks and samples. */
	void (*run_until)(struct clock *clock, u64 until);

	/* Disables and enables the tick. Calls may be nested. */
	void (*lock)(void *context);
	void (*unlock)(void *context);

	/*
	 * Has the host judge a core's reading, `time` at `counter`: how far it is ahead of the
	 * host's own clock at the same moment, and the error that the page states for it. false:
	 * there is no such host, or it did not answer in time. NULL: not supported.
	 */
	bool (*judge)(struct clock *clock, u64 counter, instant time, s64 *difference_fs,
		      u64 *maxerror_ns);

	/*
	 * Calls function(context) whenever the page's device notifies of a change, as an interrupt
	 * with the tick disabled; NULL: no more. Ticks must run. Gives the reason why there are no
	 * notifications, or NULL. NULL: not supported.
	 */
	const char *(*notify)(struct clock *clock, void (*function)(void *context), void *context);
};

struct virtual_setup {
	struct tk_counter counter;
	s64 rate_ppt; /* the true period is longer than nominal by this * 10^-12 */
	u64 start;    /* the counter's value at the start of each run */
	s64 sec;      /* the page's time at it, seconds since the epoch, UTC */
};

/*
 * The virtual clock: a simulated counter, advanced as fast as the CPU allows, with a page of its
 * own that has the true line. There is one virtual clock.
 */
void virtual_clock_init(struct clock *clock, const struct virtual_setup *setup);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of the native core. Its files, each of which calls only those after it: native.c (the
 * operations of tk.h), aux.c, clocks.c (what other clocks read), suspend.c, set.c (steps, a new
 * counter, a new reference), tick.c (the tick), ntp.c (tick length, slewing, leap seconds), pps.c
 * (a pulse per second). docs/core.md derives the equations. Fields and functions have the names of
 * their counterparts in kernel/time/. Times are shifted nanoseconds (ns * 2^shift), lengths and
 * errors ns * 2^32.
 */
#ifndef TB_TK_NATIVE_NATIVE_H
#define TB_TK_NATIVE_NATIVE_H

#include "tk/clocks.h"
#include "tk/tk.h"

#define NTP_SCALE_SHIFT 32
#define NSEC		((s64)TB_NSEC_PER_SEC)

/* What pulses have said. All of it stays as it is where it is not configured. */
struct pps_data {
	bool configured; /* as by CONFIG_NTP_PPS */
	s32 valid;	 /* seconds until the signal is taken to be lost */
	s64 phase[2];	 /* ns that the clock was behind at the latest pulse and at that before */
	s64 jitter;	 /* average of what two phases differ by, ns */
	s64 base_ns;	 /* the raw clock's time where the interval began; below 1 s: none has */
	s32 shift;	 /* an interval lasts 2^shift s */
	s32 run;	 /* of intervals that were all stable; negative: all not */
	s64 freq;	 /* that the latest interval gave, ns * 2^32 a second */
	s64 stabil;	 /* average of what two frequencies differ by, ppm * 2^16 */
	s64 calcnt, jitcnt, stbcnt, errcnt;
};

/* What determines the tick length: changed by adjtimex, and once a second. */
struct ntp_data {
	struct tk_state_ntp;
	u64 tick_length_base; /* tick_length without this second's slewing */
	s64 cs_tick_adj;      /* ns * 2^32 a second: HZ ticks of whole cycles less 1 s */
	s64 tick_usec;	      /* of USER_HZ = 100 */
	s64 ntp_tick_adj;     /* ns * 2^32 a second: a boot parameter */
	s64 time_reftime;     /* s; of the latest phase measurement */
	s64 time_esterror;    /* us */
	struct pps_data pps;
};

/* The time at one value of the counter, and what may happen to it before the next one. */
struct tk_snapshot {
	bool taken;
	u64 cycles;
	s64 real, raw;
	s64 clock_was_set_seq, cs_was_changed_seq;
};

struct timekeeper {
	struct tk_state_clock;
	u32 seq; /* odd while a writer changes the struct */
	u32 switches;
	u32 hz;

	struct tk_counter counter;
	struct tk_conversion conversion;
	u64 mask;
	u64 max_raw_delta; /* a larger distance from cycle_last means that the counter went back */
	u64 raw_interval;
	s64 xtime_remainder; /* R = 1/HZ - X at the start, shifted ns; 0 with either form of
				`remainder` */
	s64 skew_delta;	     /* ntp.skew_delta as of the last tick */
	s64 offs_boot;	     /* CLOCK_BOOTTIME less CLOCK_MONOTONIC: the time slept, ns */
	s64 offs_aux;	     /* an auxiliary clock's time less its own CLOCK_MONOTONIC, ns */
	struct {
		bool suspended;
		bool persistent; /* a clock that does not stop was seen */
		bool needed;	 /* nobody has said yet how long the last suspend was */
		struct tk_state_timespec start;	    /* persistent clock at the suspend */
		struct tk_state_timespec old_delta; /* xtime less persistent clock, before */
	} sleep;
	u32 khz; /* of the counter */
	/* A clock event device in the counter's cycles: cycles = ns * mult >> shift. Its mult is of
	 * the counter's frequency, until the core's mult changes: then it is of that. */
	struct {
		bool follows; /* the core's mult */
		u32 mult, shift;
	} ns_to_cyc;
	bool leapt;	    /* a leap second was inserted or deleted in this tick */
	bool coarse_kept;   /* coarse_nsec is not xtime_nsec */
	u32 coarse_nsec;    /* xtime_nsec in ns as of the latest tick or step, if coarse_kept */
	s64 mg_floor;	    /* CLOCK_MONOTONIC of the latest multigrain timestamp */
	s64 updates;	    /* how often user space and hypervisors were told of a new state */
	s64 told[TK_TOLDS]; /* by enum tk_reading, from TKR_CLOCK_WAS_SET_SEQ on */
	struct tk_snapshot history;	  /* the latest one */
	u64 paused_interval, paused_tick; /* C and ntp_tick while the counter is recalibrated */
	struct ntp_data ntp;
};

static inline bool has(const struct timekeeper *tk, u32 switches)
{
	return tk->switches & switches;
}

/* Counts one call of this reading of TK_TOLD_TABLE. */
static inline void tell(struct timekeeper *tk, enum tk_reading which)
{
	tk->told[which - TKR_CLOCK_WAS_SET_SEQ]++;
}

/* What follows every change of the clock; was_set: it was not only time that passed. */
static inline void timekeeping_update(struct timekeeper *tk, bool was_set)
{
	tk->updates++;
	if (was_set)
		tell(tk, TKR_CLOCK_WAS_SET_SEQ);
}

/* set.c. The caller holds tk->seq. */
void tk_setup_internals(struct timekeeper *tk, const struct tk_counter *counter, u64 now);
void timekeeping_clear_ntp(struct timekeeper *tk);
enum tk_error timekeeping_settime(struct timekeeper *tk, u64 now, s64 sec, u32 nsec);
enum tk_error timekeeping_inject_offset(struct timekeeper *tk, u64 now, s64 sec, s64 nsec);
enum tk_error timekeeping_set_reference(struct timekeeper *tk, u64 now,
					const struct tk_reference *reference);
/* Advances the clock to `now`, also between ticks. Called before the clock is set. */
void timekeeping_forward_now(struct timekeeper *tk, u64 now);

/*
 * aux.c: the auxiliary clocks, each a struct timekeeper of its own, which is not the core's.
 */
extern const struct tk_aux_ops native_aux;
/* Disables all; called when the core starts. */
void aux_reset(struct timekeeper *core);
void aux_advance(u64 now);
extern u32 aux_enabled; /* a bit for each */
void aux_change_counter(u64 now, const struct tk_counter *next, u64 next_now);

/*
 * suspend.c. The caller holds tk->seq. timekeeping_inject_sleep() also clears NTP, as a step does.
 */
void timekeeping_suspend(struct timekeeper *tk, u64 now, const struct tk_sleep *sleep);
void timekeeping_resume(struct timekeeper *tk, u64 now, const struct tk_sleep *sleep);
void timekeeping_inject_sleep(struct timekeeper *tk, u64 now, s64 sec, u32 nsec);

/* tick.c. The caller holds tk->seq. */
enum timekeeping_adv_mode {
	TK_ADV_TICK, /* adjusts mult if a tick has passed */
	TK_ADV_FREQ, /* a frequency was set: adjusts mult at once */
};
/* Returns whether a leap second was inserted or deleted. */
bool timekeeping_advance(struct timekeeper *tk, u64 now, enum timekeeping_adv_mode mode);
/* The coarse clocks follow xtime_nsec; and their nanoseconds. */
void tk_update_coarse_nsecs(struct timekeeper *tk);
u32 tk_coarse_nsec(const struct timekeeper *tk);
/* Cycles since cycle_last; 0 for a counter that went back. */
u64 timekeeping_get_delta(const struct timekeeper *tk, u64 now);
void tk_sub_wall_to_mono(struct timekeeper *tk, s64 sec, s64 nsec);

/*
 * clocks.c: adds the readings of `sets` (enum tk_reading_set) at the counter's value `now`. Of the
 * core they change mg_floor and history alone.
 */
void timekeeping_readings(struct timekeeper *tk, u64 now, u32 sets, struct tk_readings *readings);
/* One of those that ask() of tk.h may read; it changes nothing. */
bool timekeeping_ask(const struct timekeeper *tk, u64 now, u32 which, s64 *value);

/* ntp.c */
/* tick_adj: the boot parameter, ns a second. */
void ntp_init(struct ntp_data *ntp, s64 tick_adj);
void ntp_clear(struct timekeeper *tk);
/* The length of a second's ticks together, ns * 2^32, without slewing. */
u64 ntp_second_length(const struct timekeeper *tk);
/* Recomputes the tick length after a change of any term of ntp_second_length(). */
void ntp_update_frequency(struct timekeeper *tk);
/*
 * With `skew`: plans the skew_delta that each tick delivers. Called by others than
 * second_overflow() for a phase that is not to wait for the next second.
 */
void ntp_plan_skew(struct timekeeper *tk);
/* The NTP step at the start of second `sec`. Returns the leap second to add to the clock: -1, 0, 1.
 */
s32 second_overflow(struct timekeeper *tk, s64 sec);
/*
 * Subtracts from time_adjust and time_offset what 2^k ticks of skew_delta deliver. Returns the
 * amount, ns * 2^32 / HZ.
 */
s64 ntp_drain_skew(struct timekeeper *tk, s64 skew_delta, u32 k);
enum tk_error timekeeping_validate_timex(const struct tk_timex *timex);
/* Applies and fills timex; sec and nsec are the time now. May change *tai. */
void ntp_adjtimex(struct timekeeper *tk, struct tk_timex *timex, s64 sec, u32 nsec, s32 *tai);

/* pps.c; each does nothing where it is not configured, or what no other part can see. */
void pps_clear(struct pps_data *pps);
/* time_freq was set by a caller; the PLL was switched off; a second has passed. */
void pps_set_freq(struct ntp_data *ntp);
void pps_unlocked(struct pps_data *pps);
void pps_second(struct ntp_data *ntp);
/* Whether the clock is not to be trusted: what was asked of pulses is not had of them. */
bool pps_at_fault(const struct ntp_data *ntp);
/* ppsfreq is left in ns * 2^32 a second. */
void pps_tell(const struct ntp_data *ntp, struct tk_timex *timex);
/* Returns whether time_freq was set; the caller then updates the tick length. */
bool hardpps(struct ntp_data *ntp, u32 hz, const struct tk_pulse *pulse);

#endif

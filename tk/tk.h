/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The interface of a timekeeping core. Both native (tk/native) and a kernel's own core (tk/linux)
 * implement it. A core is a singleton, as in the kernel. init() starts it afresh and may be called
 * any number of times. A core never prints and never touches hardware: its caller passes the
 * counter's value.
 *
 * Who may call: tick() from the tick interrupt; read() from anywhere, and a tick may interrupt it;
 * everything else with the tick disabled (struct clock has lock and unlock for that). `now` is
 * always the counter's value at the call, and must not go back.
 */
#ifndef TB_TK_TK_H
#define TB_TK_TK_H

#include "lib/string.h"
#include "lib/types.h"
#include "lib/instant.h"
#include "tk/state.h"

/*
 * The series, as seven switches (docs/core.md says what each one changes). The first has two forms:
 * as Linux 7.3 merged it, and as versions 2 to 4 of the series mailed it.
 */
enum tk_switch {
	TK_REMAINDER = 1 << 0,
	TK_CLAWBACK = 1 << 1,
	TK_TAIL = 1 << 2,
	TK_DIVZERO = 1 << 3,
	TK_REFERENCE = 1 << 4,
	TK_FEED = 1 << 5,
	TK_SKEW = 1 << 6,
	TK_REMAINDER_V2 = 1 << 7,
	TK_ALL = 0x7f,	  /* with the first as merged */
	TK_MAILED = 0xfe, /* with the first as mailed */
};

enum tk_error {
	TK_OK = 0,
	TK_EINVAL,     /* an argument outside its stated range */
	TK_EFREQUENCY, /* counter frequency outside 1 kHz to 5 GHz, or HZ not between 1 and it */
	TK_ENOTSUPP,   /* this core cannot do that */
	TK_ESWITCH,    /* needs a switch that is off, or asks for one this core does not have */
	TK_EHZ,	       /* this core was built for another HZ */
	TK_ERATE,      /* the reference's rate is more than 10 % off the counter's nominal one */
	TK_ENODEV,     /* there is no such auxiliary clock, or it is not enabled */
	TK_EOTHER,     /* a lifted core refused with an error that its call does not document */
	TK_ERRORS,
};

/* One sentence for each enum tk_error. */
const char *tk_strerror(enum tk_error error);

#define TK_COUNTER_HZ_MIN 1000ULL
#define TK_COUNTER_HZ_MAX 5000000000ULL

struct tk_counter {
	u64 hz;	  /* nominal frequency, TK_COUNTER_HZ_MIN to _MAX */
	u64 mask; /* 2^bits - 1, bits 24 to 64 */
	/* Registered in whole kHz, as Linux registers the TSC: the rest of hz is an error of the
	 * rate. */
	bool khz;
};

/* The frequency that a core is told, Hz. */
static inline u64 tk_counter_registered_hz(const struct tk_counter *counter)
{
	return counter->khz ? counter->hz - counter->hz % 1000 : counter->hz;
}

/*
 * Conversion of a counter: ns = cycles * mult >> shift, for a range of 600 s. It is computed from
 * the frequency in kHz if that is a whole number or if Hz do not fit 32 bits, and in Hz otherwise,
 * as by clocksource_register_khz() and _hz().
 */
struct tk_conversion {
	u32 mult;
	u32 shift;
	u32 maxadj;	/* how far mult may be adjusted: 11 % */
	u64 max_cycles; /* cycles whose conversion cannot overflow 64 bits */
};

/* TK_EFREQUENCY if the counter is out of range. */
enum tk_error tk_conversion_init(struct tk_conversion *conversion,
				 const struct tk_counter *counter);

/*
 * The largest shift, and the rounded mult = to * 2^shift / from for it, such that `seconds` worth
 * of a counter of `from` Hz times mult fits 64 bits. 0 shift at least, with the mult of a shift of
 * 1, where none does.
 */
void tk_best_pair(u32 from, u32 to, u64 seconds, u32 *mult, u32 *shift);

/* How long a counter may go unread, ns: half of what max_cycles are at the fastest mult. */
static inline u64 tk_max_idle_ns(const struct tk_conversion *conversion)
{
	return (conversion->max_cycles * (conversion->mult - conversion->maxadj) >>
		conversion->shift) /
	       2;
}

/* CLOCK_REALTIME may be set to times below this: 2^63 ns less 30 years of uptime. */
#define TK_SEC_MAX 8277292036LL

struct tk_setup {
	struct tk_counter counter;
	u32 hz;	      /* ticks a second */
	u32 switches; /* of enum tk_switch; a lifted core has its own and ignores this */
	u64 now;      /* the counter */
	s64 sec;      /* the time to start from: seconds since the epoch, 0 to TK_SEC_MAX - 1 */
	u32 nsec;     /* 0 to 999999999 */
	/* The boot parameter ntp_tick_adj=, ns a second: a multiple of 125, which every HZ of a
	 * lifted core divides once it is scaled. */
	s64 tick_adj;
	u64 boot_ns;	 /* how long the machine has been booting: CLOCK_MONOTONIC starts there,
			  * but not after CLOCK_REALTIME */
	bool impossible; /* the persistent clock reads no time: `sec` and `nsec` are taken to be 0
			  */
	bool pps;	 /* as if configured with CONFIG_NTP_PPS; a lifted core ignores this */
};

/* The time at one counter value: what consumers read, and the core's sub-nanosecond time. */
struct tk_time {
	u64 counter;	 /* the counter value that was read */
	s64 sec;	 /* CLOCK_REALTIME as consumers see it */
	u32 nsec;	 /* rounded down */
	s64 mono_ns;	 /* CLOCK_MONOTONIC, ns; must never go back */
	instant instant; /* CLOCK_REALTIME with the core's sub-nanosecond part */
};

/*
 * How a phase becomes a correction, where it is not as docs/core.md has it: as other versions of
 * the series had it, or as was proposed on the list. Only for scenario `discipline`. A lifted core
 * that has a set_reference of its own keeps to its own rule.
 */
enum tk_phase_rule {
	/* Measured at cycle_last; the new rate begins with the next tick, and nothing makes up for
	 * the present one (v3). */
	TK_PHASE_AT_LAST = 1 << 0,
	TK_PHASE_WHOLE_NS = 1 << 1, /* cut to whole ns, the rest is dropped (v3) */
	/* time_offset's share is planned at once, and not when the next second begins. Needs
	 * `skew`. */
	TK_PHASE_AT_ONCE = 1 << 2,
	/* Slewed as adjtime slews, at up to 500 us a second, and planned at once. Needs `skew`. */
	TK_PHASE_LINEAR = 1 << 3,
};

/* A line: time(c) = time + (c - counter) * period, with period = period_frac * 2^-(64 + shift). */
struct tk_reference {
	u64 counter;
	instant time; /* of CLOCK_REALTIME (UTC) */
	u64 period_frac;
	u8 period_shift;
	u32 step_ns; /* a phase error beyond this is stepped, not slewed; 0: always step */
	u32 rule;    /* of enum tk_phase_rule; 0: the core's own */
};

/* The fields of struct timex that a core uses. Mode and status bits are the kernel's. */
struct tk_timex {
	u32 modes;
	s64 offset;   /* us, or ns with STA_NANO */
	s64 freq;     /* ppm * 2^16 */
	s64 maxerror; /* us */
	s64 esterror; /* us */
	s32 status;
	s64 constant;
	s64 tick;      /* us a USER_HZ tick: 9000 to 11000 */
	s64 time_sec;  /* ADJ_SETOFFSET: amount to add; out: now */
	s64 time_usec; /* us, or ns with ADJ_NANO */
	s32 tai;
	s32 state; /* out: TIME_OK and so on, as adjtimex() returns */
	/* Out: constants, and what hardpps() has measured; 0 in a core without it. */
	s64 precision; /* us */
	s64 tolerance; /* ppm * 2^16 */
	s64 ppsfreq, jitter, shift, stabil;
	s64 jitcnt, calcnt, errcnt, stbcnt;
};

/* Mode, status and state values, of uapi/linux/timex.h. */
#define TK_ADJ_OFFSET	 0x0001
#define TK_ADJ_FREQUENCY 0x0002
#define TK_ADJ_MAXERROR	 0x0004
#define TK_ADJ_ESTERROR	 0x0008
#define TK_ADJ_STATUS	 0x0010
#define TK_ADJ_TIMECONST 0x0020
#define TK_ADJ_TAI	 0x0080
#define TK_ADJ_SETOFFSET 0x0100
#define TK_ADJ_MICRO	 0x1000
#define TK_ADJ_NANO	 0x2000
#define TK_ADJ_TICK	 0x4000
#define TK_ADJ_ADJTIME	 0x8000 /* together with ADJ_OFFSET: the old adjtime() */
#define TK_ADJ_READONLY	 0x2000 /* together with both: adjtime() that only reads */
#define TK_STA_PLL	 0x0001
#define TK_STA_PPSFREQ	 0x0002
#define TK_STA_PPSTIME	 0x0004
#define TK_STA_FLL	 0x0008
#define TK_STA_INS	 0x0010
#define TK_STA_DEL	 0x0020
#define TK_STA_UNSYNC	 0x0040
#define TK_STA_FREQHOLD	 0x0080
#define TK_STA_NANO	 0x2000
#define TK_STA_PPSSIGNAL 0x0100
#define TK_STA_PPSJITTER 0x0200
#define TK_STA_PPSWANDER 0x0400
#define TK_STA_PPSERROR	 0x0800
#define TK_STA_MODE	 0x4000
#define TK_STA_RONLY	 0xff00
#define TK_TIME_OK	 0
#define TK_TIME_INS	 1
#define TK_TIME_DEL	 2
#define TK_TIME_OOP	 3
#define TK_TIME_WAIT	 4
#define TK_TIME_ERROR	 5

/* A core's state: both parts as members of one struct. */
struct tk_state {
	struct tk_state_clock;
	struct tk_state_ntp;
};

/* Both parts together. */
static inline void tk_state_join(struct tk_state *state, const struct tk_state_clock *clock,
				 const struct tk_state_ntp *ntp)
{
	memcpy(state, clock, sizeof(*clock));
	memcpy((char *)state + sizeof(*clock), ntp, sizeof(*ntp));
}

/* The told time at cycle_last, ns * 2^32. */
static inline s128 tk_state_told(const struct tk_state *state)
{
	return (s128)state->xtime_sec * TB_NSEC_PER_SEC * ((s128)1 << 32) +
	       ((s128)state->xtime_nsec << (32 - state->shift));
}

/* The phase and adjtime that are still to be slewed, ns * 2^32. */
static inline s128 tk_state_slewed(const struct tk_state *state, u32 hz)
{
	return (s128)state->time_offset * hz + (s128)state->time_adjust * 1000 * ((s128)1 << 32) +
	       state->time_adjust_frac;
}

struct tk_readings; /* tk/clocks.h */

/* What a machine measures a suspend by, at one moment of it. */
struct tk_sleep {
	/* read_persistent_clock64(): seconds since the epoch; both 0: there is no such clock. */
	s64 persistent_sec;
	u32 persistent_nsec;
	/* At the resume: what a counter that does not stop says was slept, ns; 0: there is none. */
	u64 nonstop_ns;
};

/* Fields of struct tk_state that not every core has. In one that has not, the field is 0. */
#define TK_LACKS_SKEW_DELTA	  0x1
#define TK_LACKS_TIME_ADJUST_FRAC 0x2

struct tk_identity {
	const char *core;     /* "native", "linux" */
	const char *kernel;   /* release, or NULL */
	const char *revision; /* git describe or package version, or NULL */
	const char *timekeeping_sha256;
	const char *ntp_sha256;
	const char
		*tree; /* the user's name for it: a folder, folder@revision, linux-7.3.4; or NULL */
	u32 switches;  /* native: all that it can have; lifted: those that its source seems to have
			*/
	u32 release;   /* lifted: those that its release is known to have */
	u32 lacks;     /* TK_LACKS_*: what its source does not have */
	u32 hz;	       /* the only HZ it runs at; 0: any */
	bool checks;   /* a tick at a counter that went back does nothing */
};

/* A pulse of a second's start: both clocks when it came. nsec: 0 to 999999999. */
struct tk_pulse {
	s64 real_sec;
	s64 raw_sec; /* CLOCK_MONOTONIC_RAW */
	u32 real_nsec;
	u32 raw_nsec;
};

#define TK_AUX_CLOCKS 8

/* An auxiliary clock at one value of the counter, ns. */
struct tk_aux_time {
	s64 ns;
	/* ktime_get_snapshot_id(): the clock, and the raw clock since it was enabled. */
	bool has_snapshot;
	s64 snapshot_ns, snapshot_raw_ns;
};

/*
 * The auxiliary clocks, CLOCK_AUX + id with id below TK_AUX_CLOCKS: further clocks over the same
 * counter, each set and adjusted on its own. All are disabled after tk_ops.init(). The calls are as
 * those of tk_ops; of a clock that is disabled they are refused.
 */
struct tk_aux_ops {
	/* Starts a clock at 0, or stops it. No-op if it is so already. */
	void (*enable)(u64 now, u32 id, bool enable);
	enum tk_error (*settime)(u64 now, u32 id, s64 sec, u32 nsec);
	/* No leap seconds, no TAI offset. */
	enum tk_error (*adjtimex)(u64 now, u32 id, struct tk_timex *timex);
	enum tk_error (*read)(u64 now, u32 id, struct tk_aux_time *time);
	/* Where the time is the state's CLOCK_MONOTONIC plus an offset. */
	void (*state)(u32 id, struct tk_state *state);
};

struct tk_ops {
	const struct tk_identity *identity;

	/* Starts afresh. TK_EFREQUENCY, TK_EHZ, TK_EINVAL. */
	enum tk_error (*init)(const struct tk_setup *setup);

	/* One tick: accumulates the time since the last one, then adjusts mult. */
	void (*tick)(u64 now);

	/*
	 * Calls counter(context) inside its retry loop and returns the time at that value. A tick
	 * may interrupt it.
	 */
	void (*read)(u64 (*counter)(void *context), void *context, struct tk_time *time);

	/*
	 * Follows a line: the tick length becomes the line's period times cycle_interval. The phase
	 * error at the next tick is slewed through time_offset, or stepped (tk/reference.h).
	 * TK_ESWITCH, TK_ERATE, TK_EINVAL.
	 */
	enum tk_error (*set_reference)(u64 now, const struct tk_reference *reference);

	/*
	 * The page that the core writes by itself from the first call after init() on, for
	 * hypervisors to hand on: struct vmclock_abi (vmclock/vmclock.h). NULL, or no function: it
	 * writes none.
	 */
	const volatile void *(*published)(void);

	/* Adds to the phase still to be slewed. TK_EINVAL if |offset_ns| > 500000000. */
	enum tk_error (*add_time_offset)(u64 now, s64 offset_ns);

	/* adjtimex(): frequency, offset, tick, status, leap seconds, TAI, ADJ_SETOFFSET, adjtime.
	 */
	enum tk_error (*adjtimex)(u64 now, struct tk_timex *timex);

	/* Steps CLOCK_REALTIME to an absolute time. */
	enum tk_error (*settime)(u64 now, s64 sec, u32 nsec);

	/*
	 * Another counter takes over: `now` is the old one's value, `next_now` the new one's at the
	 * same moment.
	 */
	enum tk_error (*change_counter)(u64 now, const struct tk_counter *next, u64 next_now);

	/*
	 * Begins (stopped = true) or ends a recalibration of the counter. cycle_interval is 0
	 * during it, and has its old value afterwards. A tick during it may divide by zero or never
	 * end in a core without `divzero`.
	 */
	enum tk_error (*recalibrate)(u64 now, bool stopped);

	/*
	 * Whether a tick while cycle_interval was 0 did not end and was aborted. From then on
	 * ticks do nothing, until init(). NULL: such a tick is not aborted.
	 */
	bool (*endless)(void);

	void (*state)(struct tk_state *state);

	/*
	 * Adds the readings of `sets` (enum tk_reading_set) that this core has, at the counter's
	 * value `now` (tk/clocks.h). They do not change the core. NULL: it has none.
	 */
	void (*readings)(u64 now, u32 sets, struct tk_readings *readings);

	/*
	 * From here to live(NULL, NULL) or init(), the core reads the counter as a kernel does:
	 * counter(context), on whichever CPU it runs. Then ask() may be called from any CPU at any
	 * time, also while another is in tick(), whose `now` is what counter() gave. ask() reads
	 * one clock (enum tk_reading); false: this core does not have it, or it is none that may be
	 * read so. NULL: this core cannot.
	 */
	void (*live)(u64 (*counter)(void *context), void *context);
	bool (*ask)(u32 which, s64 *value);

	/*
	 * While held, ticks do not write the page that user space reads: nobody is going to read it
	 * before the next tick that does. NULL: this core has no such page.
	 */
	void (*hold_vdso)(bool held);

	/*
	 * timekeeping_suspend() and timekeeping_resume(). Between the two only tick() (which does
	 * nothing), read(), readings() and state() may be called, and the counter may have any
	 * value at the resume. NULL: this core cannot sleep.
	 */
	void (*suspend)(u64 now, const struct tk_sleep *sleep);
	void (*resume)(u64 now, const struct tk_sleep *sleep);
	/*
	 * timekeeping_inject_sleeptime64(): the time slept, as the RTC's driver found it out after
	 * the resume. NULL: this core has no such function.
	 */
	void (*inject_sleep)(u64 now, s64 sec, u32 nsec);

	/*
	 * timekeeping_warp_clock(): a hardware clock that runs in local time, this many minutes
	 * west of UTC, is put right by a step of CLOCK_REALTIME. A step that settime() would refuse
	 * is not made.
	 */
	void (*warp)(u64 now, s32 minutes_west);

	/*
	 * hardpps(). TK_ENOTSUPP: the core was started without tk_setup.pps. NULL: the kernel was
	 * lifted without CONFIG_NTP_PPS.
	 */
	enum tk_error (*hardpps)(const struct tk_pulse *pulse);

	/* NULL: this core has no auxiliary clocks. */
	const struct tk_aux_ops *aux;
};

extern const struct tk_ops tk_native;
/* There is at most one lifted core in an image; NULL where there is none (weak). */
extern const struct tk_ops tk_linux __attribute__((weak));

/*
 * Parses "all", "mailed", "none", or names joined by commas. TK_ESWITCH: an unknown name, or both
 * forms of `remainder`.
 */
enum tk_error tk_switches_parse(const char *text, u32 *switches);

/* The name of one switch ("remainder"), or NULL if it is not exactly one bit. */
const char *tk_switch_name(u32 one);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The vmclock page: its layout (uapi-group.org, UAPI.13, as Linux's vmclock-abi.h has it), a reader
 * that refuses what cannot be trusted and says why, and a writer. Freestanding; the same object
 * code reads in the guest, in the host process and in the publisher's audit.
 */
#ifndef TB_VMCLOCK_VMCLOCK_H
#define TB_VMCLOCK_VMCLOCK_H

#include "lib/types.h"
#include "lib/instant.h"

#define VMCLOCK_MAGIC	0x4b4c4356U
#define VMCLOCK_VERSION 1

enum vmclock_counter {
	VMCLOCK_COUNTER_ARM_VCNT = 0,
	VMCLOCK_COUNTER_X86_TSC = 1,
	VMCLOCK_COUNTER_INVALID = 0xff,
};

enum vmclock_time_type {
	VMCLOCK_TIME_UTC = 0,
	VMCLOCK_TIME_TAI = 1,
	VMCLOCK_TIME_MONOTONIC = 2,
};

enum vmclock_status {
	VMCLOCK_STATUS_UNKNOWN = 0,
	VMCLOCK_STATUS_INITIALIZING = 1,
	VMCLOCK_STATUS_SYNCHRONIZED = 2,
	VMCLOCK_STATUS_FREERUNNING = 3,
	VMCLOCK_STATUS_UNRELIABLE = 4,
};

#define VMCLOCK_FLAG_TAI_OFFSET_VALID	 (1ULL << 0)
#define VMCLOCK_FLAG_DISRUPTION_SOON	 (1ULL << 1)
#define VMCLOCK_FLAG_DISRUPTION_IMMINENT (1ULL << 2)
#define VMCLOCK_FLAG_PERIOD_ESTERROR	 (1ULL << 3)
#define VMCLOCK_FLAG_PERIOD_MAXERROR	 (1ULL << 4)
#define VMCLOCK_FLAG_TIME_ESTERROR	 (1ULL << 5)
#define VMCLOCK_FLAG_TIME_MAXERROR	 (1ULL << 6)
#define VMCLOCK_FLAG_TIME_MONOTONIC	 (1ULL << 7)
#define VMCLOCK_FLAG_VM_GEN_COUNTER	 (1ULL << 8)
#define VMCLOCK_FLAG_NOTIFICATION	 (1ULL << 9)

struct vmclock_abi {
	u32 magic;
	u32 size; /* of the whole page region, bytes */
	u16 version;
	u8 counter_id; /* enum vmclock_counter */
	u8 time_type;  /* enum vmclock_time_type */
	u32 seq_count; /* odd: an update is under way */
	u64 disruption_marker;
	u64 flags;
	u8 pad[2];
	u8 clock_status; /* enum vmclock_status */
	u8 leap_second_smearing_hint;
	s16 tai_offset_sec;
	u8 leap_indicator;
	u8 counter_period_shift;
	u64 counter_value;
	u64 counter_period_frac_sec; /* period = this * 2^-(64 + counter_period_shift) s */
	u64 counter_period_esterror_rate_frac_sec;
	u64 counter_period_maxerror_rate_frac_sec;
	u64 time_sec;
	u64 time_frac_sec;
	u64 time_esterror_nanosec;
	u64 time_maxerror_nanosec;
	u64 vm_generation_counter;
};

#define VMCLOCK_PAGE_SIZE 4096U

enum vmclock_error {
	VMCLOCK_OK = 0,
	VMCLOCK_ABSENT, /* no page at all */
	VMCLOCK_BAD_MAGIC,
	VMCLOCK_BAD_SIZE, /* states a size below that of its fields, or above what is mapped */
	VMCLOCK_BAD_VERSION,
	VMCLOCK_NO_COUNTER,    /* counter_id 0xff: stock QEMU's page, markers only */
	VMCLOCK_WRONG_COUNTER, /* not the x86 TSC */
	VMCLOCK_BAD_TIME_TYPE, /* not UTC, nor TAI with its offset to UTC */
	VMCLOCK_WRITER_HOLDS,  /* seq_count stayed odd */
	VMCLOCK_NEVER_STABLE,  /* seq_count moved during every try */
	VMCLOCK_BAD_SHIFT,     /* counter_period_shift > 64 */
	VMCLOCK_BAD_PERIOD,    /* zero, or a counter below 1 kHz or above 10 GHz */
	VMCLOCK_BAD_TIME,      /* time_sec beyond 2^62 */
	VMCLOCK_STATUS_IS_UNKNOWN,
	VMCLOCK_STATUS_IS_INITIALIZING,
	VMCLOCK_STATUS_IS_UNRELIABLE,
	VMCLOCK_BAD_STATUS,	   /* not in enum vmclock_status */
	VMCLOCK_COUNTER_IN_FUTURE, /* counter_value is more than 2^62 cycles, or 1 hour, ahead */
	VMCLOCK_ERRORS,
};

/* One sentence for each enum vmclock_error. */
const char *vmclock_strerror(enum vmclock_error error);

/*
 * Whether a refusal may be over in a moment: the page is being made, its writer sleeps, or its
 * publisher has had no answer from this guest for a while and cannot tell whether the guest's
 * counter stood still meanwhile.
 */
static inline bool vmclock_may_pass(enum vmclock_error error)
{
	return error == VMCLOCK_STATUS_IS_INITIALIZING || error == VMCLOCK_STATUS_IS_UNKNOWN ||
	       error == VMCLOCK_WRITER_HOLDS || error == VMCLOCK_NEVER_STABLE;
}

/* A consistent copy of what the page says. */
struct vmclock_line {
	u64 counter_value;
	instant time;	    /* in the page's own time_type, at counter_value */
	s32 tai_offset_sec; /* TAI - UTC; valid with VMCLOCK_FLAG_TAI_OFFSET_VALID */
	u64 period_frac;
	u8 period_shift;
	u8 time_type;
	u8 clock_status;
	u8 leap_indicator;
	u32 seq_count;
	u64 disruption_marker;
	u64 vm_generation_counter; /* 0 without VMCLOCK_FLAG_VM_GEN_COUNTER */
	u64 flags;
	u64 period_esterror; /* rates as in the page; 0 where the flag is not set */
	u64 period_maxerror;
	u64 time_esterror_ns;
	u64 time_maxerror_ns;
};

/* How often vmclock_read() tries before it refuses; each try spins at most as often on an odd
 * count. */
#define VMCLOCK_TRIES 1000

/*
 * Reads the page with the seq_count rule and validates it. On VMCLOCK_NO_COUNTER and on the three
 * status refusals `line` still holds the markers and what else the page said; on other refusals it
 * is zeroed. `mapped` is how many bytes of the page may be touched. `now` is the counter, or 0 not
 * to check for a counter_value in the future. Bounded; any context.
 */
enum vmclock_error vmclock_read(const volatile struct vmclock_abi *page, u64 mapped, u64 now,
				struct vmclock_line *line);

/* Copies the fields of a page of any contents, without regard to seq_count. */
void vmclock_raw(const volatile struct vmclock_abi *page, struct vmclock_abi *copy);

/*
 * Identifies a state of the page. seq_count alone does not: if a snapshot is restored, the page's
 * memory may be restored too, and the count may return to an earlier value with another line.
 */
struct vmclock_seen {
	u32 seq_count;
	u64 disruption_marker;
	u64 counter_value;
};

/* The page as it is at the moment; to be taken before vmclock_read(), so that no change between
 * the two is missed. */
static inline void vmclock_look(const volatile struct vmclock_abi *page, struct vmclock_seen *seen)
{
	seen->seq_count = page->seq_count;
	seen->disruption_marker = page->disruption_marker;
	seen->counter_value = page->counter_value;
}

/*
 * Whether the page has changed since: three loads. May report a change that did not happen, but
 * misses none.
 */
static inline bool vmclock_changed(const volatile struct vmclock_abi *page,
				   const struct vmclock_seen *seen)
{
	return page->seq_count != seen->seq_count ||
	       page->disruption_marker != seen->disruption_marker ||
	       page->counter_value != seen->counter_value;
}

/*
 * How long a line is valid that states how fast its error grows (period_maxerror is not 0). A
 * publisher that states it follows a clock and replaces the line in time: vmclock-host at least
 * every 2 s, so after 5 s it has stopped. A line that states 0 (`--static`) or nothing is never
 * replaced, and is permanently valid.
 */
#define VMCLOCK_LINE_SECONDS 5

/* Seconds by which the line is older than that at `now`, plus one; 0: it is still valid. */
u64 vmclock_outlived(const struct vmclock_line *line, u64 now);

/*
 * T_ref(c) = time + (c - counter_value) * period, exact to 2^-64 s (rounded down), for any counter
 * less than 2^63 cycles before or after counter_value, also across its wrap; in the page's
 * time_type.
 */
instant vmclock_time_at(const struct vmclock_line *line, u64 counter);

/* The same in UTC: VMCLOCK_TIME_UTC as it stands, TAI less its offset. */
instant vmclock_utc_at(const struct vmclock_line *line, u64 counter);

/* Frequency in Hz, rounded to nearest, for reports. */
u64 vmclock_counter_hz(const struct vmclock_line *line);

/* period_frac and _shift of n / d seconds, rounded to nearest; 0 < n < d < 2^126. The largest shift
 * that fits. */
void vmclock_period_ratio(u128 n, u128 d, u64 *period_frac, u8 *period_shift);

/* period_frac and _shift of a counter of `hz` that runs `rate_ppt` * 10^-12 slow of it (its period
 * is longer by that fraction). hz 1000 to 10^10, |rate_ppt| <= 10^11. The largest shift that fits.
 */
void vmclock_period_from_hz(u64 hz, s64 rate_ppt, u64 *period_frac, u8 *period_shift);

/* Writes magic, size, version and the given line into a fresh page, whole (seq_count starts at 2).
 */
void vmclock_page_init(volatile struct vmclock_abi *page, const struct vmclock_line *line);

/* Replaces the line: seq_count odd, fields, seq_count even. One writer at a time. Ignores
 * line->seq_count. */
void vmclock_page_update(volatile struct vmclock_abi *page, const struct vmclock_line *line);

#endif

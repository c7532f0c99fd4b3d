// SPDX-License-Identifier: GPL-2.0-or-later
/* Field by field: the state, a reading, an error, adjtimex's answer. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "diff/compare.h"

/* Each field of struct tk_state. */
#define STATE_FIELDS(X)              \
	X(cycle_last)                \
	X(cycle_interval)            \
	X(xtime_interval)            \
	X(xtime_sec)                 \
	X(xtime_nsec)                \
	X(raw_sec)                   \
	X(raw_nsec)                  \
	X(wall_to_monotonic.tv_sec)  \
	X(wall_to_monotonic.tv_nsec) \
	X(ntp_tick)                  \
	X(tick_length)               \
	X(ntp_error)                 \
	X(time_offset)               \
	X(skew_delta)                \
	X(time_freq)                 \
	X(time_adjust)               \
	X(mult)                      \
	X(time_adjust_frac)          \
	X(time_maxerror)             \
	X(ntp_next_leap_sec)         \
	X(shift)                     \
	X(ntp_error_shift)           \
	X(ntp_err_mult)              \
	X(skip_second_overflow)      \
	X(tai_offset)                \
	X(time_state)                \
	X(time_status)               \
	X(time_constant)

struct field {
	const char *name;
	size_t offset, size;
};

#define FIELD(member) \
	{ #member, offsetof(struct tk_state, member), sizeof(((struct tk_state *)0)->member) },

static const struct field state_fields[] = { STATE_FIELDS(FIELD) };

/*
 * Field by field, and not as bytes: the states have just been written, and a load that is wider
 * than the stores before it has to wait for them.
 */
static __attribute__((optimize("no-tree-slp-vectorize"))) bool same(const struct tk_state *a,
								    const struct tk_state *b)
{
	u64 differ = 0;

#define DIFFER(member) differ |= (u64)(a->member ^ b->member);
	STATE_FIELDS(DIFFER)
#undef DIFFER
	return !differ;
}

static long long field_of(const void *base, size_t offset, size_t size)
{
	const char *at = (const char *)base + offset;

	return size == 8 ? *(const long long *)(const void *)at : *(const s32 *)(const void *)at;
}

void compare_note(struct difference *difference, const char *name, long long a, long long b)
{
	size_t used = strlen(difference->text);

	difference->found = true;
	snprintf(difference->text + used, sizeof(difference->text) - used,
		 "  %-22s %22lld %22lld\n", name, a, b);
}

bool compare_is_native(const struct tk_ops *core)
{
	return !strcmp(core->identity->core, "native");
}

u32 compare_fields(u32 left_out)
{
	return (u32)TB_ARRAY_SIZE(state_fields) - (u32)__builtin_popcount(left_out);
}

void compare_state(struct tk_state state[CORES], u32 left_out, struct difference *difference)
{
	for (int i = 0; left_out && i < CORES; i++) {
		if (left_out & TK_LACKS_SKEW_DELTA)
			state[i].skew_delta = 0;
		if (left_out & TK_LACKS_TIME_ADJUST_FRAC)
			state[i].time_adjust_frac = 0;
	}
	if (same(&state[CORE_A], &state[CORE_B]))
		return;
	for (size_t i = 0; i < TB_ARRAY_SIZE(state_fields); i++) {
		const struct field *field = &state_fields[i];
		long long a = field_of(&state[CORE_A], field->offset, field->size);
		long long b = field_of(&state[CORE_B], field->offset, field->size);

		if (a != b)
			compare_note(difference, field->name, a, b);
	}
}

void compare_time(const struct tk_time time[CORES], struct difference *difference)
{
	if (time[CORE_A].sec != time[CORE_B].sec)
		compare_note(difference, "read sec", time[CORE_A].sec, time[CORE_B].sec);
	if (time[CORE_A].nsec != time[CORE_B].nsec)
		compare_note(difference, "read nsec", time[CORE_A].nsec, time[CORE_B].nsec);
	if (time[CORE_A].mono_ns != time[CORE_B].mono_ns)
		compare_note(difference, "read monotonic ns", time[CORE_A].mono_ns,
			     time[CORE_B].mono_ns);
	if (time[CORE_A].instant != time[CORE_B].instant)
		compare_note(difference, "read 2^-64 s", (long long)(u64)time[CORE_A].instant,
			     (long long)(u64)time[CORE_B].instant);
}

void compare_error(const enum tk_error error[CORES], struct difference *difference)
{
	if (!error[CORE_A] != !error[CORE_B])
		compare_note(difference, "error", error[CORE_A], error[CORE_B]);
}

void compare_refusal(const enum tk_error error[CORES], struct difference *difference)
{
	if (error[CORE_A] != error[CORE_B])
		compare_note(difference, "error", error[CORE_A], error[CORE_B]);
}

#define COMPARE(member)                                                                  \
	do {                                                                             \
		if (timex[CORE_A].member != timex[CORE_B].member)                        \
			compare_note(difference, "timex " #member, timex[CORE_A].member, \
				     timex[CORE_B].member);                              \
	} while (0)

void compare_timex(const struct tk_timex timex[CORES], u32 modes, struct difference *difference)
{
	COMPARE(offset);
	COMPARE(freq);
	COMPARE(maxerror);
	COMPARE(esterror);
	COMPARE(status);
	COMPARE(constant);
	COMPARE(tick);
	COMPARE(tai);
	COMPARE(state);
	COMPARE(precision);
	COMPARE(tolerance);
	COMPARE(ppsfreq);
	COMPARE(jitter);
	COMPARE(shift);
	COMPARE(stabil);
	COMPARE(jitcnt);
	COMPARE(calcnt);
	COMPARE(errcnt);
	COMPARE(stbcnt);
	/* Some kernels read the clock before they step it, some after. */
	if (!(modes & TK_ADJ_SETOFFSET)) {
		COMPARE(time_sec);
		COMPARE(time_usec);
	}
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* Field by field: the state, a reading, an error, adjtimex's answer. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "diff/compare.h"

struct field {
	const char *name;
	size_t offset, size;
};

#define FIELD(member)                                                                              \
	{                                                                                          \
#member, offsetof(struct tk_state, member), sizeof(((struct tk_state *)0)->member) \
	}

static const struct field state_fields[] = {
	FIELD(cycle_last),
	FIELD(cycle_interval),
	FIELD(xtime_interval),
	FIELD(xtime_sec),
	FIELD(xtime_nsec),
	FIELD(raw_sec),
	FIELD(raw_nsec),
	FIELD(wall_to_monotonic.tv_sec),
	FIELD(wall_to_monotonic.tv_nsec),
	FIELD(ntp_tick),
	FIELD(tick_length),
	FIELD(ntp_error),
	FIELD(time_offset),
	FIELD(skew_delta),
	FIELD(time_freq),
	FIELD(time_adjust),
	FIELD(mult),
	FIELD(time_adjust_frac),
	FIELD(time_maxerror),
	FIELD(ntp_next_leap_sec),
	FIELD(shift),
	FIELD(ntp_error_shift),
	FIELD(ntp_err_mult),
	FIELD(skip_second_overflow),
	FIELD(tai_offset),
	FIELD(time_state),
	FIELD(time_status),
	FIELD(time_constant),
};

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
	/* struct tk_state has no padding: every byte belongs to a field. */
	if (!memcmp(&state[CORE_A], &state[CORE_B], sizeof(state[CORE_A])))
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

// SPDX-License-Identifier: GPL-2.0-or-later
/* Recognisable lines. Assumes only that a reader compares all fields but seq_count. */
#include "vmclock/stress.h"

/* Set in no other page: a flag bit that the specification does not use. */
#define STRESS_FLAG (1ULL << 63)

/* Spreads neighbouring numbers over all bits: multiplication by an odd constant, folded twice. */
static u64 spread(u64 n)
{
	n = (n ^ (n >> 31)) * 0x9e3779b97f4a7c15ULL;
	n = (n ^ (n >> 29)) * 0xd6e8feb86659fd93ULL;
	return n ^ (n >> 32);
}

void vmclock_stress_line(u64 n, struct vmclock_line *line)
{
	static const struct vmclock_line nothing;
	u64 bits = spread(n);

	*line = nothing;
	line->vm_generation_counter = n;
	line->flags = STRESS_FLAG | VMCLOCK_FLAG_TAI_OFFSET_VALID | VMCLOCK_FLAG_PERIOD_ESTERROR |
		      VMCLOCK_FLAG_PERIOD_MAXERROR | VMCLOCK_FLAG_TIME_ESTERROR |
		      VMCLOCK_FLAG_TIME_MAXERROR | VMCLOCK_FLAG_VM_GEN_COUNTER |
		      (bits & VMCLOCK_FLAG_NOTIFICATION);
	line->disruption_marker = ~bits;
	line->time_type = bits & 1 ? VMCLOCK_TIME_TAI : VMCLOCK_TIME_UTC;
	line->clock_status = bits & 2 ? VMCLOCK_STATUS_SYNCHRONIZED : VMCLOCK_STATUS_FREERUNNING;
	line->leap_indicator = (u8)(bits >> 8 & 3);
	line->tai_offset_sec = (s16)(bits >> 16);
	/* Seconds of any counter: no reader finds it far in the future. */
	line->counter_value = bits >> 32;
	line->time = instant_make((s64)(bits >> 8), bits * 3);
	/* 2^63 to 2^64 at a shift of 30 to 32: counters between 1 and 9 GHz. */
	line->period_frac = bits | 1ULL << 63;
	line->period_shift = (u8)(30 + bits % 3);
	line->period_esterror = bits * 5;
	line->period_maxerror = bits * 7;
	line->time_esterror_ns = bits * 11;
	line->time_maxerror_ns = bits * 13;
}

bool vmclock_stress_is(const struct vmclock_line *line)
{
	return line->flags & STRESS_FLAG;
}

bool vmclock_stress_whole(const struct vmclock_line *line)
{
	struct vmclock_line want;

	vmclock_stress_line(line->vm_generation_counter, &want);
	return line->counter_value == want.counter_value && line->time == want.time &&
	       line->tai_offset_sec == want.tai_offset_sec &&
	       line->period_frac == want.period_frac && line->period_shift == want.period_shift &&
	       line->time_type == want.time_type && line->clock_status == want.clock_status &&
	       line->leap_indicator == want.leap_indicator &&
	       line->disruption_marker == want.disruption_marker && line->flags == want.flags &&
	       line->period_esterror == want.period_esterror &&
	       line->period_maxerror == want.period_maxerror &&
	       line->time_esterror_ns == want.time_esterror_ns &&
	       line->time_maxerror_ns == want.time_maxerror_ns;
}

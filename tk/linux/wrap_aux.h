/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Part of wrap_timekeeping.c: the auxiliary clocks of a lifted core that has them. */

static_assert(MAX_AUX_CLOCKS == 8, "TK_AUX_CLOCKS");

/* As a write to /sys/kernel/time/aux_clocks/ID/aux_clock_enable does. */
void lift_aux_enable(u64 now, u32 id, bool enable)
{
	const char name[] = { (char)('0' + id), 0 };
	struct kobject clock = { .name = name };

	lift_hold(now);
	aux_clock_enable_store(&clock, NULL, enable ? "1" : "0", 1);
}

int lift_aux_settime(u64 now, u32 id, s64 sec, u32 nsec)
{
	const struct timespec64 ts = { .tv_sec = sec, .tv_nsec = nsec };

	lift_hold(now);
	return clock_aux.clock_set((clockid_t)(CLOCK_AUX + id), &ts);
}

int lift_aux_adjtimex(u64 now, u32 id, struct lift_timex *timex)
{
	struct __kernel_timex txc = lift_timex_in(timex);
	int ret;

	lift_hold(now);
	ret = clock_aux.clock_adj((clockid_t)(CLOCK_AUX + id), &txc);
	if (ret >= 0)
		lift_timex_out(timex, &txc);
	return ret;
}

int lift_aux_read(u64 now, u32 id, s64 *ns)
{
	struct timespec64 ts;
	int ret;

	lift_hold(now);
	ret = clock_aux.clock_get_timespec((clockid_t)(CLOCK_AUX + id), &ts);
	if (ret >= 0)
		*ns = timespec64_to_ns(&ts);
	return ret;
}

void lift_aux_clock_get(u32 id, struct tk_state_clock *clock)
{
	lift_clock_of(&timekeeper_data[TIMEKEEPER_AUX_FIRST + id].timekeeper, clock);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Part of wrap_timekeeping.c: the auxiliary clocks of a lifted core that has them. */

static_assert(MAX_AUX_CLOCKS == 8, "TK_AUX_CLOCKS");

/* As a write to /sys/kernel/time/aux_clocks/ID/aux_clock_enable does. */
void lift_aux_enable(u64 now, u32 id, bool enable)
{
	const char name[] = { (char)('0' + id), 0 };
	struct kobject clock = { .name = name };

	lift_hold(now);
	lift_aux_call = true;
	lift_aux_stored = aux_clock_enable_store(&clock, NULL, enable ? "1" : "0", 1);
	lift_aux_call = false;
}

int lift_aux_settime(u64 now, u32 id, s64 sec, u32 nsec)
{
	const struct timespec64 ts = { .tv_sec = sec, .tv_nsec = nsec };
	int ret;

	lift_hold(now);
	lift_aux_call = true;
	ret = clock_aux.clock_set((clockid_t)(CLOCK_AUX + id), &ts);
	lift_aux_call = false;
	return ret;
}

int lift_aux_adjtimex(u64 now, u32 id, struct lift_timex *timex)
{
	struct __kernel_timex txc = lift_timex_in(timex);
	int ret;

	lift_hold(now);
	lift_aux_call = true;
	ret = clock_aux.clock_adj((clockid_t)(CLOCK_AUX + id), &txc);
	lift_aux_call = false;
	if (ret >= 0)
		lift_timex_out(timex, &txc);
	return ret;
}

#if LIFT_HAS_SNAPSHOT_ID
static void lift_aux_snapshot(clockid_t clock, struct lift_aux_time *time)
{
	struct system_time_snapshot snapshot = { .valid = false };

	ktime_get_snapshot_id(clock, &snapshot);
	time->has_snapshot = true;
	time->snapshot_ns = snapshot.valid ? snapshot.systime : -1;
	time->snapshot_raw_ns = snapshot.valid ? snapshot.monoraw : -1;
}
#else
static void lift_aux_snapshot(clockid_t clock, struct lift_aux_time *time)
{
	time->has_snapshot = false;
}
#endif

int lift_aux_read(u64 now, u32 id, struct lift_aux_time *time)
{
	const clockid_t clock = (clockid_t)(CLOCK_AUX + id);
	struct timespec64 ts;
	int ret;

	lift_hold(now);
	ret = clock_aux.clock_get_timespec(clock, &ts);
	if (ret < 0)
		return ret;
	time->ns = timespec64_to_ns(&ts);
	lift_aux_snapshot(clock, time);
	return ret;
}

void lift_aux_clock_get(u32 id, struct tk_state_clock *clock)
{
	lift_clock_of(&timekeeper_data[TIMEKEEPER_AUX_FIRST + id].timekeeper, clock);
}

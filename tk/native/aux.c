// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The native core: auxiliary clocks. Each is a second instance of the same equations over the same
 * counter, with NTP data of its own. Its CLOCK_REALTIME and CLOCK_MONOTONIC are the same, start at
 * 0 and are never set: setting the clock changes offs_aux.
 */
#include "tk/native/native.h"

static struct timekeeper clocks[TK_AUX_CLOCKS];
u32 aux_enabled;
static struct timekeeper *main_clock;

/* A clock that is enabled, or NULL. */
static struct timekeeper *find(u32 id)
{
	return id < TK_AUX_CLOCKS && aux_enabled & 1U << id ? &clocks[id] : NULL;
}

/* ns of a clock with this mult since its second; a counter that went back: 0. */
static s64 since_second(const struct timekeeper *tk, u64 now, u32 mult, u64 snsec)
{
	u64 delta = (now - tk->cycle_last) & tk->mask;

	if (delta > tk->conversion.max_cycles && delta & ~(tk->mask >> 1))
		delta = 0;
	return (s64)(((u128)delta * mult + snsec) >> tk->shift);
}

/* The clock's time at `now`, without its offset. */
static s64 since_start(const struct timekeeper *tk, u64 now)
{
	return tk->xtime_sec * NSEC + since_second(tk, now, tk->mult, tk->xtime_nsec);
}

void aux_reset(struct timekeeper *core)
{
	main_clock = core;
	aux_enabled = 0;
	for (u32 i = 0; i < TK_AUX_CLOCKS; i++) {
		clocks[i] = (struct timekeeper){ .switches = core->switches, .hz = core->hz };
		ntp_init(&clocks[i].ntp, 0);
		clocks[i].ntp.pps.configured = core->ntp.pps.configured;
	}
}

void aux_advance(u64 now)
{
	for (u32 rest = main_clock->sleep.suspended ? 0 : aux_enabled; rest; rest &= rest - 1)
		timekeeping_advance(&clocks[__builtin_ctz(rest)], now, TK_ADV_TICK);
}

void aux_change_counter(u64 now, const struct tk_counter *next, u64 next_now)
{
	for (u32 rest = aux_enabled; rest; rest &= rest - 1) {
		struct timekeeper *tk = &clocks[__builtin_ctz(rest)];

		timekeeping_forward_now(tk, now);
		tk_setup_internals(tk, next, next_now);
		timekeeping_clear_ntp(tk);
	}
}

static void aux_enable(u64 now, u32 id, bool enable)
{
	struct timekeeper *tk;

	if (id >= TK_AUX_CLOCKS || enable == !!find(id))
		return;
	aux_enabled ^= 1U << id;
	if (!enable)
		return;
	tk = &clocks[id];
	/* What NTP has learnt before stays. */
	*tk = (struct timekeeper){ .switches = tk->switches, .hz = tk->hz, .ntp = tk->ntp };
	tk_setup_internals(tk, &main_clock->counter, now);
	timekeeping_clear_ntp(tk);
}

static enum tk_error aux_settime(u64 now, u32 id, s64 sec, u32 nsec)
{
	struct timekeeper *tk = find(id);

	if (sec < 0 || sec >= TK_SEC_MAX || nsec >= NSEC)
		return TK_EINVAL;
	if (!tk)
		return TK_ENODEV;
	timekeeping_forward_now(tk, now);
	tk->offs_aux = sec * NSEC + nsec - since_start(tk, now);
	timekeeping_clear_ntp(tk);
	return TK_OK;
}

/* ns. As in the kernel, too many seconds are the most there are, and too few wrap. */
static s64 ktime_set(s64 sec, s64 nsec)
{
	if (sec >= TK_NO_LEAP / NSEC)
		return TK_NO_LEAP;
	return (s64)((u64)sec * TB_NSEC_PER_SEC + (u64)nsec);
}

/*
 * ADJ_SETOFFSET. The kernel computes the time that it checks from the second of the latest update
 * and the nanoseconds of the present one: if a second has begun since, it refuses a step that would
 * lead to less than that.
 */
static enum tk_error aux_inject(struct timekeeper *tk, u64 now, s64 sec, s64 nsec)
{
	const s64 second = tk->xtime_sec;
	const struct timekeeper before = *tk;
	s64 offset, checked;

	timekeeping_forward_now(tk, now);
	offset = (s64)((u64)tk->offs_aux + (u64)ktime_set(sec, nsec));
	checked = (s64)((u64)(second * NSEC) + (tk->xtime_nsec >> tk->shift) + (u64)offset);
	if (checked < 0) {
		*tk = before;
		return TK_EINVAL;
	}
	tk->offs_aux = offset;
	timekeeping_clear_ntp(tk);
	return TK_OK;
}

static enum tk_error aux_adjtimex(u64 now, u32 id, struct tk_timex *timex)
{
	const s32 refused = TK_STA_INS | TK_STA_DEL | TK_STA_PPSFREQ | TK_STA_PPSTIME;
	struct timekeeper *tk = find(id);
	enum tk_error error = timekeeping_validate_timex(timex);
	s64 ns;

	if (id >= TK_AUX_CLOCKS)
		return TK_ENODEV;
	if (error)
		return error;
	if (timex->modes & TK_ADJ_TAI || (timex->modes & TK_ADJ_STATUS && timex->status & refused))
		return TK_EINVAL;
	if (!tk)
		return TK_ENODEV;
	ns = since_start(tk, now) + tk->offs_aux;
	if (timex->modes & TK_ADJ_SETOFFSET) {
		s64 unit = timex->modes & TK_ADJ_NANO ? 1 : 1000;

		error = aux_inject(tk, now, timex->time_sec, timex->time_usec * unit);
		if (error)
			return error;
	}
	tell(main_clock, TKR_TOLD_RANDOMNESS);
	tell(main_clock, TKR_TOLD_RANDOMNESS);
	ntp_adjtimex(tk, timex, ns / NSEC, (u32)(ns % NSEC), &tk->tai_offset);
	if (timex->modes & (TK_ADJ_FREQUENCY | TK_ADJ_TICK))
		timekeeping_advance(tk, now, TK_ADV_FREQ);
	return TK_OK;
}

static enum tk_error aux_read(u64 now, u32 id, struct tk_aux_time *time)
{
	const struct timekeeper *tk = find(id);

	if (!tk)
		return TK_ENODEV;
	*time = (struct tk_aux_time){
		.ns = since_start(tk, now) + tk->offs_aux,
		.has_snapshot = true,
		.snapshot_ns = since_start(tk, now) + tk->offs_aux,
		.snapshot_raw_ns = (s64)tk->raw_sec * NSEC +
				   since_second(tk, now, tk->conversion.mult, tk->raw_nsec),
	};
	return TK_OK;
}

static void aux_state(u32 id, struct tk_state *state)
{
	const struct timekeeper *tk = &clocks[id];

	/* Each is the first member of its struct. */
	tk_state_join(state, (const struct tk_state_clock *)tk,
		      (const struct tk_state_ntp *)&tk->ntp);
}

const struct tk_aux_ops native_aux = {
	.enable = aux_enable,
	.settime = aux_settime,
	.adjtimex = aux_adjtimex,
	.read = aux_read,
	.state = aux_state,
};

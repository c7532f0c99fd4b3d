// SPDX-License-Identifier: GPL-2.0-or-later
/* The native core behind tk.h: its operations, and the reader. */
#include "lib/string.h"
#include "tk/native/native.h"

static struct timekeeper core;

/* The writer's side of the seqcount: a reader that overlaps with a writer tries again. */
static void write_begin(struct timekeeper *tk)
{
	__atomic_store_n(&tk->seq, tk->seq + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

static void write_end(struct timekeeper *tk)
{
	__atomic_store_n(&tk->seq, tk->seq + 1, __ATOMIC_RELEASE);
}

static void native_tick(u64 now)
{
	write_begin(&core);
	if (timekeeping_advance(&core, now, TK_ADV_TICK))
		tell(&core, TKR_TOLD_SET_DELAYED);
	write_end(&core);
	if (aux_enabled)
		aux_advance(now);
}

/* The time at boot. CLOCK_MONOTONIC is the time since the machine was switched on. */
static void begin_at(struct timekeeper *tk, const struct tk_setup *setup)
{
	const s64 boot_sec = (s64)(setup->boot_ns / TB_NSEC_PER_SEC);
	const s64 boot_nsec = (s64)(setup->boot_ns % TB_NSEC_PER_SEC);

	tk->xtime_sec = setup->sec;
	tk->xtime_nsec = (u64)setup->nsec << tk->shift;
	tk_update_coarse_nsecs(tk);
	tk_sub_wall_to_mono(tk, setup->sec, setup->nsec);
	if (setup->sec > boot_sec || (setup->sec == boot_sec && setup->nsec >= boot_nsec))
		tk_sub_wall_to_mono(tk, -boot_sec, -boot_nsec);
	tk->sleep.persistent = setup->sec || setup->nsec;
}

static enum tk_error native_init(const struct tk_setup *setup)
{
	struct timekeeper *tk = &core;
	struct tk_conversion conversion;
	enum tk_error error = tk_conversion_init(&conversion, &setup->counter);

	if (error)
		return error;
	if (!setup->hz || setup->hz > setup->counter.hz)
		return TK_EFREQUENCY;
	if (setup->sec < 0 || setup->sec >= TK_SEC_MAX || setup->nsec >= NSEC)
		return TK_EINVAL;

	tk->seq &= ~1U; /* a tick that was aborted left it odd */
	write_begin(tk);
	*tk = (struct timekeeper){ .seq = tk->seq, .switches = setup->switches, .hz = setup->hz };
	ntp_init(&tk->ntp, setup->tick_adj);
	tk->ntp.pps.configured = setup->pps;
	tk_setup_internals(tk, &setup->counter, setup->now);
	if (setup->impossible)
		tell(tk, TKR_TOLD_MESSAGES);
	else
		begin_at(tk, setup);
	timekeeping_clear_ntp(tk);
	timekeeping_update(tk, true);
	tell(tk, TKR_TOLD_ENABLED);
	tell(tk, TKR_TOLD_SYSCORE);
	write_end(tk);
	aux_reset(tk);
	return TK_OK;
}

/* Shifted ns since the start of xtime_sec. A counter behind cycle_last counts as 0 cycles. */
static u128 timekeeping_cycles_to_snsec(const struct timekeeper *tk, u64 counter)
{
	u64 delta = (counter - tk->cycle_last) & tk->mask;

	if (delta > tk->conversion.max_cycles && delta & ~(tk->mask >> 1))
		delta = 0;
	return (u128)delta * tk->mult + tk->xtime_nsec;
}

static void native_read(u64 (*counter)(void *context), void *context, struct tk_time *time)
{
	const struct timekeeper *tk = &core;
	s64 sec, wtm_sec, wtm_nsec;
	u32 seq, shift;
	u128 snsec, nsec, rest;

	do {
		while ((seq = __atomic_load_n(&tk->seq, __ATOMIC_ACQUIRE)) & 1)
			;
		time->counter = counter(context);
		snsec = timekeeping_cycles_to_snsec(tk, time->counter);
		shift = tk->shift;
		sec = tk->xtime_sec;
		wtm_sec = tk->wall_to_monotonic.tv_sec;
		wtm_nsec = tk->wall_to_monotonic.tv_nsec;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (__atomic_load_n(&tk->seq, __ATOMIC_RELAXED) != seq);

	nsec = snsec >> shift;
	time->mono_ns = (sec + wtm_sec) * NSEC + wtm_nsec + (s64)nsec;
	time->sec = sec + (s64)div_u128(nsec, (u128)NSEC, &rest);
	time->nsec = (u32)rest;
	time->instant = instant_from_snsec(sec, snsec, shift);
}

static u64 (*live_counter)(void *context);
static void *live_context;

static void native_live(u64 (*counter)(void *context), void *context)
{
	live_counter = counter;
	live_context = context;
}

static bool native_ask(u32 which, s64 *value)
{
	const struct timekeeper *tk = &core;
	bool known;
	u32 seq;

	do {
		while ((seq = __atomic_load_n(&tk->seq, __ATOMIC_ACQUIRE)) & 1)
			;
		known = timekeeping_ask(tk, live_counter(live_context), which, value);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (__atomic_load_n(&tk->seq, __ATOMIC_RELAXED) != seq);
	return known;
}

static enum tk_error native_set_reference(u64 now, const struct tk_reference *reference)
{
	enum tk_error error;

	if (!has(&core, TK_REFERENCE))
		return TK_ESWITCH;
	write_begin(&core);
	error = timekeeping_set_reference(&core, now, reference);
	write_end(&core);
	return error;
}

static enum tk_error native_add_time_offset(u64 now, s64 offset_ns)
{
	(void)now;
	if (offset_ns < -NSEC / 2 || offset_ns > NSEC / 2)
		return TK_EINVAL;
	core.ntp.time_offset += offset_ns * (1LL << NTP_SCALE_SHIFT) / (s64)core.hz;
	return TK_OK;
}

static u64 given(void *context)
{
	return *(u64 *)context;
}

static enum tk_error native_adjtimex(u64 now, struct tk_timex *timex)
{
	struct timekeeper *tk = &core;
	enum tk_error error = timekeeping_validate_timex(timex);
	struct tk_time time;
	s32 tai;

	if (error)
		return error;
	native_read(given, &now, &time);
	write_begin(tk);
	if (timex->modes & TK_ADJ_SETOFFSET) {
		s64 unit = timex->modes & TK_ADJ_NANO ? 1 : 1000;

		error = timekeeping_inject_offset(tk, now, timex->time_sec,
						  timex->time_usec * unit);
	}
	if (!error) {
		bool set = false;

		/* What was asked, and when. */
		tell(tk, TKR_TOLD_RANDOMNESS);
		tell(tk, TKR_TOLD_RANDOMNESS);
		tai = tk->tai_offset;
		ntp_adjtimex(tk, timex, time.sec, time.nsec, &tai);
		if (tai != tk->tai_offset) {
			tk->tai_offset = tai;
			timekeeping_update(tk, true);
			set = true;
		}
		if (timex->modes & (TK_ADJ_FREQUENCY | TK_ADJ_TICK))
			set |= timekeeping_advance(tk, now, TK_ADV_FREQ);
		/* A step has told them already. */
		if (set && !(timex->modes & TK_ADJ_SETOFFSET))
			tell(tk, TKR_TOLD_SET_WALL);
	}
	write_end(tk);
	return error;
}

static enum tk_error native_set(u64 now, s64 sec, u32 nsec)
{
	enum tk_error error;

	write_begin(&core);
	error = timekeeping_settime(&core, now, sec, nsec);
	write_end(&core);
	return error;
}

static enum tk_error native_change_counter(u64 now, const struct tk_counter *next, u64 next_now)
{
	struct tk_conversion conversion;
	enum tk_error error = tk_conversion_init(&conversion, next);

	if (error)
		return error;
	if (core.hz > next->hz)
		return TK_EFREQUENCY;
	write_begin(&core);
	timekeeping_forward_now(&core, now);
	tk_setup_internals(&core, next, next_now);
	timekeeping_clear_ntp(&core);
	timekeeping_update(&core, true);
	tell(&core, TKR_TOLD_TICK_NOTIFY);
	tell(&core, TKR_TOLD_ENABLED);
	tell(&core, TKR_TOLD_DISABLED);
	write_end(&core);
	aux_change_counter(now, next, next_now);
	return TK_OK;
}

static enum tk_error native_recalibrate(u64 now, bool stopped)
{
	struct timekeeper *tk = &core;

	(void)now;
	write_begin(tk);
	if (stopped && tk->cycle_interval) {
		tk->paused_interval = tk->cycle_interval;
		tk->paused_tick = tk->ntp_tick;
		tk->cycle_interval = 0;
		tk->ntp_tick =
			0; /* differs from tick_length, so that the next tick computes mult anew */
	} else if (!stopped && tk->paused_interval) {
		tk->cycle_interval = tk->paused_interval;
		tk->paused_interval = 0;
		tk->ntp_tick = tk->paused_tick;
	}
	write_end(tk);
	return TK_OK;
}

static void native_state(struct tk_state *state)
{
	/* Each is the first member of its struct. */
	tk_state_join(state, (const struct tk_state_clock *)&core,
		      (const struct tk_state_ntp *)&core.ntp);
}

static void native_readings(u64 now, u32 sets, struct tk_readings *readings)
{
	timekeeping_readings(&core, now, sets, readings);
}

static void native_warp(u64 now, s32 minutes_west)
{
	write_begin(&core);
	if (minutes_west)
		timekeeping_inject_offset(&core, now, (s64)minutes_west * 60, 0);
	write_end(&core);
}

static enum tk_error native_hardpps(const struct tk_pulse *pulse)
{
	if (!core.ntp.pps.configured)
		return TK_ENOTSUPP;
	write_begin(&core);
	if (hardpps(&core.ntp, core.hz, pulse))
		ntp_update_frequency(&core);
	write_end(&core);
	return TK_OK;
}

static void native_suspend(u64 now, const struct tk_sleep *sleep)
{
	write_begin(&core);
	timekeeping_suspend(&core, now, sleep);
	write_end(&core);
}

static void native_resume(u64 now, const struct tk_sleep *sleep)
{
	write_begin(&core);
	timekeeping_resume(&core, now, sleep);
	write_end(&core);
}

static void native_inject_sleep(u64 now, s64 sec, u32 nsec)
{
	write_begin(&core);
	timekeeping_inject_sleep(&core, now, sec, nsec);
	write_end(&core);
}

static const struct tk_identity identity = {
	.core = "native",
	.switches = TK_ALL,
	.checks = true,
};

const struct tk_ops tk_native = {
	.identity = &identity,
	.init = native_init,
	.tick = native_tick,
	.read = native_read,
	.set_reference = native_set_reference,
	.add_time_offset = native_add_time_offset,
	.adjtimex = native_adjtimex,
	.settime = native_set,
	.change_counter = native_change_counter,
	.recalibrate = native_recalibrate,
	.state = native_state,
	.readings = native_readings,
	.live = native_live,
	.ask = native_ask,
	.suspend = native_suspend,
	.resume = native_resume,
	.inject_sleep = native_inject_sleep,
	.warp = native_warp,
	.hardpps = native_hardpps,
	.aux = &native_aux,
};

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Part of native.c: faults of what sets and adjusts the core, of its leap seconds, its suspends and
 * its auxiliary clocks.
 */

/* A call that was refused and left something behind. */
static void leave_trace(enum tk_error error)
{
	if (error && fault_is("refusal-traced"))
		core.ntp.time_maxerror ^= 1;
}

/* The same of a step that was made. */
static void spoil_step(void)
{
	if (fault_is("step-1ns"))
		core.xtime_nsec += 1ULL << core.shift;
	if (fault_is("step-mono"))
		tk_sub_wall_to_mono(&core, 0, 1);
}

static void spoil_timex(struct tk_timex *timex)
{
	const bool adjtime = timex->modes & TK_ADJ_ADJTIME;

	if (adjtime)
		return;
	if (fault_is("freq-sign"))
		timex->freq = -timex->freq;
	if (fault_is("tick-usec-off") && timex->tick == 11000)
		timex->tick--;
	/* What cancels a leap second is not heard. */
	if (fault_is("leap-kept") && timex->modes & TK_ADJ_STATUS &&
	    !(timex->status & (TK_STA_INS | TK_STA_DEL)))
		timex->status |= core.ntp.time_status & (TK_STA_INS | TK_STA_DEL);
}

static void spoil_adjusted(const struct tk_timex *asked, struct tk_timex *told)
{
	if (asked->modes & TK_ADJ_ADJTIME) {
		told->offset += fault_is("adjtime-unread") && asked->modes & TK_ADJ_READONLY;
		return;
	}
	if (fault_is("tai-unchecked") && asked->modes & TK_ADJ_TAI)
		core.tai_offset = (s32)asked->constant;
	if (fault_is("loop-gain") && asked->modes & TK_ADJ_OFFSET)
		core.ntp.time_freq++;
	if (fault_is("leap-untold") && told->state != TK_TIME_ERROR)
		told->state = TK_TIME_OK;
	if (fault_is("main-touches-aux") && asked->modes & TK_ADJ_FREQUENCY) {
		struct tk_timex same = *asked;

		native_aux.adjtimex(core.cycle_last, TK_AUX_CLOCKS - 1, &same);
	}
}

static enum tk_error fault_adjtimex(u64 now, struct tk_timex *timex)
{
	const struct tk_timex asked = *timex;
	const s64 leap = core.ntp.ntp_next_leap_sec;
	enum tk_error error;

	if (fault_is("adjtimex-refused"))
		return TK_EINVAL;
	/* 1 ppm is 2^16; a sixteenth of one is missed. */
	if (fault_is("adjtimex-off"))
		timex->freq += 1 << 12;
	spoil_timex(timex);
	error = native_adjtimex(now, timex);
	leave_trace(error);
	if (error)
		return fault_is("step-anywhere") && asked.modes & TK_ADJ_SETOFFSET ? TK_OK : error;
	spoil_adjusted(&asked, timex);
	if (asked.modes & TK_ADJ_SETOFFSET && !(asked.modes & TK_ADJ_ADJTIME)) {
		spoil_step();
		if (fault_is("leap-stays"))
			core.ntp.ntp_next_leap_sec = leap;
	}
	return TK_OK;
}

/* Before a tick, and after it. */
static void spoil_before_tick(void)
{
	if (fault_is("leap-lost"))
		core.ntp.time_status &= ~(TK_STA_INS | TK_STA_DEL);
}

static void spoil_after_tick(s64 maxerror, s32 tai)
{
	if (fault_is("maxerror-stands"))
		core.ntp.time_maxerror = maxerror;
	if (fault_is("leap-moves-tai"))
		core.tai_offset = tai;
	if (fault_is("pps-stays") && core.ntp.pps.valid)
		core.ntp.pps.valid = 10;
}

static void fault_readings(u64 now, u32 sets, struct tk_readings *readings)
{
	native_readings(now, sets, readings);
	if (fault_is("leap-late") && sets & TK_SET_OFFSETS)
		readings->value[TKR_UPDATE_OFFS_REAL] = readings->value[TKR_MONO_TO_REAL];
	spoil_readings(readings);
}

static enum tk_error fault_hardpps(const struct tk_pulse *pulse)
{
	const struct pps_data before = core.ntp.pps;
	struct tk_pulse given = *pulse;
	enum tk_error error;

	if (fault_is("pps-mirrored") && given.real_nsec)
		given.real_nsec = (u32)SECOND_NS - given.real_nsec;
	error = native_hardpps(&given);
	if (fault_is("pps-unasked") && !(core.ntp.time_status & (TK_STA_PPSFREQ | TK_STA_PPSTIME)))
		core.ntp.time_offset++;
	if (fault_is("pps-freq-sign") && core.ntp.pps.calcnt != before.calcnt) {
		core.ntp.time_freq = -core.ntp.time_freq;
		ntp_update_frequency(&core);
	}
	if (fault_is("pps-uncounted")) {
		core.ntp.pps.calcnt = before.calcnt;
		core.ntp.pps.stbcnt = before.stbcnt;
		core.ntp.pps.errcnt = before.errcnt;
	}
	if (fault_is("pps-spikes") && core.ntp.time_status & TK_STA_PPSJITTER)
		core.ntp.time_offset++;
	/* The calibration goes on from where it was. */
	if (fault_is("pps-any-beat") && core.ntp.time_status & TK_STA_PPSJITTER)
		core.ntp.pps.base_ns = before.base_ns;
	return error;
}

static void fault_suspend(u64 now, const struct tk_sleep *sleep)
{
	if (fault_is("sleep-drifts"))
		core.sleep.old_delta = (struct tk_state_timespec){ SECOND_NS, 0 };
	native_suspend(now, sleep);
	if (fault_is("sleep-ticks"))
		core.sleep.suspended = false;
	if (fault_is("sleep-needless"))
		core.sleep.needed = false;
}

static void fault_resume(u64 now, const struct tk_sleep *sleep)
{
	const struct tk_sleep none = { 0 };

	native_resume(now, fault_is("sleep-lost") ? &none : sleep);
	if (fault_is("sleep-mono"))
		tk_sub_wall_to_mono(&core, 0, 1);
	if (fault_is("sleep-boot"))
		core.offs_boot++;
}

static void fault_inject_sleep(u64 now, s64 sec, u32 nsec)
{
	if (fault_is("sleep-any") && nsec >= SECOND_NS)
		core.offs_boot += nsec;
	if (!fault_is("sleep-lost"))
		native_inject_sleep(now, sec, nsec);
}

static enum tk_error fault_aux_read(u64 now, u32 id, struct tk_aux_time *time)
{
	enum tk_error error = native_aux.read(now, id, time);

	if (fault_is("aux-1ns")) {
		time->ns++;
		time->snapshot_ns++;
	}
	return error;
}

static enum tk_error fault_aux_adjtimex(u64 now, u32 id, struct tk_timex *timex)
{
	enum tk_error error;

	if (fault_is("aux-rate") && timex->modes & TK_ADJ_TICK)
		timex->tick++;
	error = native_aux.adjtimex(now, id, timex);
	if (!error && fault_is("aux-touches-main") && timex->modes & TK_ADJ_FREQUENCY)
		core.ntp.time_freq++;
	return error;
}

static void fault_aux_enable(u64 now, u32 id, bool enable)
{
	native_aux.enable(now, id, enable);
}

static enum tk_error fault_aux_settime(u64 now, u32 id, s64 sec, u32 nsec)
{
	return native_aux.settime(now, id, sec, nsec);
}

static void fault_aux_state(u32 id, struct tk_state *state)
{
	native_aux.state(id, state);
}

static const struct tk_aux_ops fault_aux = {
	.enable = fault_aux_enable,
	.settime = fault_aux_settime,
	.adjtimex = fault_aux_adjtimex,
	.read = fault_aux_read,
	.state = fault_aux_state,
};

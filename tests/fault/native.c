// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The native core with a fault: includes the sound one, so that its state can be reached, and
 * stands in its place behind tk.h.
 */
#define tk_native tk_native_sound
#include "tk/native/native.c"
#undef tk_native
#include "tests/fault/fault.h"

#define SECOND_NS 1000000000LL

extern const struct tk_ops tk_native;

static u64 ticks, reads, references;

#include "tests/fault/native_clocks.h"
#include "tests/fault/native_adjust.h"

static enum tk_error fault_init(const struct tk_setup *setup)
{
	struct tk_setup weak = *setup;
	enum tk_error error;

	ticks = reads = references = 0;
	if (fault_is("init-refused"))
		return TK_EINVAL;
	if (fault_is("recalibrate-divides"))
		weak.switches &= ~(u32)TK_DIVZERO;
	error = native_init(&weak);
	if (fault_is("counter-unmasked"))
		core.mask = ~0ULL;
	/* As a cs_tick_adj that is 1 ppm wrong. */
	if (fault_is("tick-length"))
		core.ntp.tick_length += core.ntp.tick_length / 1000000;
	return error;
}

static void fault_tick(u64 now)
{
	const s64 maxerror = core.ntp.time_maxerror;
	const s32 tai = core.tai_offset;
	const bool idle = now - core.cycle_last > 100000 * core.cycle_interval;

	ticks++;
	if (fault_is("tick-dropped") && ticks % 10)
		return;
	while (fault_is("tick-endless") && ticks == 100)
		;
	spoil_before_tick();
	if (fault_is("sequence-late")) {
		/* The count that readers look at changes after what it is to guard. */
		timekeeping_advance(&core, now, TK_ADV_TICK);
		write_begin(&core);
		write_end(&core);
	} else {
		native_tick(now);
	}
	spoil_after_tick(maxerror, tai);
	if (fault_is("error-sign"))
		core.ntp_error = -core.ntp_error;
	if (fault_is("error-lost"))
		core.ntp_error = 0;
	if (fault_is("mult-above"))
		core.mult += 2;
	if (fault_is("idle-lost") && idle)
		core.xtime_nsec += 1ULL << core.shift;
	/* As of a tick that moved the clock and did not store how far: 1 ns each. */
	if (fault_is("copy-skipped"))
		core.xtime_nsec -= 1ULL << core.shift;
}

struct late_counter {
	u64 (*counter)(void *context);
	void *context;
};

static u64 counter_before(void *context)
{
	const struct late_counter *late = context;

	return late->counter(late->context) - core.cycle_interval / 100;
}

static void fault_read(u64 (*counter)(void *context), void *context, struct tk_time *time)
{
	struct late_counter late = { counter, context };

	if (fault_is("reader-late")) {
		/* The time of a hundredth of a tick ago, said to be now's. */
		native_read(counter_before, &late, time);
		time->counter += core.cycle_interval / 100;
		return;
	}
	native_read(counter, context, time);
	if (fault_is("reader-back") && ++reads % 50 == 0)
		time->mono_ns -= SECOND_NS;
	if (fault_is("behind-lost") && (s64)(time->counter - core.cycle_last) < 0)
		time->mono_ns--;
	/* The seconds of the tick before with the rest of the next one. */
	if (fault_is("reader-torn") && ++reads % 50 == 0)
		time->instant += instant_from_nsec(1000000);
	if (fault_is("reader-ahead"))
		time->instant += instant_from_nsec(SECOND_NS);
}

static bool fault_ask(u32 which, s64 *value)
{
	bool known = native_ask(which, value);

	if (fault_is("ask-torn") && ++reads % 50 == 0)
		*value += 1000000;
	if (fault_is("ask-back") && ++reads % 50 == 0)
		*value -= SECOND_NS;
	return known;
}

static enum tk_error fault_set_reference(u64 now, const struct tk_reference *given)
{
	struct tk_reference reference = *given;

	references++;
	if (fault_is("reference-refused"))
		return TK_ERATE;
	if (fault_is("reference-lost") || (fault_is("reference-stale") && references > 1))
		return TK_OK;
	if (fault_is("reference-rate"))
		reference.period_frac -= reference.period_frac >> 28; /* 3.7 ppb */
	if (fault_is("reference-slewed"))
		reference.step_ns = 500000000;
	if (fault_is("reference-1us"))
		reference.time += instant_from_nsec(1000);
	return native_set_reference(now, &reference);
}

static enum tk_error fault_add_time_offset(u64 now, s64 offset_ns)
{
	if (fault_is("offset-lost"))
		return TK_OK;
	if (fault_is("offset-sign"))
		offset_ns = -offset_ns;
	/* 5 ns of 10000 are within the curve's 1 %: only the whole tells. */
	if (fault_is("offset-short"))
		offset_ns -= offset_ns / 2000;
	return native_add_time_offset(now, offset_ns);
}

static enum tk_error fault_settime(u64 now, s64 sec, u32 nsec)
{
	enum tk_error error;

	if (fault_is("settime-refused"))
		return TK_EINVAL;
	error = native_set(now, sec, nsec);
	leave_trace(error);
	if (!error)
		spoil_step();
	if (fault_is("settime-rate")) {
		core.ntp.time_freq = 0;
		ntp_update_frequency(&core);
		timekeeping_advance(&core, now, TK_ADV_FREQ);
	}
	return error;
}

static enum tk_error fault_change_counter(u64 now, const struct tk_counter *next, u64 next_now)
{
	struct tk_counter other = *next;
	enum tk_error error;

	if (fault_is("counter-rate"))
		other.hz -= other.hz / 1000;
	error = native_change_counter(now, &other, next_now);
	if (fault_is("counter-jumps"))
		core.xtime_nsec += 1ULL << core.shift;
	return error;
}

static enum tk_error fault_recalibrate(u64 now, bool stopped)
{
	enum tk_error error;

	if (fault_is("recalibrate-lost"))
		return TK_OK;
	error = native_recalibrate(now, stopped);
	/* What passed while it was stopped is not accumulated. */
	if (fault_is("recalibrate-forgets") && !stopped)
		core.cycle_last = now;
	return error;
}

const struct tk_ops tk_native = {
	.identity = &identity,
	.init = fault_init,
	.tick = fault_tick,
	.read = fault_read,
	.set_reference = fault_set_reference,
	.add_time_offset = fault_add_time_offset,
	.adjtimex = fault_adjtimex,
	.settime = fault_settime,
	.change_counter = fault_change_counter,
	.recalibrate = fault_recalibrate,
	.state = native_state,
	.readings = fault_readings,
	.live = native_live,
	.ask = fault_ask,
	.suspend = fault_suspend,
	.resume = fault_resume,
	.inject_sleep = fault_inject_sleep,
	.hardpps = fault_hardpps,
	.aux = &fault_aux,
};

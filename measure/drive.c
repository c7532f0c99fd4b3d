// SPDX-License-Identifier: GPL-2.0-or-later
/* Drives a core by hand, tick by tick. */
#include "measure/drive.h"
#include "measure/reading.h"

static u64 held(void *context)
{
	return *(u64 *)context;
}

static bool start(struct drive *drive, struct run *run, s64 sec, bool pps)
{
	const u64 mask = run->clock->counter.mask;
	struct tk_setup setup = {
		.counter = run->clock->counter,
		.hz = run->params->hz,
		.switches = run->switches,
		/* A distance from 0 is then not taken for a counter that went back. */
		.now = counter_now(run) + (mask >> 1) + (mask >> 2),
		.sec = sec,
		.pps = pps,
	};
	enum tk_error error = run->tk->init(&setup);
	struct tk_state state;

	if (error)
		ktap_note(run->ktap, "init: %s", tk_strerror(error));
	else
		run->tk->state(&state);
	*drive = (struct drive){
		.run = run,
		.tk = run->tk,
		.now = setup.now,
		.interval = error ? 0 : state.cycle_interval,
	};
	return ktap_report(run->ktap, !error, "the core starts");
}

bool drive_start(struct drive *drive, struct run *run, s64 sec)
{
	return start(drive, run, sec, false);
}

bool drive_start_pps(struct drive *drive, struct run *run, s64 sec)
{
	return start(drive, run, sec, true);
}

void drive_pass(struct drive *drive, u64 cycles)
{
	drive->now += cycles;
	drive->run->ticker.progress++;
}

void drive_ticks(struct drive *drive, u64 n)
{
	while (n--) {
		drive_pass(drive, drive->interval);
		drive->tk->tick(drive->now);
	}
}

void drive_seconds(struct drive *drive, u64 n)
{
	drive_ticks(drive, n * drive->run->params->hz);
}

enum tk_error drive_adjtimex(struct drive *drive, struct tk_timex *timex)
{
	return drive->tk->adjtimex(drive->now, timex);
}

enum tk_error drive_adjust(struct drive *drive, u32 modes, s64 value)
{
	struct tk_timex timex = {
		.modes = modes,
		.offset = value,
		.freq = value,
		.maxerror = value,
		.esterror = value,
		.status = (s32)value,
		.constant = value,
		.tick = value,
	};

	return drive_adjtimex(drive, &timex);
}

enum tk_error drive_settime(struct drive *drive, s64 sec, u32 nsec)
{
	return drive->tk->settime(drive->now, sec, nsec);
}

struct tk_timex drive_query(struct drive *drive)
{
	struct tk_timex timex = { 0 };

	drive_adjtimex(drive, &timex);
	return timex;
}

s64 drive_realtime(struct drive *drive)
{
	struct tk_time time;

	drive->tk->read(held, &drive->now, &time);
	return time.sec * (s64)TB_NSEC_PER_SEC + time.nsec;
}

s64 drive_monotonic(struct drive *drive)
{
	struct tk_time time;

	drive->tk->read(held, &drive->now, &time);
	return time.mono_ns;
}

bool drive_has_readings(const struct drive *drive)
{
	return drive->tk->readings;
}

bool drive_reading(struct drive *drive, enum tk_reading which, s64 *value)
{
	struct tk_readings readings;

	if (!drive->tk->readings)
		return false;
	tk_readings_clear(&readings);
	drive->tk->readings(drive->now, tk_reading_set(which), &readings);
	if (!tk_readings_has(&readings, which))
		return false;
	*value = readings.value[which];
	return true;
}

ns_q32 drive_told(const struct drive *drive)
{
	struct tk_state state;

	drive->tk->state(&state);
	return (ns_q32)state.xtime_sec * (s64)TB_NSEC_PER_SEC * NS_Q32 +
	       ((ns_q32)state.xtime_nsec << state.ntp_error_shift);
}

ns_q32 drive_intended(const struct drive *drive)
{
	struct tk_state state;

	drive->tk->state(&state);
	return drive_told(drive) + state.ntp_error;
}

ns_q32 drive_owed(const struct drive *drive)
{
	struct tk_state state;

	drive->tk->state(&state);
	return (ns_q32)state.time_offset * drive->run->params->hz +
	       (ns_q32)state.time_adjust * 1000 * NS_Q32 + state.time_adjust_frac;
}

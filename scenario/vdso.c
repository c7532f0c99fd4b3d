// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Claim: what user space reads from the vDSO's data page is what the kernel's own functions say, to
 * the nanosecond, for each clock: in the middle of a tick and after it, over steps, new rates, a
 * new TAI offset, a leap second and a suspend.
 */
#include "measure/drive.h"
#include "scenario/list.h"

#define DAY	   86400
#define MIDNIGHT   (19676LL * DAY)
#define START_SEC  (MIDNIGHT - 3)
#define ENOSYS	   38
#define SECOND	   ((s64)TB_NSEC_PER_SEC)
#define TAI_OFFSET 37
#define SLEEP_SEC  1234

/* A reading of user space, and the kernel's of the same clock. */
struct twin {
	enum tk_reading user, kernel;
};

static const struct twin fine[] = {
	{ TKR_VDSO_REALTIME, TKR_KTIME_GET_REAL_TS64 },
	{ TKR_VDSO_MONOTONIC, TKR_KTIME_GET },
	{ TKR_VDSO_BOOTTIME, TKR_KTIME_GET_OFFS_BOOT },
	{ TKR_VDSO_TAI, TKR_KTIME_GET_OFFS_TAI },
	{ TKR_VDSO_RAW, TKR_KTIME_GET_RAW },
};

static const struct twin coarse[] = {
	{ TKR_VDSO_REALTIME_COARSE, TKR_COARSE_REAL_TS64 },
	{ TKR_VDSO_MONOTONIC_COARSE, TKR_COARSE_TS64 },
	{ TKR_VDSO_OLD_REALTIME_COARSE, TKR_OLD_COARSE_REAL_TS64 },
	{ TKR_VDSO_OLD_MONOTONIC_COARSE, TKR_OLD_COARSE_TS64 },
	{ TKR_VDSO_TIME, TKR_KTIME_GET_REAL_SECONDS },
};

struct vdso {
	struct drive drive;
	struct tk_readings readings;
	bool fine_ok, coarse_ok, usec_ok, res_ok, zone_ok, open_ok, asks_ok;
	u64 looks;
};

static bool is(const struct vdso *vdso, enum tk_reading which, s64 expected)
{
	return !tk_readings_has(&vdso->readings, which) || vdso->readings.value[which] == expected;
}

static bool agree(const struct vdso *vdso, const struct twin *twins, u32 count)
{
	bool ok = true;

	for (u32 i = 0; i < count; i++) {
		s64 kernel = vdso->readings.value[twins[i].kernel];

		if (!tk_readings_has(&vdso->readings, twins[i].kernel) ||
		    is(vdso, twins[i].user, kernel))
			continue;
		if (ok)
			ktap_note(vdso->drive.run->ktap, "%s is %lld off %s",
				  tk_reading_name(twins[i].user),
				  vdso->readings.value[twins[i].user] - kernel,
				  tk_reading_name(twins[i].kernel));
		ok = false;
	}
	return ok;
}

static void look(struct vdso *vdso)
{
	const s64 tick_ns = SECOND / vdso->drive.run->params->hz;
	const u32 sets = TK_SET_GETTERS | TK_SET_COARSE | TK_SET_VDSO;

	tk_readings_clear(&vdso->readings);
	vdso->drive.tk->readings(vdso->drive.now, sets, &vdso->readings);
	vdso->fine_ok &= agree(vdso, fine, TB_ARRAY_SIZE(fine)) && is(vdso, TKR_VDSO_AUX, 0);
	vdso->coarse_ok &= agree(vdso, coarse, TB_ARRAY_SIZE(coarse));
	vdso->usec_ok &= is(vdso, TKR_VDSO_GETTIMEOFDAY,
			    vdso->readings.value[TKR_KTIME_GET_REAL_TS64] / 1000);
	vdso->res_ok &= is(vdso, TKR_VDSO_RES, tick_ns) && is(vdso, TKR_VDSO_RES_RAW, tick_ns) &&
			is(vdso, TKR_VDSO_RES_COARSE, tick_ns) && is(vdso, TKR_VDSO_RES_AUX, 1);
	/* West of Greenwich by 480 minutes and 8 hours, then by 60 and 1. */
	vdso->zone_ok &= is(vdso, TKR_VDSO_ZONE, 48008LL * 100000 + 6001);
	vdso->open_ok &= is(vdso, TKR_VDSO_SEQ_ODD, 0) &&
			 is(vdso, TKR_VDSO_UPDATE_SECTION, TK_UPDATE_SECTION);
	vdso->asks_ok &= is(vdso, TKR_VDSO_CPUTIME, -ENOSYS) &&
			 is(vdso, TKR_VDSO_NO_CLOCK, -ENOSYS) &&
			 is(vdso, TKR_VDSO_RES_NO_CLOCK, -ENOSYS);
	vdso->looks++;
}

static void run_and_look(struct vdso *vdso, u64 ticks)
{
	struct drive *drive = &vdso->drive;

	look(vdso);
	while (ticks--) {
		drive_pass(drive, drive->interval * 3 / 4);
		look(vdso);
		drive_pass(drive, drive->interval - drive->interval * 3 / 4);
		drive->tk->tick(drive->now);
		look(vdso);
	}
}

static void change_everything(struct vdso *vdso)
{
	struct drive *drive = &vdso->drive;
	struct tk_sleep sleep = { .persistent_sec = START_SEC };

	drive_adjust(drive, TK_ADJ_TAI, TAI_OFFSET);
	drive_adjust(drive, TK_ADJ_STATUS, TK_STA_PLL | TK_STA_INS);
	/* Over midnight, where a second is inserted. */
	run_and_look(vdso, 5 * drive->run->params->hz);
	drive_adjust(drive, TK_ADJ_FREQUENCY, -500LL * 65536);
	run_and_look(vdso, 20);
	drive_settime(drive, START_SEC + 1000, 999999000);
	run_and_look(vdso, 20);
	if (!drive->tk->suspend)
		return;
	drive->tk->suspend(drive->now, &sleep);
	sleep.persistent_sec += SLEEP_SEC;
	sleep.persistent_nsec = 999999999;
	drive->tk->resume(drive->now, &sleep);
	run_and_look(vdso, 20);
}

static void vdso_run(struct run *run)
{
	struct vdso vdso = {
		.fine_ok = true,
		.coarse_ok = true,
		.usec_ok = true,
		.res_ok = true,
		.zone_ok = true,
		.open_ok = true,
		.asks_ok = true,
	};
	s64 none;

	if (!drive_start(&vdso.drive, run, START_SEC))
		return;
	if (!drive_reading(&vdso.drive, TKR_VDSO_REALTIME, &none)) {
		ktap_skip(run->ktap, "user space reads what the kernel does",
			  "this core has no vDSO");
		return;
	}
	change_everything(&vdso);
	ktap_metric(run->ktap, "looks", (s128)vdso.looks, 0, 0, "times");
	run_claim(run, vdso.fine_ok, "user space reads the kernel's time, of every clock", 0);
	run_claim(run, vdso.coarse_ok,
		  "so it does of the coarse clocks, and of the second that time() has", 0);
	run_claim(run, vdso.usec_ok, "gettimeofday() is CLOCK_REALTIME in microseconds", 0);
	run_claim(run, vdso.res_ok, "the resolution is a tick, without high resolution timers", 0);
	run_claim(run, vdso.zone_ok, "the time zone gets to user space", 0);
	run_claim(run, vdso.asks_ok, "what the page does not have is asked of the kernel", 0);
	run_claim(run, vdso.open_ok, "the page is closed during an update, and at no other time",
		  0);
}

const struct scenario scenario_vdso = {
	.name = "vdso",
	.claim = "user space reads what the kernel does",
	.needs = { .virtual_clock = true },
	.duration_ms = { [CLOCK_VIRTUAL] = 1, [CLOCK_TSC] = 1 },
	.run = vdso_run,
};

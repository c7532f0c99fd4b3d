// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Includes a tree's own kernel/time/vsyscall.c, which writes the vDSO's data page, and
 * lib/vdso/gettimeofday.c, which user space reads it with, both unchanged, and adds the readings.
 * Compiled with the command that kbuild saved for timekeeping.c. LIFT_VSYSCALL and
 * LIFT_GETTIMEOFDAY are their paths; the headers of tk/linux/vdso take the architecture's place.
 */
#include "tk/linux/wrap_locks.h"
#include LIFT_VSYSCALL
#include LIFT_GETTIMEOFDAY
#include "lift_has.h"
#include "tk/clocks.h"
#include "tk/linux/lift.h"

#if LIFT_HAS_VDSO_TIME_DATA
struct vdso_time_data vdso_u_time_data;
struct vdso_time_data *vdso_k_time_data = &vdso_u_time_data;

static u32 lift_vdso_seq(void)
{
	return vdso_u_time_data.clock_data[CS_HRES_COARSE].seq |
	       vdso_u_time_data.clock_data[CS_RAW].seq;
}
#else
static struct vdso_data lift_page[CS_BASES];

struct vdso_data *lift_vdso_data(void)
{
	return lift_page;
}

const struct vdso_data *lift_vdso_page(void)
{
	return lift_page;
}

static u32 lift_vdso_seq(void)
{
	return lift_page[CS_HRES_COARSE].seq | lift_page[CS_RAW].seq;
}
#endif

#if LIFT_HAS_COARSE_NSEC
#define LIFT_COARSE(name) TKR_VDSO_##name
#else
#define LIFT_COARSE(name) TKR_VDSO_OLD_##name
#endif

static s64 lift_gettime(clockid_t clock)
{
	struct __kernel_timespec ts = { 0 };
	int status = __cvdso_clock_gettime(clock, &ts);

	return status ? status : ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

static s64 lift_getres(clockid_t clock)
{
	struct __kernel_timespec ts = { 0 };
	int status = __cvdso_clock_getres(clock, &ts);

	return status ? status : ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

s64 lift_vdso_monotonic(void)
{
	/* A page that was left closed is waited for without end. */
	return lift_vdso_seq() & 1 ? LIFT_FELL_BACK : lift_gettime(CLOCK_MONOTONIC);
}

#if LIFT_HAS_AUX
/*
 * The auxiliary clocks of which user space reads another time than the kernel. Their page has whole
 * nanoseconds, without the rest that the kernel has: user space may be a nanosecond behind.
 */
static void lift_vdso_aux(struct tk_readings *readings)
{
	s64 off = 0;
	u32 id;

	for (id = 0; id < MAX_AUX_CLOCKS; id++) {
		struct timespec64 ts;
		s64 kernel = LIFT_FELL_BACK, user = lift_gettime(CLOCK_AUX + id);

		if (ktime_get_aux_ts64(CLOCK_AUX + id, &ts))
			kernel = ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
		off += user != kernel && (user != kernel - 1 || kernel < 0);
	}
	tk_readings_add(readings, TKR_VDSO_AUX, off);
	tk_readings_add(readings, TKR_VDSO_RES_AUX, lift_getres(CLOCK_AUX));
}
#else
static void lift_vdso_aux(struct tk_readings *readings)
{
}
#endif

/* The time zone takes the same way: from sys_tz by update_vsyscall_tz() into the page. */
static s64 lift_zone(int minutes_west)
{
	struct timezone zone = { 0 };

	sys_tz.tz_minuteswest = minutes_west;
	sys_tz.tz_dsttime = minutes_west / 60;
	update_vsyscall_tz();
	return __cvdso_gettimeofday(NULL, &zone) ?: zone.tz_minuteswest * 100LL + zone.tz_dsttime;
}

static void lift_zones(struct tk_readings *readings)
{
	struct timezone kept = sys_tz;
	s64 west = lift_zone(480);

	tk_readings_add(readings, TKR_VDSO_ZONE, west * 100000 + lift_zone(60));
	sys_tz = kept;
}

/*
 * Whether the page is closed between begin and end, with interrupts disabled and under the lock,
 * and all is as before after them: 2. Each thing that is not adds a bit.
 */
static s64 lift_update_section(void)
{
	const bool disabled = irqs_disabled(), locks = !IS_ENABLED(CONFIG_SMP);
	const int held = lift_locks;
	unsigned long flags = vdso_update_begin();
	s64 found = 2 * (lift_vdso_seq() & 1);

	found += 4 * !irqs_disabled() + 8 * (locks && lift_locks != held + 1);
	vdso_update_end(flags);
	found += (lift_vdso_seq() & 1) + 16 * (irqs_disabled() != disabled);
	return found + 32 * (locks && lift_locks != held);
}

/* The same from where interrupts are disabled, times 100. */
static s64 lift_update_sections(void)
{
	unsigned long flags;
	s64 found;

	local_irq_save(flags);
	found = 100 * lift_update_section();
	local_irq_restore(flags);
	return found + lift_update_section();
}

void lift_vdso_readings(struct tk_readings *readings)
{
	struct __kernel_old_timeval tv = { 0 };
	__kernel_old_time_t time = 0;
	__kernel_old_time_t told = __cvdso_time(&time);
	int status;

	tk_readings_add(readings, TKR_VDSO_SEQ_ODD, lift_vdso_seq() & 1);
	if (lift_vdso_seq() & 1)
		return;
	status = __cvdso_gettimeofday(&tv, NULL);
	tk_readings_add(readings, TKR_VDSO_REALTIME, lift_gettime(CLOCK_REALTIME));
	tk_readings_add(readings, TKR_VDSO_MONOTONIC, lift_gettime(CLOCK_MONOTONIC));
	tk_readings_add(readings, TKR_VDSO_BOOTTIME, lift_gettime(CLOCK_BOOTTIME));
	tk_readings_add(readings, TKR_VDSO_TAI, lift_gettime(CLOCK_TAI));
	tk_readings_add(readings, TKR_VDSO_RAW, lift_gettime(CLOCK_MONOTONIC_RAW));
	tk_readings_add(readings, LIFT_COARSE(REALTIME_COARSE),
			lift_gettime(CLOCK_REALTIME_COARSE));
	tk_readings_add(readings, LIFT_COARSE(MONOTONIC_COARSE),
			lift_gettime(CLOCK_MONOTONIC_COARSE));
	tk_readings_add(readings, TKR_VDSO_CPUTIME, lift_gettime(CLOCK_PROCESS_CPUTIME_ID));
	tk_readings_add(readings, TKR_VDSO_NO_CLOCK, lift_gettime(-1));
	tk_readings_add(readings, TKR_VDSO_GETTIMEOFDAY,
			status ? status : tv.tv_sec * USEC_PER_SEC + tv.tv_usec);
	tk_readings_add(readings, TKR_VDSO_TIME, told == time ? told : -1);
	tk_readings_add(readings, TKR_VDSO_RES, lift_getres(CLOCK_MONOTONIC));
	tk_readings_add(readings, TKR_VDSO_RES_RAW, lift_getres(CLOCK_MONOTONIC_RAW));
	tk_readings_add(readings, TKR_VDSO_RES_COARSE, lift_getres(CLOCK_REALTIME_COARSE));
	tk_readings_add(readings, TKR_VDSO_RES_NO_CLOCK, lift_getres(-1));
	lift_vdso_aux(readings);
	lift_zones(readings);
	tk_readings_add(readings, TKR_VDSO_UPDATE_SECTION, lift_update_sections());
}

bool lift_vdso_ask(u32 which, s64 *value)
{
	switch (which) {
	case TKR_VDSO_REALTIME:
		*value = lift_gettime(CLOCK_REALTIME);
		return true;
	case TKR_VDSO_MONOTONIC:
		*value = lift_gettime(CLOCK_MONOTONIC);
		return true;
	case TKR_VDSO_BOOTTIME:
		*value = lift_gettime(CLOCK_BOOTTIME);
		return true;
	case TKR_VDSO_TAI:
		*value = lift_gettime(CLOCK_TAI);
		return true;
	case TKR_VDSO_RAW:
		*value = lift_gettime(CLOCK_MONOTONIC_RAW);
		return true;
	case TKR_VDSO_REALTIME_COARSE:
		*value = lift_gettime(CLOCK_REALTIME_COARSE);
		return true;
	case TKR_VDSO_MONOTONIC_COARSE:
		*value = lift_gettime(CLOCK_MONOTONIC_COARSE);
		return true;
	default:
		return false;
	}
}

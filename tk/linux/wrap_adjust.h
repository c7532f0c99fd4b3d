/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Part of wrap_timekeeping.c: adjtimex() of a lifted core. */

/* What the kernel does not fill keeps this, so that a field it forgets is seen. */
#define LIFT_UNFILLED 0x55

static struct __kernel_timex lift_timex_in(const struct lift_timex *timex)
{
	struct __kernel_timex txc;

	memset(&txc, LIFT_UNFILLED, sizeof(txc));
	txc.modes = timex->modes;
	txc.offset = timex->offset;
	txc.freq = timex->freq;
	txc.maxerror = timex->maxerror;
	txc.esterror = timex->esterror;
	txc.status = timex->status;
	txc.constant = timex->constant;
	txc.tick = timex->tick;
	txc.time.tv_sec = timex->time_sec;
	txc.time.tv_usec = timex->time_usec;
	txc.tai = timex->tai;
	return txc;
}

static void lift_timex_out(struct lift_timex *timex, const struct __kernel_timex *txc)
{
	*timex = (struct lift_timex){
		.modes = timex->modes,
		.offset = txc->offset,
		.freq = txc->freq,
		.maxerror = txc->maxerror,
		.esterror = txc->esterror,
		.status = txc->status,
		.constant = txc->constant,
		.tick = txc->tick,
		.time_sec = txc->time.tv_sec,
		.time_usec = txc->time.tv_usec,
		.tai = txc->tai,
		.precision = txc->precision,
		.tolerance = txc->tolerance,
		.ppsfreq = txc->ppsfreq,
		.jitter = txc->jitter,
		.shift = txc->shift,
		.stabil = txc->stabil,
		.jitcnt = txc->jitcnt,
		.calcnt = txc->calcnt,
		.errcnt = txc->errcnt,
		.stbcnt = txc->stbcnt,
	};
}

static int lift_do_adjtimex(void *txc)
{
	return do_adjtimex(txc);
}

int lift_adjtimex(u64 now, struct lift_timex *timex)
{
	struct __kernel_timex txc = lift_timex_in(timex);
	int ret;

	lift_hold(now);
	ret = lift_watched_set(lift_do_adjtimex, &txc);
	if (ret >= 0)
		lift_timex_out(timex, &txc);
	return ret;
}

#ifdef CONFIG_NTP_PPS
void lift_hardpps(const struct lift_timespec *real, const struct lift_timespec *raw)
{
	const struct timespec64 phase = { .tv_sec = real->sec, .tv_nsec = real->nsec };
	const struct timespec64 beat = { .tv_sec = raw->sec, .tv_nsec = raw->nsec };

	hardpps(&phase, &beat);
}
#else
void lift_hardpps(const struct lift_timespec *real, const struct lift_timespec *raw)
{
}
#endif

void lift_warp(u64 now, s32 minutes_west)
{
	lift_hold(now);
	sys_tz.tz_minuteswest = minutes_west;
	timekeeping_warp_clock();
	sys_tz.tz_minuteswest = 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Part of wrap_timekeeping.c: what an NMI reads inside of a tick, or of a call that sets the clock.
 * When the state is handed to the vDSO, before the copies of the fast readers change, those must
 * not wait for the tick and must give what an ordinary reader gave right before it. What the vDSO
 * gives right after its update must be what an ordinary reader gives after the tick.
 */
#include "tk/clocks.h"

#define LIFT_INSIDES (TKR_INSIDE_VDSO - TKR_INSIDE_MONO_FAST + 1)

static bool lift_watch_wanted; /* watch the next tick */
bool lift_inside;	       /* it is being watched, and the vDSO is still to be updated */

static struct {
	bool done; /* off is of a tick */
	s64 vdso;  /* what the vDSO gave */
	s64 off[LIFT_INSIDES];
} lift_watch;

static void lift_fast_values(s64 values[LIFT_INSIDES])
{
	values[0] = (s64)ktime_get_mono_fast_ns();
	values[1] = (s64)ktime_get_raw_fast_ns();
	values[2] = (s64)ktime_get_boot_fast_ns();
	values[3] = (s64)ktime_get_tai_fast_ns();
	values[4] = (s64)ktime_get_real_fast_ns();
}

/* shim.c calls these two right before and right after update_vsyscall(), while lift_inside. */
void lift_inside_before(void)
{
	s64 values[LIFT_INSIDES];
	u32 i;

	lift_fast_values(values);
	for (i = 0; i < LIFT_INSIDES - 1; i++)
		lift_watch.off[i] = values[i] - lift_watch.off[i];
}

void lift_inside_after(void)
{
	lift_inside = false;
	lift_watch.vdso = lift_vdso_monotonic();
	lift_watch.done = true;
}

/* Before what may change the clock, at the counter's value that is held. */
static void lift_watch_begin(void)
{
	lift_watch.off[0] = ktime_get();
	lift_watch.off[1] = ktime_get_raw();
	lift_watch.off[2] = ktime_get_with_offset(TK_OFFS_BOOT);
	lift_watch.off[3] = ktime_get_with_offset(TK_OFFS_TAI);
	lift_watch.off[4] = ktime_get_real();
	lift_inside = true;
}

static void lift_watch_end(void)
{
	/* A tick that came too early, and what is refused, updates nothing. */
	lift_watch_wanted = lift_inside;
	lift_inside = false;
	lift_watch.off[LIFT_INSIDES - 1] = lift_watch.vdso - ktime_get();
}

/*
 * The start of a second comes while the tick changes a copy of the state. Until that is published,
 * who reads gets what the state was before the tick.
 */
bool lift_amid;
static struct tk_readings lift_before, lift_midst;
static s64 lift_amid_off;

static void lift_plain_readings(struct tk_readings *readings);

void lift_amid_tick(void)
{
	u32 i;

	lift_amid = false;
	lift_plain_readings(&lift_midst);
	for (i = 0; i < TK_READINGS; i++)
		if (tk_readings_has(&lift_before, i))
			lift_amid_off += lift_midst.value[i] != lift_before.value[i];
}

static void lift_watched_tick(void)
{
	lift_watch_begin();
	tk_readings_clear(&lift_before);
	lift_plain_readings(&lift_before);
	lift_amid_off = 0;
	lift_amid = true;
	update_wall_time();
	lift_amid = false;
	lift_watch_end();
}

#if LIFT_HAS_UPDATE_FROM_SHADOW
static int lift_watched_set(int (*set)(void *what), void *what)
{
	int status;

	if (!lift_watch_wanted)
		return set(what);
	lift_watch_begin();
	status = set(what);
	lift_watch_end();
	return status;
}
#else
/* There a step changes what is published in place: some of it is new before the update. */
static int lift_watched_set(int (*set)(void *what), void *what)
{
	return set(what);
}
#endif

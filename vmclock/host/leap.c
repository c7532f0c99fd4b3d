// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * TAI - UTC. A kernel whose TAI offset was never set starts at 0 and counts leap seconds from
 * there, so an offset below 10, which no time since 1972 has had, counts as not set.
 */
#include "vmclock/host/leap.h"

#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include <sys/timex.h>
#include <time.h>

#define NTP_TO_UNIX 2208988800LL /* 1900 to 1970, seconds */
#define BEFORE_1972 10		 /* TAI - UTC when leap seconds began */
#define DAY_SEC	    86400

/* Days from 1970-01-01 in the Gregorian calendar, counted from 1 March of year 0. */
static s64 days_of(s64 year, s64 month, s64 day)
{
	s64 y = month > 2 ? year : year - 1;
	s64 m = month > 2 ? month - 3 : month + 9;

	return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

static s64 month_of(const char *name)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	const char *at = strlen(name) == 3 ? strstr(names, name) : NULL;

	return at ? (at - names) / 3 + 1 : 0;
}

s32 leap_from_file(const char *path, s64 utc)
{
	FILE *file = fopen(path, "r");
	s32 offset = 0, counted = BEFORE_1972;
	char text[256];

	if (!file)
		return 0;
	while (fgets(text, sizeof(text), file)) {
		long long ntp, year, day, hour, minute, second;
		char month[8], sign;
		int tai;

		if (sscanf(text, "%lld %d", &ntp, &tai) == 2) {
			if (ntp - NTP_TO_UNIX <= utc)
				offset = tai;
		} else if (sscanf(text, "Leap %lld %7s %lld %lld:%lld:%lld %c", &year, month, &day,
				  &hour, &minute, &second, &sign) == 7 &&
			   month_of(month)) {
			/* At the end of that day, whichever second it was. */
			if ((days_of(year, month_of(month), day) + 1) * 86400 <= utc)
				offset = counted += sign == '-' ? -1 : 1;
		}
	}
	fclose(file);
	return offset;
}

static s64 clock_sec(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec;
}

static u8 indicator(const struct leap *leap, int state, const struct timex *timex)
{
	/* The kernel does not tell its state while the clock is unsynchronized; what passed does.
	 */
	if (leap->passed && clock_sec(CLOCK_MONOTONIC) - leap->passed_sec < DAY_SEC) {
		if (leap->passed < 0)
			return LEAP_POST_NEG;
		return timex->time.tv_sec % DAY_SEC == DAY_SEC - 1 ? LEAP_POS : LEAP_POST_POS;
	}
	if (state == TIME_OOP)
		return LEAP_POS;
	if (state == TIME_WAIT)
		return timex->status & STA_DEL ? LEAP_POST_NEG : LEAP_POST_POS;
	if (timex->status & STA_INS)
		return LEAP_PRE_POS;
	return timex->status & STA_DEL ? LEAP_PRE_NEG : LEAP_NONE;
}

static void know(struct leap *leap, s32 offset, const char *source)
{
	leap->known = true;
	leap->tai_offset_sec = offset;
	leap->add_sec = offset - leap->kernel_tai_sec;
	leap->source = source;
}

void leap_find(struct leap *leap, const char *list)
{
	static const char *const lists[] = {
		"/usr/share/zoneinfo/leap-seconds.list",
		"/usr/share/zoneinfo/leapseconds",
	};
	struct timex timex = { 0 };
	s64 utc = clock_sec(CLOCK_REALTIME);
	int state = adjtimex(&timex);

	*leap = (struct leap){ .source = "none", .list = list };
	if (state >= 0) {
		leap->kernel_tai_sec = timex.tai;
		leap->indicator = indicator(leap, state, &timex);
		if (timex.tai >= BEFORE_1972 && !list) {
			know(leap, timex.tai, "kernel");
			return;
		}
	}
	for (size_t i = 0; i < (list ? 1 : TB_ARRAY_SIZE(lists)); i++) {
		const char *path = list ? list : lists[i];
		s32 offset = leap_from_file(path, utc);

		if (offset) {
			know(leap, offset, path);
			return;
		}
	}
}

/* The kernel's offset changed: by a leap second, or because a program set it. */
static void kernel_changed(struct leap *leap, s32 tai, const struct timex *timex)
{
	s32 change = tai - leap->kernel_tai_sec;
	bool is_leap = abs(change) == 1 &&
		       (timex->status & (STA_INS | STA_DEL) || leap->indicator != LEAP_NONE);

	leap->kernel_tai_sec = tai;
	if (is_leap) {
		leap->passed = change;
		leap->passed_sec = clock_sec(CLOCK_MONOTONIC);
	}
	if (!leap->known)
		return;
	if (!leap->list && tai >= BEFORE_1972)
		know(leap, tai, "kernel");
	else
		know(leap, leap->tai_offset_sec + (is_leap ? change : 0), leap->source);
}

bool leap_poll(struct leap *leap)
{
	struct timex timex = { 0 };
	int state = adjtimex(&timex);
	s32 offset = leap->tai_offset_sec, kernel = leap->kernel_tai_sec;
	u8 was = leap->indicator;

	if (state < 0)
		return false;
	if (timex.tai != leap->kernel_tai_sec)
		kernel_changed(leap, timex.tai, &timex);
	leap->indicator = indicator(leap, state, &timex);
	return leap->tai_offset_sec != offset || leap->kernel_tai_sec != kernel ||
	       leap->indicator != was;
}

s32 leap_list_moves(const struct leap *leap)
{
	s32 offset;

	if (!leap->known || !strcmp(leap->source, "kernel"))
		return 0;
	offset = leap_from_file(leap->source, clock_sec(CLOCK_REALTIME));
	return offset ? offset - leap->kernel_tai_sec - leap->add_sec : 0;
}

void leap_move(struct leap *leap, s32 sec)
{
	know(leap, leap->tai_offset_sec + sec, leap->source);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* TAI - UTC. Assumes that no kernel has a TAI offset of 0 set on purpose. */
#include "vmclock/host/leap.h"

#include <stdio.h>
#include <string.h>
#include <sys/timex.h>
#include <time.h>

#define NTP_TO_UNIX 2208988800LL /* 1900 to 1970, seconds */
#define BEFORE_1972 10		 /* TAI - UTC when leap seconds began */

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

void leap_find(struct leap *leap, const char *list)
{
	static const char *const lists[] = {
		"/usr/share/zoneinfo/leap-seconds.list",
		"/usr/share/zoneinfo/leapseconds",
	};
	struct timex timex = { 0 };
	s64 utc = time(NULL);

	*leap = (struct leap){ .source = "none" };
	if (adjtimex(&timex) >= 0) {
		leap->indicator = timex.status & STA_INS ? 1 : timex.status & STA_DEL ? 2 : 0;
		if (timex.tai && !list) {
			leap->known = leap->kernel_knows = true;
			leap->tai_offset_sec = timex.tai;
			leap->source = "kernel";
			return;
		}
	}
	for (size_t i = 0; i < (list ? 1 : TB_ARRAY_SIZE(lists)); i++) {
		const char *path = list ? list : lists[i];
		s32 offset = leap_from_file(path, utc);

		if (offset) {
			leap->known = true;
			leap->tai_offset_sec = offset;
			leap->source = path;
			return;
		}
	}
}

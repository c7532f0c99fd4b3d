// SPDX-License-Identifier: GPL-2.0-or-later
/* Leap seconds: what both cores say in every quarter of a second around midnight. */
#include "diff/leap.h"
#include "diff/draw.h"
#include "diff/pair.h"
#include "diff/sleep.h"
#include "tk/clocks.h"

#define DAY   86400
#define PARTS 4 /* of a second */

enum event {
	EVENT_NONE,
	EVENT_CANCEL,
	EVENT_FORTH,
	EVENT_BACK,
	EVENT_SET_BACK,
	EVENT_TAI,
	EVENT_SLEEP,
	EVENT_ARM,
	EVENTS
};

static void set_status(s32 status, struct difference *difference)
{
	const struct tk_timex timex = { .modes = TK_ADJ_STATUS, .status = status };

	pair_adjtimex(&timex, difference);
}

static void happen(enum event event, s32 status, struct difference *difference)
{
	const long long sleep[] = { 2, 2000000000, 0, 0 };
	const struct tk_timex step = { .modes = TK_ADJ_SETOFFSET,
				       .time_sec = event == EVENT_FORTH ? 1 : -1 };
	const struct tk_timex tai = { .modes = TK_ADJ_TAI, .constant = 37 };
	struct tk_time time;

	switch (event) {
	case EVENT_CANCEL:
		set_status(0, difference);
		break;
	case EVENT_FORTH:
	case EVENT_BACK:
		pair_adjtimex(&step, difference);
		break;
	case EVENT_SET_BACK:
		pair_time(&time);
		pair_settime(time.sec - 2, time.nsec, difference);
		break;
	case EVENT_TAI:
		pair_adjtimex(&tai, difference);
		break;
	case EVENT_SLEEP:
		run_sleep(sleep, difference);
		break;
	case EVENT_ARM:
		set_status(status, difference);
		break;
	default:
		break;
	}
}

static void look(struct difference *difference)
{
	const struct tk_timex query = { 0 };

	pair_adjtimex(&query, difference);
	pair_readings(TK_SET_ALL, difference);
}

void run_leap_second(const long long *args, struct difference *difference)
{
	struct tk_time time;

	pair_time(&time);
	pair_settime(time.sec - time.sec % DAY + DAY - args[1], 0, difference);
	set_status((s32)args[0], difference);
	for (long long i = 0; i < args[2] && !difference->found; i++) {
		if (i == args[3])
			happen((enum event)args[4], (s32)args[0], difference);
		pair_pass(pair_counter_hz() / PARTS + 1);
		look(difference);
		pair_tick(difference);
		look(difference);
	}
}

void draw_leap_second(u64 *random, long long bits, long long *args)
{
	static const u32 statuses[] = { 0x10, 0x20, 0x11, 0x21, 0x30, 0x31 };

	(void)bits;
	args[4] = draw_between(random, EVENT_NONE, EVENTS - 1);
	args[3] = draw_between(random, 0, 24);
	args[2] = draw_between(random, 8, 36);
	args[1] = draw_between(random, 0, 5);
	args[0] = statuses[draw(random) % TB_ARRAY_SIZE(statuses)];
}

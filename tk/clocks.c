// SPDX-License-Identifier: GPL-2.0-or-later
/* The names and sets of the readings, from the table in tk/clocks.h. */
#include "tk/clocks.h"

/* clang-format off */
#define NAME(name, set, text) text,
#define SET(name, set, text) TK_SET_##set,
/* clang-format on */

const char *tk_reading_name(enum tk_reading which)
{
	static const char *const names[] = { TK_READINGS_TABLE(NAME) };

	return names[which];
}

u32 tk_reading_set(enum tk_reading which)
{
	static const u32 sets[] = { TK_READINGS_TABLE(SET) };

	return sets[which];
}

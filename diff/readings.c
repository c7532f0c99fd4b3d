// SPDX-License-Identifier: GPL-2.0-or-later
/* The clocks of both cores: every function that reads one, and the copies of the state. */
#include "diff/readings.h"

/* Those that a core was seen to have. */
static u64 seen[CORES][TK_READINGS_WORDS];

/* Those that a lifted core has only while a tick is watched. */
static bool only_inside(u32 which)
{
	return which >= TKR_INSIDE_MONO_FAST && which <= TKR_INSIDE_VDSO;
}

/*
 * Whether one core lacks a reading at this moment that the other one has. A native core lacks none;
 * of others, one that has had it.
 */
static bool missing(const struct tk_ops *const cores[CORES], const struct tk_readings *readings,
		    u32 which)
{
	const bool has_a = tk_readings_has(&readings[CORE_A], which);

	if (has_a == tk_readings_has(&readings[CORE_B], which))
		return false;
	if (compare_is_native(cores[has_a ? CORE_B : CORE_A]))
		return true;
	return !only_inside(which) && seen[CORE_A][which / 64] >> which % 64 & 1 &&
	       seen[CORE_B][which / 64] >> which % 64 & 1;
}

static void compare_presence(const struct tk_ops *const cores[CORES],
			     const struct tk_readings *readings, struct difference *difference)
{
	for (u32 which = 0; which < TK_READINGS; which++) {
		char name[80];

		if (!missing(cores, readings, which))
			continue;
		snprintf(name, sizeof(name), "has %s", tk_reading_name(which));
		compare_note(difference, name, tk_readings_has(&readings[CORE_A], which),
			     tk_readings_has(&readings[CORE_B], which));
	}
}

void compare_readings(const struct tk_ops *const cores[CORES], u64 now, u32 sets,
		      struct difference *difference)
{
	struct tk_readings readings[CORES];

	for (int i = 0; i < CORES; i++) {
		tk_readings_clear(&readings[i]);
		if (!cores[i]->readings)
			return;
		cores[i]->readings(now, sets, &readings[i]);
	}
	compare_presence(cores, readings, difference);
	for (u32 i = 0; i < TK_READINGS_WORDS; i++) {
		u64 both = readings[CORE_A].has[i] & readings[CORE_B].has[i];

		seen[CORE_A][i] |= readings[CORE_A].has[i];
		seen[CORE_B][i] |= readings[CORE_B].has[i];
		for (; both; both &= both - 1) {
			u32 which = i * 64 + (u32)__builtin_ctzll(both);
			s64 a = readings[CORE_A].value[which], b = readings[CORE_B].value[which];

			if (a != b)
				compare_note(difference, tk_reading_name(which), a, b);
		}
	}
}

u32 readings_compared(void)
{
	u32 count = 0;

	for (u32 i = 0; i < TK_READINGS_WORDS; i++)
		count += (u32)__builtin_popcountll(seen[CORE_A][i] & seen[CORE_B][i]);
	return count;
}

void readings_print_only(FILE *to, int core)
{
	const char *separator = "";

	fputc('[', to);
	for (u32 i = 0; i < TK_READINGS; i++) {
		if (!((seen[core][i / 64] & ~seen[!core][i / 64]) >> i % 64 & 1))
			continue;
		fprintf(to, "%s\"%s\"", separator, tk_reading_name(i));
		separator = ", ";
	}
	fputc(']', to);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Part of native.c: faults of single readings, by what is added to them. */
#include "tk/clocks.h"

static const struct {
	const char *fault;
	enum tk_reading which;
	s64 add;
} spoiled[] = {
	{ "getter-1ns", TKR_KTIME_GET_TS64, 1 },       { "boot-1ns", TKR_KTIME_GET_OFFS_BOOT, 1 },
	{ "raw-1ns", TKR_KTIME_GET_RAW, 1 },	       { "coarse-1ns", TKR_COARSE_TS64, 1 },
	{ "seconds-late", TKR_KTIME_GET_SECONDS, -1 }, { "fast-1ns", TKR_REAL_FAST, 1 },
	{ "inside-1ns", TKR_INSIDE_BOOT_FAST, 1 },     { "cross-1ns", TKR_CROSS_RAW, 1 },
	{ "history-off", TKR_HISTORY_RAW, 5 },	       { "offset-1ns", TKR_OFFS_TAI, 1 },
	{ "copy-unlike", TKR_FAST_RAW_1, 1 },	       { "vdso-1ns", TKR_VDSO_BOOTTIME, 1 },
	{ "vdso-second", TKR_VDSO_TIME, 1 },	       { "vdso-usec", TKR_VDSO_GETTIMEOFDAY, 1 },
	{ "vdso-fine", TKR_VDSO_RES_RAW, -1 },	       { "vdso-zone", TKR_VDSO_ZONE, 1 },
	{ "vdso-answers", TKR_VDSO_NO_CLOCK, 38 },     { "vdso-open", TKR_VDSO_SEQ_ODD, 1 },
};

/* Everybody is told of everything twice; and of something that was nothing. */
static void spoil_counts(struct tk_readings *readings)
{
	static s64 looks;

	for (u32 i = 0; i < TK_TOLDS; i++) {
		s64 *count = &readings->value[TKR_CLOCK_WAS_SET_SEQ + i];

		if (fault_is("told-twice"))
			*count *= 2;
		if (fault_is("told-always"))
			*count += looks;
	}
	looks++;
}

/* A clock that counts its seconds in so many bits. */
static void cut_seconds(struct tk_readings *readings, u32 bits)
{
	const s64 mask = (1LL << bits) - 1;

	readings->value[TKR_VDSO_TIME] &= mask;
	readings->value[TKR_VDSO_REALTIME] =
		(readings->value[TKR_VDSO_REALTIME] / 1000000000 & mask) * 1000000000 +
		readings->value[TKR_VDSO_REALTIME] % 1000000000;
}

static void spoil_readings(struct tk_readings *readings)
{
	for (u32 i = 0; i < TB_ARRAY_SIZE(spoiled); i++)
		if (fault_is(spoiled[i].fault))
			readings->value[spoiled[i].which] += spoiled[i].add;
	if (fault_is("seconds-31-bits"))
		cut_seconds(readings, 31);
	if (fault_is("seconds-32-bits"))
		cut_seconds(readings, 32);
	if (fault_is("time-capped") && readings->value[TKR_REAL_FAST] > TK_SEC_MAX * 1000000000)
		readings->value[TKR_REAL_FAST] = TK_SEC_MAX * 1000000000;
	spoil_counts(readings);
}

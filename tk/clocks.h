/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a core says beside CLOCK_REALTIME: each clock by each function that reads it, the offsets
 * between clocks, the further copies of its state, and what it told the rest of the kernel. A
 * reading is one s64 for one value of the counter. Its name is the function or the field of a
 * kernel that it comes from. Readings come in sets, so that a caller reads no more than it needs.
 *
 * To add one: a row in the table below, in tk/linux/wrap_clocks.h (or another wrap_*.h) what the
 * kernel says, and in tk/native/clocks.c what the equations say.
 */
#ifndef TB_TK_CLOCKS_H
#define TB_TK_CLOCKS_H

#include "lib/types.h"

enum tk_reading_set {
	TK_SET_GETTERS = 1 << 0,  /* the clocks at the counter's value, ns */
	TK_SET_COARSE = 1 << 1,	  /* as of the latest tick, ns or s */
	TK_SET_OFFSETS = 1 << 2,  /* between clocks, ns; and what a clock can do */
	TK_SET_FAST = 1 << 3,	  /* those that an NMI may call, ns */
	TK_SET_SNAPSHOT = 1 << 4, /* snapshots and cross timestamps, ns */
	TK_SET_COPIES = 1 << 5,	  /* fields of struct timekeeper and of its copies */
	TK_SET_TOLD = 1 << 6,	  /* how often somebody was told, since init() */
	TK_SET_VDSO = 1 << 7,	  /* what user space reads from the data page, ns */
	TK_SETS = 8,
	TK_SET_ALL = (1 << TK_SETS) - 1,
};

/* clang-format off */
#define TK_READINGS_TABLE(ROW)                                                   \
	ROW(KTIME_GET_REAL_TS64, GETTERS, "ktime_get_real_ts64")                 \
	ROW(KTIME_GET, GETTERS, "ktime_get")                                     \
	ROW(KTIME_GET_TS64, GETTERS, "ktime_get_ts64")                           \
	ROW(KTIME_GET_OFFS_REAL, GETTERS, "ktime_get_with_offset(REAL)")         \
	ROW(KTIME_GET_OFFS_BOOT, GETTERS, "ktime_get_with_offset(BOOT)")         \
	ROW(KTIME_GET_OFFS_TAI, GETTERS, "ktime_get_with_offset(TAI)")           \
	ROW(KTIME_GET_RAW, GETTERS, "ktime_get_raw")                             \
	ROW(KTIME_GET_RAW_TS64, GETTERS, "ktime_get_raw_ts64")

#define TK_READING_ENUM(name, set, text) TKR_##name,
/* clang-format on */

enum tk_reading {
	TK_READINGS_TABLE(TK_READING_ENUM) /* TKR_KTIME_GET_REAL_TS64 and so on */
	TK_READINGS
};

#define TK_READINGS_WORDS ((TK_READINGS + 63) / 64)

/* A reading that a core does not have has its bit of `has` clear, and its value is undefined. */
struct tk_readings {
	u64 has[TK_READINGS_WORDS];
	s64 value[TK_READINGS];
};

/* The function or field, and the bit of enum tk_reading_set, of one reading. */
const char *tk_reading_name(enum tk_reading which);
u32 tk_reading_set(enum tk_reading which);

static inline bool tk_readings_has(const struct tk_readings *readings, u32 which)
{
	return readings->has[which / 64] >> which % 64 & 1;
}

static inline void tk_readings_add(struct tk_readings *readings, enum tk_reading which, s64 value)
{
	readings->has[which / 64] |= 1ULL << which % 64;
	readings->value[which] = value;
}

static inline void tk_readings_clear(struct tk_readings *readings)
{
	for (u32 i = 0; i < TK_READINGS_WORDS; i++)
		readings->has[i] = 0;
}

#endif

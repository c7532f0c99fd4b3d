// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The arithmetic of lib/ and tk/ behind a pipe, under the sanitizers: a command a line, its answer
 * a line. 128-bit numbers are two words, the high one first and both in hexadecimal.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/instant.h"
#include "lib/parse.h"
#include "lib/print.h"
#include "lib/stability.h"
#include "lib/stats.h"
#include "tk/reference.h"
#include "tk/tk.h"

static char *words[17];
static int count;

static u64 hex(int i)
{
	return strtoull(words[i], NULL, 16);
}

static s64 number(int i)
{
	return strtoll(words[i], NULL, 10);
}

static u128 wide(int i)
{
	return (u128)hex(i) << 64 | hex(i + 1);
}

static void put(u128 value)
{
	printf("%llx %llx", (u64)(value >> 64), (u64)value);
}

static void put_output(void *context, const char *text, size_t length)
{
	(void)context;
	fwrite(text, 1, length, stdout);
}

static const struct output out = { put_output, NULL };

static void statistics(void)
{
	static struct sample samples[1 << 12];
	static s64 scratch[1 << 12];
	struct stats stats;
	char line[128];

	stats_init(&stats, samples, (u32)number(1));
	while (fgets(line, sizeof(line), stdin) && line[0] != '.') {
		u64 counter;
		s64 time_us, error_fs;

		if (sscanf(line, "%llu %lld %lld", &counter, &time_us, &error_fs) == 3)
			stats_add(&stats, counter, time_us, error_fs);
	}
	printf("%llu %lld %lld %lld %lld %lld %lld %lld %u %u", stats.count, stats.max_abs_fs,
	       stats_mean_fs(&stats), stats_rms_fs(&stats), stats_drift_fs_per_s(&stats),
	       stats_percentile_abs_fs(&stats, 990, scratch), stats.within_10ns_us,
	       stats.within_1ns_us, stats.kept, stats.decimation);
	printf(" %lld", stats_drift_error_fs_per_s(&stats, number(2) ? number(2) : 1000, scratch));
	for (u32 i = 0; i < stats.kept; i++)
		printf(" %llu", stats.samples[i].counter);
}

/*
 * "statistics CAPACITY HZ PER_MILLE", then as for "stats", or a line "= COUNT HIGH LOW": as if
 * there had been so many samples before, with this sum of squares. Everything that can be asked.
 */
static void all_statistics(void)
{
	static struct sample samples[1 << 12];
	static s64 scratch[1 << 12];
	const u32 per_mille = (u32)number(3);
	const u64 hz = (u64)number(2);
	struct stats stats;
	char line[128];

	memset(&stats, 0x5a, sizeof(stats));
	stats_init(&stats, samples, (u32)number(1));
	while (fgets(line, sizeof(line), stdin) && line[0] != '.') {
		u64 counter, high, low;
		s64 time_us, error_fs;

		if (sscanf(line, "= %llu %llx %llx", &counter, &high, &low) == 3) {
			stats.count = counter;
			stats.sum_squares = (u128)high << 64 | low;
		} else if (sscanf(line, "%llu %lld %lld", &counter, &time_us, &error_fs) == 3) {
			stats_add(&stats, counter, time_us, error_fs);
		}
	}
	printf("%llu %lld %lld %lld %lld %lld %lld %lld %lld ", stats.count, stats.max_abs_fs,
	       stats.min_fs, stats.max_fs, stats.first_fs, stats.last_fs, stats.last_us,
	       stats.within_10ns_us, stats.within_1ns_us);
	printf("%lld %lld %lld ", stats_mean_fs(&stats), stats_rms_fs(&stats),
	       stats_drift_fs_per_s(&stats));
	printf("%lld ", stats_percentile_abs_fs(&stats, per_mille, scratch));
	printf("%lld %u %u", stats_drift_error_fs_per_s(&stats, hz, scratch), stats.kept,
	       stats.decimation);
	for (u32 i = 0; i < stats.kept; i++)
		printf(" %llu %lld", stats.samples[i].counter, stats.samples[i].error_fs);
	stats_reset(&stats);
	printf(" %llu %u %lld", stats.count, stats.kept, stats_rms_fs(&stats));
}

/* "stability TAU0 HZ", then a line for each sample (error, or counter and error) or gap, then a
 * dot. */
static void stabilities(void)
{
	static struct stability stability;
	struct stability_values values;
	char line[128];

	stability_init(&stability, (u64)number(1), (u64)number(2));
	while (fgets(line, sizeof(line), stdin) && line[0] != '.') {
		u64 counter;
		s64 error_fs;

		if (line[0] == 'g')
			stability_gap(&stability);
		else if (sscanf(line, "%llu %lld", &counter, &error_fs) == 2)
			stability_sample(&stability, counter, error_fs);
		else if (sscanf(line, "%lld", &error_fs) == 1)
			stability_add(&stability, error_fs);
	}
	for (u32 k = 0; stability_values(&stability, k, &values); k++)
		printf("%llu %llu %llu %llu %lld ", values.m, values.adev_e21, values.mdev_e21,
		       values.tdev_zs, values.mtie_fs);
}

static void tick_length(void)
{
	const struct tk_reference line = {
		.time = (instant)1 << 64,
		.period_frac = hex(1),
		.period_shift = (u8)number(2),
	};
	u64 length = 0;
	enum tk_error error = tk_reference_tick(&line, hex(3), hex(4), &length);

	printf("%d %llx", error, length);
}

static void correction(void)
{
	const struct tk_reference line = {
		.counter = hex(1),
		.time = (instant)wide(2),
		.period_frac = hex(4),
		.period_shift = (u8)number(5),
		.step_ns = (u32)number(6),
		.rule = count > 14 ? (u32)number(14) : 0,
	};
	const struct tk_told told = {
		.cycle_last = hex(7),
		.cycle_interval = hex(8),
		.mask = count > 15 ? hex(15) : ~0ULL,
		.sec = number(9),
		.snsec = hex(10),
		.tick_length = hex(11),
		.shift = (u32)number(12),
		.hz = (u32)number(13),
	};
	struct tk_correction by = tk_reference_correct(&line, &told);

	printf("%lld %lld %lld ", by.ntp_error, by.time_offset, by.step_mono_ns);
	put((u128)by.step_snsec);
}

/* "reference COUNTER TIME FRAC SHIFT AT MASK CYCLES NOMINAL": whether it is taken, and its tick. */
static void reference(void)
{
	const struct tk_reference line = {
		.counter = hex(1),
		.time = (instant)wide(2),
		.period_frac = hex(4),
		.period_shift = (u8)number(5),
	};
	u64 length = 0;
	enum tk_error error = tk_reference_tick(&line, hex(8), hex(9), &length);

	printf("%d %llx ", error, length);
	printf("%d ", error ? 0 : tk_reference_check(&line, hex(6), hex(7)));
	put((u128)tk_reference_at(&line, hex(6), hex(7)));
}

/* "step STEP SHIFT SEC SNSEC": the clock after the step. */
static void step(void)
{
	const struct tk_correction by = { .step_snsec = (s128)wide(1) };
	s64 sec = number(4);
	u64 snsec = hex(5);

	tk_correction_step(&by, (u32)number(3), &sec, &snsec);
	printf("%lld %llx", sec, snsec);
}

static void conversions(void)
{
	const struct tk_counter counter = { .hz = (u64)number(1),
					    .mask = hex(2),
					    .khz = number(3) };
	struct tk_conversion conversion;
	enum tk_error error = tk_conversion_init(&conversion, &counter);

	if (error)
		printf("%d", error);
	else
		printf("0 %u %u %u %llu", conversion.mult, conversion.shift, conversion.maxadj,
		       conversion.max_cycles);
}

static void switches(void)
{
	u32 found = 0;
	enum tk_error error = tk_switches_parse(count > 1 ? words[1] : "", &found);

	printf("%d %u", error, found);
	for (u32 bit = 1; bit; bit <<= 1)
		if (found == bit)
			printf(" %s", tk_switch_name(bit) ? tk_switch_name(bit) : "none");
}

static void error_words(void)
{
	printf("%s", tk_strerror((enum tk_error)number(1)));
}

static const struct {
	const char *name;
	void (*run)(void);
} commands[] = {
	{ "stats", statistics },  { "statistics", all_statistics }, { "stability", stabilities },
	{ "switches", switches }, { "converted", conversions },	    { "reference", reference },
	{ "step", step },	  { "tick_length", tick_length },   { "correct", correction },
	{ "error", error_words },
};

static void answer(void)
{
	const char *name = words[0];
	struct tk_conversion conversion;
	struct tk_counter counter;
	enum tk_error error;
	u128 rest;
	u64 plain;
	s64 fixed;
	u32 nsec;

	if (!strcmp(name, "div")) {
		put(div_u128(wide(1), wide(3), &rest));
		printf(" ");
		put(rest);
	} else if (!strcmp(name, "snsec")) {
		put((u128)instant_from_snsec(number(1), wide(2), (u32)number(4)));
	} else if (!strcmp(name, "fsec")) {
		printf("%lld", instant_to_fsec((instant)wide(1)));
	} else if (!strcmp(name, "nsec")) {
		put((u128)instant_from_nsec(number(1)));
	} else if (!strcmp(name, "timespec")) {
		instant_to_timespec((instant)wide(1), &fixed, &nsec);
		printf("%lld %u", fixed, nsec);
	} else if (!strcmp(name, "fixed")) {
		if (str_to_fixed(count > 2 ? words[2] : "", (u32)number(1), &fixed))
			printf("%lld", fixed);
		else
			printf("no");
	} else if (!strcmp(name, "u64")) {
		if (str_to_u64(count > 1 ? words[1] : "", &plain))
			printf("%llu", plain);
		else
			printf("no");
	} else if (!strcmp(name, "decimal")) {
		out_decimal(&out, (s128)wide(1), (u32)number(3), (u32)number(4));
	} else if (!strcmp(name, "printf")) {
		out_printf(&out, "[%5d|%-5u|%05x|%s|%.*s|%c|%%|%lld|%8.3s]", (int)number(1),
			   (unsigned)number(1), (unsigned)number(1), words[2], 2, words[2],
			   words[2][0], number(1), words[2]);
	} else if (!strcmp(name, "conversion")) {
		counter = (struct tk_counter){ .hz = strtoull(words[1], NULL, 10),
					       .mask = ~0ULL >> (64 - number(2)) };
		error = tk_conversion_init(&conversion, &counter);
		if (error)
			printf("error %d", error);
		else
			printf("%u %u %u %llu", conversion.mult, conversion.shift,
			       conversion.maxadj, conversion.max_cycles);
	} else {
		for (size_t i = 0; i < TB_ARRAY_SIZE(commands); i++)
			if (!strcmp(name, commands[i].name))
				commands[i].run();
	}
}

int main(void)
{
	static char line[4096];

	while (fgets(line, sizeof(line), stdin)) {
		count = 0;
		for (char *word = strtok(line, " \n"); word && count < 17;
		     word = strtok(NULL, " \n"))
			words[count++] = word;
		if (count)
			answer();
		printf("\n");
		fflush(stdout);
	}
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reads clocks against the line of the page. A reading counts if the page did not change while it
 * was made, so that it is compared with the one line that was in force.
 */
#include <string.h>
#include <sys/io.h>
#include <unistd.h>

#include "lib/math.h"
#include "lib/parse.h"
#include "lib/samples.h"
#include "linux/measure.h"
#include "vmclock/host/counter.h"

#define DEBUGCON 0xe9
#define PAUSE_US 10000
#define READINGS 8
/* The kernel tells whole nanoseconds, rounded down: a reading, and two that are subtracted. */
#define WHOLE_FS (TB_FSEC_PER_NSEC)
/* Two clocks whose rates differ by 20 ppm move apart by one nanosecond in this time. */
#define NEAR_FS (50000 * TB_FSEC_PER_NSEC)

static struct sample samples[SAMPLES_KEPT];

/* slack_fs: what the reading's own rounding may be up to, on both sides. */
static void judge(const struct vmclock_line *line, const struct reading *reading, s64 slack_fs,
		  struct against *against)
{
	const s64 early = instant_to_fsec(reading->time - vmclock_utc_at(line, reading->before));
	const s64 late = instant_to_fsec(reading->time - vmclock_utc_at(line, reading->after));

	against->counter = reading->before + (reading->after - reading->before) / 2;
	against->width_fs = early - late;
	against->error_fs = late + against->width_fs / 2;
	against->outside_fs = early + WHOLE_FS + slack_fs < 0 ? -early : late > slack_fs ? late : 0;
}

/* Whether the page still has that line. */
static bool unchanged(const struct linux_guest *guest, const struct vmclock_line *line)
{
	return guest->page->seq_count == line->seq_count;
}

/* The narrowest of eight readings; each of them is judged. */
bool against_ptp(const struct linux_guest *guest, struct against *against)
{
	struct vmclock_line line;
	struct reading reading;
	struct against one;
	s64 outside_fs = 0;

	for (u32 i = 0; i < READINGS; i++) {
		if (!guest_line(guest, &line) || !guest_ptp(guest, &reading) ||
		    !unchanged(guest, &line))
			return false;
		judge(&line, &reading, 0, &one);
		if (one.outside_fs > outside_fs)
			outside_fs = one.outside_fs;
		if (!i || one.width_fs < against->width_fs)
			*against = one;
	}
	against->outside_fs = outside_fs;
	return true;
}

/*
 * `outside` compares the kernel's cross-stamp with a plain reading: the first, carried to the
 * reading's two counters by the line, must not contradict the second. Where much time passed
 * between the two, nothing is compared.
 */
bool against_realtime(const struct linux_guest *guest, struct against *against)
{
	struct vmclock_line line;
	struct reading reading;
	struct cross cross;
	u64 apart;

	if (!guest_line(guest, &line) || !guest_realtime(&reading))
		return false;
	if (!guest->crosses) {
		judge(&line, &reading, 0, against);
		against->outside_fs = 0;
		return unchanged(guest, &line);
	}
	if (!guest_cross(guest, &cross) || !unchanged(guest, &line))
		return false;
	apart = host_counter() - reading.before;
	reading.time -= cross.realtime - cross.ptp;
	judge(&line, &reading, 2 * WHOLE_FS, against);
	if (instant_to_fsec(vmclock_utc_at(&line, reading.before + apart) -
			    vmclock_utc_at(&line, reading.before)) > NEAR_FS)
		against->outside_fs = 0;
	against->error_fs = instant_to_fsec(cross.realtime - cross.ptp);
	return true;
}

void measure(const struct linux_guest *guest, read_against *read, u64 ms, struct measured *measured)
{
	struct vmclock_line line;
	struct against against;
	u64 last;

	*measured = (struct measured){ .start = host_counter() };
	stats_init(&measured->stats, samples, SAMPLES_KEPT);
	measured->hz = guest_line(guest, &line) ? vmclock_counter_hz(&line) : TB_NSEC_PER_SEC;
	last = measured->start + measured->hz / 1000 * ms;
	while (host_counter() < last) {
		usleep(PAUSE_US);
		if (!read(guest, &against)) {
			measured->missed++;
			continue;
		}
		stats_add(&measured->stats, against.counter,
			  (s64)((u128)(against.counter - measured->start) * 1000000 / measured->hz),
			  against.error_fs);
		if (against.outside_fs > measured->outside_max_fs)
			measured->outside_max_fs = against.outside_fs;
		if (against.width_fs > measured->width_max_fs)
			measured->width_max_fs = against.width_fs;
	}
}

static void metric_ns(struct ktap *ktap, const char *name, s64 fsec)
{
	ktap_metric(ktap, name, fsec, 6, 6, "ns");
}

void measure_report(struct ktap *ktap, const struct measured *measured)
{
	static s64 scratch[SAMPLES_KEPT];
	const struct stats *stats = &measured->stats;

	metric_ns(ktap, "max_abs_ns", stats->max_abs_fs);
	metric_ns(ktap, "rms_ns", stats_rms_fs(stats));
	metric_ns(ktap, "mean_ns", stats_mean_fs(stats));
	metric_ns(ktap, "median_abs_ns", stats_percentile_abs_fs(stats, 500, scratch));
	metric_ns(ktap, "p99_ns", stats_percentile_abs_fs(stats, 990, scratch));
	ktap_metric(ktap, "drift_ns_per_s", stats_drift_fs_per_s(stats), 6, 6, "ns/s");
	ktap_metric(ktap, "samples", (s128)stats->count, 0, 0, "samples");
	ktap_metric(ktap, "missed", (s128)measured->missed, 0, 0, "readings");
	metric_ns(ktap, "outside_max_ns", measured->outside_max_fs);
	metric_ns(ktap, "enclosed_max_ns", measured->width_max_fs);
}

void measure_ship(const struct measured *measured, const char *name, u32 number)
{
	struct sample_header header = {
		.magic = SAMPLE_MAGIC,
		.run = number,
		.count = measured->stats.kept,
		.decimation = measured->stats.decimation,
		.counter_hz = measured->hz,
		.start_counter = measured->start,
	};

	str_copy(header.scenario, sizeof(header.scenario), name);
	outsb(DEBUGCON, &header, sizeof(header));
	outsb(DEBUGCON, samples, measured->stats.kept * sizeof(samples[0]));
}

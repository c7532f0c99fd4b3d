// SPDX-License-Identifier: GPL-2.0-or-later
/* Writes a run's samples as one record: a header of 64 bytes, then an array of struct sample. */
#include "guest/samples.h"
#include "arch/x86/debugcon.h"

static void ship_traces(const struct run *run, const char *scenario, u32 number)
{
	struct sample_header header;
	u32 count, decimation;
	const struct trace_point *traces = run_traces(run, &count, &decimation);

	if (!traces)
		return;
	header = run_trace_header(run, scenario, number);
	debugcon_write(&header, sizeof(header));
	debugcon_write(traces, count * sizeof(traces[0]));
}

void samples_ship(void *context, const struct run *run, const char *scenario, u32 number)
{
	const struct stats *stats = run->stats;
	const struct sample_header header = run_sample_header(run, scenario, number);

	(void)context;
	if (!debugcon_present())
		return;
	debugcon_write(&header, sizeof(header));
	debugcon_write(stats->samples, stats->kept * sizeof(stats->samples[0]));
	ship_traces(run, scenario, number);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* A run's samples as one record: a header of 64 bytes, then struct sample after struct sample. */
#include "guest/samples.h"
#include "arch/x86/debugcon.h"
#include "lib/samples.h"
#include "lib/string.h"

void samples_ship(void *context, const struct run *run, const char *scenario, u32 number)
{
	const struct stats *stats = run->stats;
	struct sample_header header = {
		.run = number,
		.count = stats->kept,
		.decimation = stats->decimation,
		.counter_hz = run->clock->counter.hz,
		.start_counter = run->start,
	};

	(void)context;
	if (!debugcon_present())
		return;
	memcpy(header.magic, SAMPLE_MAGIC, sizeof(header.magic));
	str_copy(header.scenario, sizeof(header.scenario), scenario);
	debugcon_write(&header, sizeof(header));
	debugcon_write(stats->samples, stats->kept * sizeof(stats->samples[0]));
}

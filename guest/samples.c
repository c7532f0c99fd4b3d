// SPDX-License-Identifier: GPL-2.0-or-later
/* A run's samples as one record: a header of 64 bytes, then struct sample after struct sample. */
#include "guest/samples.h"
#include "arch/x86/debugcon.h"
#include "lib/string.h"

struct record {
	char magic[8];
	u32 run;
	u32 count;
	u32 decimation; /* every 2^n-th sample was kept */
	u32 reserved;
	u64 counter_hz;
	u64 start_counter;
	char scenario[24];
};

_Static_assert(sizeof(struct record) == 64, "record layout");
_Static_assert(sizeof(struct sample) == 16, "sample layout");

void samples_ship(void *context, const struct bench *bench, const char *scenario, u32 run)
{
	const struct stats *stats = bench->stats;
	struct record record = {
		.run = run,
		.count = stats->kept,
		.decimation = stats->decimation,
		.counter_hz = bench->vehicle->counter.hz,
		.start_counter = bench->start,
	};

	(void)context;
	if (!debugcon_present())
		return;
	memcpy(record.magic, "TBSAMPL1", sizeof(record.magic));
	str_copy(record.scenario, sizeof(record.scenario), scenario);
	debugcon_write(&record, sizeof(record));
	debugcon_write(stats->samples, stats->kept * sizeof(stats->samples[0]));
}

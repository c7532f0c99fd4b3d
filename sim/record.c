// SPDX-License-Identifier: GPL-2.0-or-later
/* Reads the records that an experiment names: of a host's time, and of its ticks. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "measure/record.h"
#include "sim/sim.h"

static void read_lines(const char *path, enum record_error (*take)(const char *line))
{
	struct record_reader reader = { .take = take };
	enum record_error error = RECORD_OK;
	struct stat status;
	char text[4096];
	size_t length;
	FILE *file;

	if (stat(path, &status))
		cannot("%s: %s", path, strerror(errno));
	if (!S_ISREG(status.st_mode))
		cannot("%s is not a regular file", path);
	file = fopen(path, "r");
	if (!file)
		cannot("%s: %s", path, strerror(errno));
	while (!error && (length = fread(text, 1, sizeof(text), file)))
		error = record_read(&reader, text, length);
	if (!error)
		error = record_read_end(&reader);
	fclose(file);
	if (error)
		cannot("%s, line %llu: %s", path, reader.number, record_strerror(error));
}

void use_records(const struct scenario_params *params)
{
	enum record_error error = RECORD_OK;
	const u32 *late_ns;

	record_clear();
	if (params->record[0]) {
		read_lines(params->record, record_pair);
		error = record_pairs_end();
		if (error)
			cannot("%s: %s", params->record, record_strerror(error));
	}
	if (params->ticks[0]) {
		read_lines(params->ticks, record_tick);
		if (!record_ticks(&late_ns))
			cannot("%s: it has no tick", params->ticks);
	}
}

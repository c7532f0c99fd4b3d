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
	struct stat status;
	unsigned long number = 0;
	char line[256];
	FILE *file;

	if (stat(path, &status))
		cannot("%s: %s", path, strerror(errno));
	if (!S_ISREG(status.st_mode))
		cannot("%s is not a regular file", path);
	file = fopen(path, "r");
	if (!file)
		cannot("%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), file)) {
		enum record_error error;

		number++;
		if (line[strspn(line, " \t\r\n")] == '\0' || line[0] == '#')
			continue;
		error = take(line);
		if (error)
			cannot("%s, line %lu: %s", path, number, record_strerror(error));
	}
	fclose(file);
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

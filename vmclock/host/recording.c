// SPDX-License-Identifier: GPL-2.0-or-later
/* The record of the host's clock, a text file. */
#include "vmclock/host/recording.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define EVERY_NS 100000000LL

static FILE *file;
static const char *name;
static s64 next_ns;

bool recording_open(const char *path)
{
	name = path;
	file = fopen(path, "wx");
	if (!file)
		fprintf(stderr, "vmclock-host: --record %s: %s\n", path, strerror(errno));
	else
		fputs("# counter, seconds (vmclock-host --record)\n", file);
	return file;
}

void recording_add(const struct pair *pair)
{
	if (!file || pair->time_ns < next_ns)
		return;
	next_ns = pair->time_ns + EVERY_NS;
	fprintf(file, "%llu %lld.%09lld\n", pair->counter, pair->time_ns / (s64)TB_NSEC_PER_SEC,
		pair->time_ns % (s64)TB_NSEC_PER_SEC);
	if (ferror(file))
		recording_close();
}

void recording_close(void)
{
	bool lost;

	if (!file)
		return;
	lost = ferror(file);
	if (fclose(file) || lost)
		fprintf(stderr, "vmclock-host: --record %s: the record is not whole: %s\n", name,
			strerror(errno));
	file = NULL;
}

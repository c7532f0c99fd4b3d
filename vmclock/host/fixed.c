// SPDX-License-Identifier: GPL-2.0-or-later
/* Pages that follow no clock: one given line, or recognisable ones as fast as can be. */
#include <stdio.h>

#include "vmclock/host/log.h"
#include "vmclock/host/publish.h"
#include "vmclock/host/stop.h"
#include "vmclock/stress.h"

/* Opens the file and says why not on stderr. */
static bool open_page(const struct options *options, struct pagefile *file)
{
	char why[512];

	if (pagefile_create(file, options->page, PAGEFILE_PAGE, options->force, why, sizeof(why)))
		return true;
	fprintf(stderr, "vmclock-host: %s\n", why);
	return false;
}

static bool is_page(const struct vmclock_abi *page)
{
	return page->magic == VMCLOCK_MAGIC && page->size == VMCLOCK_PAGE_SIZE &&
	       page->version == VMCLOCK_VERSION;
}

bool publish_open(const struct options *options, struct pagefile *file, struct vmclock_line *line)
{
	struct vmclock_abi *page;

	if (!open_page(options, file))
		return false;
	page = file->memory;
	if (is_page(page)) {
		line->disruption_marker += page->disruption_marker + 1;
		vmclock_page_update(page, line);
	} else {
		vmclock_page_init(page, line);
	}
	return true;
}

enum status publish_static(const struct options *options)
{
	struct vmclock_line line = options->line;
	struct pagefile file;

	line.clock_status = options->status < 0 ? VMCLOCK_STATUS_SYNCHRONIZED : (u8)options->status;
	if (!publish_open(options, &file, &line))
		return STATUS_COULD_NOT;
	/* Uses exactly the requested marker, because repeatable runs depend on the page. */
	line.disruption_marker = options->line.disruption_marker;
	vmclock_page_update(file.memory, &line);
	log_ready(options->page, false);
	return STATUS_DONE;
}

enum status publish_stress(const struct options *options)
{
	struct vmclock_line line;
	struct pagefile file;
	const char *why;
	u64 n = 1;

	vmclock_stress_line(0, &line);
	if (!open_page(options, &file))
		return STATUS_COULD_NOT;
	/*
	 * The marker is part of a stress line: with another one, a reader would report a torn line.
	 */
	if (is_page(file.memory))
		vmclock_page_update(file.memory, &line);
	else
		vmclock_page_init(file.memory, &line);
	log_ready(options->page, false);
	/* Reading the time between updates gives readers a chance to read a whole line. */
	while (!(why = stop_reason())) {
		vmclock_stress_line(n++, &line);
		vmclock_page_update(file.memory, &line);
	}
	line.clock_status = VMCLOCK_STATUS_UNRELIABLE;
	vmclock_page_update(file.memory, &line);
	log_end(why, n);
	return STATUS_DONE;
}

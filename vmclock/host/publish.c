// SPDX-License-Identifier: GPL-2.0-or-later
/* Opens a page file for writing, and writes the first line into it. */
#include <stdio.h>

#include "vmclock/host/publish.h"

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

/* Keeps what a predecessor's page has of seq_count. */
static void write_line(struct vmclock_abi *page, const struct vmclock_line *line)
{
	if (is_page(page))
		vmclock_page_update(page, line);
	else
		vmclock_page_init(page, line);
}

bool publish_open(const struct options *options, struct pagefile *file, struct vmclock_line *line)
{
	const struct vmclock_abi *page;

	if (!open_page(options, file))
		return false;
	page = file->memory;
	if (is_page(page))
		line->disruption_marker += page->disruption_marker + 1;
	write_line(file->memory, line);
	return true;
}

bool publish_open_as_is(const struct options *options, struct pagefile *file,
			const struct vmclock_line *line)
{
	if (!open_page(options, file))
		return false;
	write_line(file->memory, line);
	return true;
}

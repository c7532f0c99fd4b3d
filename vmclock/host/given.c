// SPDX-License-Identifier: GPL-2.0-or-later
/* --static: a page with one given line, which nobody replaces. */
#include "vmclock/host/log.h"
#include "vmclock/host/publish.h"

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

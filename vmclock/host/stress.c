// SPDX-License-Identifier: GPL-2.0-or-later
/* --stress: recognisable lines as fast as can be, so that a torn read is noticed. */
#include "vmclock/host/log.h"
#include "vmclock/host/publish.h"
#include "vmclock/host/stop.h"
#include "vmclock/stress.h"

enum status publish_stress(const struct options *options)
{
	struct vmclock_line line;
	struct pagefile file;
	const char *why;
	u64 n = 1;

	vmclock_stress_line(0, &line);
	if (!publish_open_as_is(options, &file, &line))
		return STATUS_COULD_NOT;
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

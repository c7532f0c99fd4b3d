// SPDX-License-Identifier: GPL-2.0-or-later
/* The markers of a page without a line. Assumes that the device writes each of them at once. */
#include "measure/disruption.h"
#include "measure/markers.h"

static bool moved(const struct run *run)
{
	const volatile struct vmclock_abi *page = run->clock->markers;

	return page->disruption_marker != run->markers.disruption ||
	       page->vm_generation_counter != run->markers.generation;
}

static void take(struct run *run)
{
	run->markers.disruption = run->clock->markers->disruption_marker;
	run->markers.generation = run->clock->markers->vm_generation_counter;
}

void markers_begin(struct run *run)
{
	run->markers.moves = 0;
	run->markers.void_line = false;
	run->markers.generation = 0;
	if (run->clock->markers)
		take(run);
}

void markers_notice(struct run *run)
{
	if (!run->clock->markers || !moved(run))
		return;
	take(run);
	run->markers.moves++;
	/* The page itself was first: it shows the new marker, whose line is awaited. */
	if (run->time_unknown)
		return;
	run->markers.void_line = true;
	run->markers.void_marker = run->shown_marker;
	disruption_notice(run, &run->line);
}

bool markers_void(const struct run *run, const struct vmclock_line *line)
{
	return run->markers.void_line && line->disruption_marker == run->markers.void_marker;
}

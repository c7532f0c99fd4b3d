/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The three ways to write a page; each gives the program's exit status. */
#ifndef TB_VMCLOCK_HOST_PUBLISH_H
#define TB_VMCLOCK_HOST_PUBLISH_H

#include "vmclock/host/options.h"
#include "vmclock/host/pagefile.h"

enum status {
	STATUS_DONE = 0,
	STATUS_BROKEN = 1,
	STATUS_COULD_NOT = 2,
};

enum status publish_live(const struct options *options);
enum status publish_static(const struct options *options);
enum status publish_stress(const struct options *options);

/* --check (audit.c). */
enum status audit(const struct options *options);

/* Opens options->page for writing, whatever it holds; a page that a predecessor left, even in
 * mid-update, keeps its seq_count and gets the next disruption_marker. false: said on stderr. */
bool publish_open(const struct options *options, struct pagefile *file, struct vmclock_line *line);

/* The same with exactly the marker of `line`: it is part of a --stress line, and with another one a
 * reader would report a torn line. */
bool publish_open_as_is(const struct options *options, struct pagefile *file,
			const struct vmclock_line *line);

#endif

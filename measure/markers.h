/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A second page, whose device has no line but says that the counter was disrupted: QEMU's own
 * vmclock device, beside the page that is followed. Its markers move while the machine is restored,
 * perhaps before the publisher of the line knows of it: so a line of the marker that was shown
 * until then is void, however good it looks.
 */
#ifndef TB_MEASURE_MARKERS_H
#define TB_MEASURE_MARKERS_H

#include "measure/measure.h"

/* Takes the markers as they are; a run begins. */
void markers_begin(struct run *run);

/* Looks at them: two loads. They moved: the line in force is void, and the time unknown. */
void markers_notice(struct run *run);

/* Whether a line that the page has now is from before the markers moved. */
bool markers_void(const struct run *run, const struct vmclock_line *line);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reports events of the publisher: a line of text, or a JSON object for programs, in which a number
 * that is not finite is null. */
#ifndef TB_VMCLOCK_HOST_LOG_H
#define TB_VMCLOCK_HOST_LOG_H

#include "vmclock/host/offset.h"
#include "vmclock/host/steer.h"

void log_style(bool json);

/* The page can be mapped; `waiting`: for the guest's counter. */
void log_ready(const char *page, bool waiting);
/* Says nothing where the offset and its bounds are those that were logged last. */
void log_offset(const struct offset *offset, const struct exchange *exchange, double period_ns);
void log_line(const struct vmclock_line *line, const struct steered *steered);
/* The page shows this new marker since now, CLOCK_REALTIME. */
void log_disrupted(u64 marker);
/* The page says "unknown" since the guest may have been stopped for doubt_us; or no longer does. */
void log_guest(bool answers, s64 doubt_us);
void log_verdict(u64 number, double difference_ns, u64 maxerror_ns, bool valid);
/* Free text, on stderr for people. */
void log_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_end(const char *why, u64 lines);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The conditions to end: a signal, the parent's death, a duration. Also the program's time
 * functions.
 */
#ifndef TB_VMCLOCK_HOST_STOP_H
#define TB_VMCLOCK_HOST_STOP_H

#include "lib/types.h"

/* Catches SIGTERM, SIGINT, SIGHUP and SIGUSR1, ignores SIGPIPE. duration_us 0: without limit. */
void stop_prepare(bool die_with_parent, s64 duration_us);

/* NULL: go on. Otherwise the reason, in a word or two. */
const char *stop_reason(void);

/* Whether SIGUSR1 has come since the last call: the guest was restored from a snapshot. */
bool stop_guest_restored(void);

/* CLOCK_MONOTONIC, microseconds. */
s64 monotonic_us(void);

/* Sleeps until then, or less if a signal comes. */
void sleep_until_us(s64 when);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemons that steer CLOCK_REALTIME by /dev/ptp0, as children of this process. */
#ifndef TB_LINUX_DAEMON_H
#define TB_LINUX_DAEMON_H

#include <sys/types.h>
#include "lib/types.h"

/* Whether there is a daemon of that name: phc2sys, chrony. */
bool daemon_known(const char *name);

/*
 * Starts the daemon of that name, which must be known. It looks at the device eight times a second
 * and corrects the clock twice or more often. ahead_sec: the device's time less UTC. 0: no process
 * can be made.
 */
pid_t daemon_start(const char *name, s32 ahead_sec);

/* Ends it; false: it had ended by itself, or was never started (0). */
bool daemon_stop(pid_t child);

#endif

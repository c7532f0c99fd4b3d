/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The notification of the page's changes: a byte into a socket, behind which QEMU has a 16550 whose
 * interrupt the guest takes (vmclock/notify.asl). Whoever listens comes later and may go: it is
 * connected to again.
 */
#ifndef TB_VMCLOCK_HOST_BELL_H
#define TB_VMCLOCK_HOST_BELL_H

#include "lib/types.h"

/* `path`: a UNIX socket, or NULL: bell_ring() does nothing. Once. */
void bell_init(const char *path);

/* Connects if there is somebody; tries again every 50 ms. */
void bell_poll(void);

/* The page has changed. Never waits. */
void bell_ring(void);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The page of the host's own kernel, /dev/vmclock_host: mapped to be read, and waited for by
 * poll(). A read() takes note of a change, so that the next poll() waits for another. A regular
 * file stands in for it, with a pollable descriptor beside it (a FIFO) or none.
 */
#ifndef TB_VMCLOCK_HOST_DEVICE_H
#define TB_VMCLOCK_HOST_DEVICE_H

#include "vmclock/vmclock.h"

struct host_device {
	const struct vmclock_abi *page; /* NULL: there is none */
	int fd;				/* to wait on; -1: none, the page is looked at instead */
};

/*
 * Maps `path` where it is there, and opens `events` (NULL: the device itself, if it is a character
 * device). false: `events` was named, and it or its page cannot be opened, which is said on stderr.
 */
bool host_device_open(struct host_device *device, const char *path, const char *events);

/* Waits until CLOCK_MONOTONIC is when_us, or until the page changes: true then. Less if a signal
 * comes. */
bool host_device_wait(struct host_device *device, s64 when_us);

#endif

// SPDX-License-Identifier: GPL-2.0-or-later
/* Opening /dev/vmclock_host or its stand-in, and waiting on it. */
#include "vmclock/host/device.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmclock/host/log.h"
#include "vmclock/host/pagefile.h"
#include "vmclock/host/stop.h"

static bool is_device(int fd)
{
	struct stat status;

	return fd >= 0 && !fstat(fd, &status) && S_ISCHR(status.st_mode);
}

bool host_device_open(struct host_device *device, const char *path, const char *events)
{
	struct pagefile file;
	char why[512];

	device->fd = -1;
	if (!pagefile_open(&file, path, why, sizeof(why)) || file.size < VMCLOCK_PAGE_SIZE) {
		if (events)
			fprintf(stderr, "vmclock-host: --host-events without a page: %s\n", path);
		return !events;
	}
	device->page = file.memory;
	device->fd = open(events ? events : path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (events && device->fd < 0) {
		fprintf(stderr, "vmclock-host: %s: %s\n", events, strerror(errno));
		return false;
	}
	/* poll() says of a regular file that it can always be read. */
	if (!events && !is_device(device->fd)) {
		if (device->fd >= 0)
			close(device->fd);
		device->fd = -1;
	}
	return true;
}

/* Takes note of a change. false: this descriptor tells no more. */
static bool take(struct host_device *device)
{
	char bytes[sizeof(struct vmclock_abi)];
	ssize_t got = pread(device->fd, bytes, sizeof(bytes), 0);

	if (got < 0 && errno == ESPIPE)
		got = read(device->fd, bytes, sizeof(bytes));
	return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

bool host_device_wait(struct host_device *device, s64 when_us)
{
	struct pollfd wanted = { .fd = device->fd, .events = POLLIN };
	s64 left_us = when_us - monotonic_us();
	struct timespec timeout = { .tv_sec = left_us / 1000000,
				    .tv_nsec = left_us % 1000000 * 1000 };

	if (device->fd < 0) {
		sleep_until_us(when_us);
		return false;
	}
	if (left_us < 0)
		timeout = (struct timespec){ 0 };
	if (ppoll(&wanted, 1, &timeout, NULL) <= 0)
		return false;
	if (!(wanted.revents & POLLIN) || !take(device)) {
		log_note("the host's device cannot be waited for any more: its page is looked at "
			 "once an interval");
		close(device->fd);
		device->fd = -1;
		return false;
	}
	return true;
}

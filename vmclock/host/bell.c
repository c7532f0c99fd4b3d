// SPDX-License-Identifier: GPL-2.0-or-later
/* The socket to QEMU's serial port that rings. */
#include "vmclock/host/bell.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "vmclock/host/stop.h"

#define RETRY_US 50000

static struct {
	const char *path; /* NULL: nobody is rung for */
	int fd;		  /* -1: nobody listens */
	s64 retry_us;
} bell = { .fd = -1 };

void bell_init(const char *path)
{
	bell.path = path;
}

static void hang_up(void)
{
	close(bell.fd);
	bell.fd = -1;
}

void bell_ring(void)
{
	/* A full socket has rung often enough. */
	if (bell.fd >= 0 && send(bell.fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
	    errno != EAGAIN)
		hang_up();
}

void bell_poll(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	s64 now = monotonic_us();

	if (!bell.path || bell.fd >= 0 || now < bell.retry_us)
		return;
	bell.retry_us = now + RETRY_US;
	/* options_parse() has refused a longer path. */
	memcpy(to.sun_path, bell.path, strnlen(bell.path, sizeof(to.sun_path) - 1));
	bell.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (bell.fd >= 0 && connect(bell.fd, (struct sockaddr *)&to, sizeof(to)))
		hang_up();
	/* For what has changed since it listens. */
	bell_ring();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Descriptors 0, 1 and 2, for the programs that open files. Assumes Linux. */
#ifndef TB_VMCLOCK_HOST_DESCRIPTORS_H
#define TB_VMCLOCK_HOST_DESCRIPTORS_H

#include <fcntl.h>
#include "lib/types.h"

/*
 * Opens /dev/null for each of the three that the caller closed (`>&-`): otherwise the first file
 * that is opened gets its number, and what is printed is written into that file. Each is opened for
 * the wrong direction, so that reading and writing fail with EBADF as they do on a closed
 * descriptor. Call first in main(). Gives false if one stays closed.
 */
static inline bool descriptors_reserve(void)
{
	for (int fd = 0; fd <= 2; fd++)
		/* open() takes the lowest free number: this one. */
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd ? O_RDONLY : O_WRONLY) != fd)
			return false;
	return true;
}

#endif

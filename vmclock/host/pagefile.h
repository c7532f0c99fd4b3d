/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that QEMU maps as memory: made with all their blocks, so that no store to them can fail. */
#ifndef TB_VMCLOCK_HOST_PAGEFILE_H
#define TB_VMCLOCK_HOST_PAGEFILE_H

#include "lib/types.h"

/* What QEMU's pc-dimm wants at the least: a multiple of 2 MiB. */
#define PAGEFILE_SIZE (2U << 20)

struct pagefile {
	int fd;
	void *memory;
	u64 size;
};

/*
 * Opens or makes `path`, PAGEFILE_SIZE bytes or more, and takes the writer's lock on it. false:
 * `why` says what is wrong and what to do. The lock ends with the process.
 */
bool pagefile_create(struct pagefile *file, const char *path, char *why, size_t why_size);

/* Maps an existing file (or device) to read, up to PAGEFILE_SIZE bytes of it. */
bool pagefile_open(struct pagefile *file, const char *path, char *why, size_t why_size);

/* The same to read and write, beside the writer that holds the lock: a mailbox has two. */
bool pagefile_share(struct pagefile *file, const char *path, char *why, size_t why_size);

void pagefile_close(struct pagefile *file);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that QEMU maps as memory: made with all their blocks, so that no store to them can fail. */
#ifndef TB_VMCLOCK_HOST_PAGEFILE_H
#define TB_VMCLOCK_HOST_PAGEFILE_H

#include "lib/types.h"

/* What QEMU's device that maps the file wants at the least: a multiple of 2 MiB. */
#define PAGEFILE_SIZE (2U << 20)

struct pagefile {
	int fd;
	void *memory;
	u64 size;
};

/* What a file of each kind begins with. */
#define PAGEFILE_PAGE	 "VCLK"
#define PAGEFILE_MAILBOX "TTICKBOX"

/*
 * Opens or makes `path`, PAGEFILE_SIZE bytes, and takes the writer's lock on it. A new file has
 * mode 0600. An existing one is used only if it is the caller's alone (owner, no write permission
 * for others, one hard link, no symbolic link) and begins with `magic` or holds nothing; with
 * `force`, any regular file is. false: `why` says what is wrong and what to do, and the file is as
 * it was. The lock ends with the process.
 */
bool pagefile_create(struct pagefile *file, const char *path, const char *magic, bool force,
		     char *why, size_t why_size);

/* Maps an existing regular file or character device to read, up to PAGEFILE_SIZE bytes of it. */
bool pagefile_open(struct pagefile *file, const char *path, char *why, size_t why_size);

/* The same to read and write, beside the writer that holds the lock: a mailbox has two. */
bool pagefile_share(struct pagefile *file, const char *path, char *why, size_t why_size);

void pagefile_close(struct pagefile *file);

/*
 * From now on, a mapped file that somebody truncates ends the program with a sentence and status 2
 * instead of SIGBUS. Call once.
 */
void pagefile_say_cuts(void);

#endif

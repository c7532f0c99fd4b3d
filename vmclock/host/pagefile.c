// SPDX-License-Identifier: GPL-2.0-or-later
/* Making and mapping page files. Assumes Linux (flock, fallocate). */
#include "vmclock/host/pagefile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *advice(int error)
{
	switch (error) {
	case ENOENT:
		return "the folder does not exist; on a machine without /dev/shm, name a file "
		       "elsewhere";
	case EACCES:
	case EPERM:
	case EROFS:
		return "choose a folder that you may write to";
	case ENOSPC:
	case EDQUOT:
		return "2 MiB must be free there; make room, or choose another folder";
	default:
		return "choose another file";
	}
}

static bool fail(struct pagefile *file, char *why, size_t why_size, const char *what,
		 const char *path, int error)
{
	snprintf(why, why_size, "cannot %s %s: %s (%s)", what, path, strerror(error),
		 advice(error));
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
	return false;
}

static bool map(struct pagefile *file, const char *path, int protection, char *why, size_t why_size)
{
	file->memory = mmap(NULL, file->size, protection, MAP_SHARED, file->fd, 0);
	if (file->memory == MAP_FAILED)
		return fail(file, why, why_size, "map", path, errno);
	return true;
}

bool pagefile_create(struct pagefile *file, const char *path, char *why, size_t why_size)
{
	struct stat stat;
	bool existed;
	int error;

	existed = access(path, F_OK) == 0;
	file->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (file->fd < 0 || fstat(file->fd, &stat))
		return fail(file, why, why_size, "open", path, errno);
	if (!S_ISREG(stat.st_mode))
		return fail(file, why, why_size, "use", path, EINVAL);
	if (flock(file->fd, LOCK_EX | LOCK_NB)) {
		snprintf(
			why, why_size,
			"%s has a writer already: end the other vmclock-host, or name another file",
			path);
		close(file->fd);
		return false;
	}
	/* Blocks now, or a store into the mapping ends in SIGBUS when the disk is full. */
	error = posix_fallocate(file->fd, 0, PAGEFILE_SIZE);
	if (error) {
		if (!existed)
			unlink(path);
		return fail(file, why, why_size, "reserve 2 MiB for", path, error);
	}
	file->size = PAGEFILE_SIZE;
	return map(file, path, PROT_READ | PROT_WRITE, why, why_size);
}

static bool open_existing(struct pagefile *file, const char *path, int flags, int protection,
			  char *why, size_t why_size)
{
	struct stat stat;

	file->fd = open(path, flags | O_CLOEXEC);
	if (file->fd < 0 || fstat(file->fd, &stat))
		return fail(file, why, why_size, "open", path, errno);
	/* A device has no size: it offers one page. */
	file->size = S_ISREG(stat.st_mode) ? (u64)stat.st_size : 4096;
	if (file->size > PAGEFILE_SIZE)
		file->size = PAGEFILE_SIZE;
	if (!file->size) {
		snprintf(why, why_size, "%s is empty: it is no vmclock page", path);
		close(file->fd);
		return false;
	}
	return map(file, path, protection, why, why_size);
}

bool pagefile_open(struct pagefile *file, const char *path, char *why, size_t why_size)
{
	return open_existing(file, path, O_RDONLY, PROT_READ, why, why_size);
}

bool pagefile_share(struct pagefile *file, const char *path, char *why, size_t why_size)
{
	return open_existing(file, path, O_RDWR, PROT_READ | PROT_WRITE, why, why_size);
}

void pagefile_close(struct pagefile *file)
{
	munmap(file->memory, file->size);
	close(file->fd);
}

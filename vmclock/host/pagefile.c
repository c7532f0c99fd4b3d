// SPDX-License-Identifier: GPL-2.0-or-later
/* Making and mapping page files. Assumes Linux (flock, fallocate). */
#include "vmclock/host/pagefile.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD   4096 /* bytes at the start of the file that are looked at */
#define FIELDS 0x70 /* of them, those that a page's fields take */

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
	case ELOOP:
		return "it is a symbolic link: name the file itself, or give --force";
	default:
		return "choose another file";
	}
}

static bool give_up(struct pagefile *file)
{
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
	return false;
}

static bool fail(struct pagefile *file, char *why, size_t why_size, const char *what,
		 const char *path, int error)
{
	snprintf(why, why_size, "cannot %s %s: %s (%s)", what, path, strerror(error),
		 advice(error));
	return give_up(file);
}

static bool map(struct pagefile *file, const char *path, int protection, char *why, size_t why_size)
{
	file->memory = mmap(NULL, file->size, protection, MAP_SHARED, file->fd, 0);
	if (file->memory == MAP_FAILED)
		return fail(file, why, why_size, "map", path, errno);
	return true;
}

/*
 * What the file holds: a page of this kind, or nothing yet. A writer that was killed before it
 * wrote the magic leaves a file of the whole size that holds at most other fields.
 */
static bool holds_nothing_else(int fd, off_t size, const char *magic)
{
	char head[HEAD];

	if (!size)
		return true;
	if (size > (off_t)PAGEFILE_SIZE || size % HEAD || pread(fd, head, HEAD, 0) != HEAD)
		return false;
	if (!memcmp(head, magic, strlen(magic)))
		return true;
	if (size != (off_t)PAGEFILE_SIZE)
		return false;
	for (size_t i = 0; i < HEAD; i++)
		if ((i < strlen(magic) || i >= FIELDS) && head[i])
			return false;
	return true;
}

/* NULL: the file may be overwritten. Otherwise the reason against it. */
static const char *objection(int fd, const struct stat *stat, const char *magic)
{
	if (stat->st_uid != geteuid())
		return "it belongs to another user";
	if (stat->st_mode & (S_IWGRP | S_IWOTH))
		return "other users may write to it";
	if (stat->st_nlink != 1)
		return "it has another name too (a hard link)";
	if (!holds_nothing_else(fd, stat->st_size, magic))
		return "it holds something else";
	return NULL;
}

/* Opens what is there, or makes a new file; `made` tells which. */
static int open_or_make(const char *path, bool force, bool *made)
{
	/* O_NONBLOCK: a FIFO is to be refused, not waited for. */
	const int flags = O_RDWR | O_CLOEXEC | O_NONBLOCK | (force ? 0 : O_NOFOLLOW);
	int fd = open(path, flags);

	*made = false;
	if (fd >= 0 || errno != ENOENT)
		return fd;
	fd = open(path, flags | O_CREAT | (force ? 0 : O_EXCL), 0600);
	*made = fd >= 0;
	/* Somebody else made it in between. */
	return fd < 0 && errno == EEXIST ? open(path, flags) : fd;
}

bool pagefile_create(struct pagefile *file, const char *path, const char *magic, bool force,
		     char *why, size_t why_size)
{
	const char *against;
	struct stat stat;
	bool made;
	int error;

	file->fd = open_or_make(path, force, &made);
	if (file->fd < 0 || fstat(file->fd, &stat))
		return fail(file, why, why_size, "open", path, errno);
	if (!S_ISREG(stat.st_mode))
		return fail(file, why, why_size, "use", path, EINVAL);
	if (flock(file->fd, LOCK_EX | LOCK_NB)) {
		snprintf(
			why, why_size,
			"%s has a writer already: end the other vmclock-host, or name another file",
			path);
		return give_up(file);
	}
	against = force ? NULL : objection(file->fd, &stat, magic);
	if (against) {
		snprintf(why, why_size,
			 "%s is not overwritten: %s (name another file, or give --force)", path,
			 against);
		return give_up(file);
	}
	/* Blocks now, or a store into the mapping ends in SIGBUS when the disk is full. */
	error = posix_fallocate(file->fd, 0, PAGEFILE_SIZE);
	if (error) {
		if (made)
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

	file->fd = open(path, flags | O_CLOEXEC | O_NONBLOCK);
	if (file->fd < 0 || fstat(file->fd, &stat))
		return fail(file, why, why_size, "open", path, errno);
	if (!S_ISREG(stat.st_mode) && !S_ISCHR(stat.st_mode))
		return fail(file, why, why_size, "use", path, EINVAL);
	/* A device has no size: it offers one page. */
	file->size = S_ISREG(stat.st_mode) ? (u64)stat.st_size : 4096;
	if (file->size > PAGEFILE_SIZE)
		file->size = PAGEFILE_SIZE;
	if (!file->size) {
		snprintf(why, why_size, "%s is empty: it is no vmclock page", path);
		return give_up(file);
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

static void on_sigbus(int number)
{
	static const char text[] = "a mapped page was cut short by somebody else: there is nothing "
				   "left to read or write\n";

	(void)number;
	/* Nothing else may be called here; whether it was heard changes nothing. */
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(2);
	_exit(2);
}

void pagefile_say_cuts(void)
{
	struct sigaction action = { .sa_handler = on_sigbus };

	sigaction(SIGBUS, &action, NULL);
}

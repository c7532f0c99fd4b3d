// SPDX-License-Identifier: GPL-2.0-or-later
/* A page that another process writes, in place of the virtual clock's own. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim/sim.h"

/* SIGBUS: the page's file was truncated while it was mapped. Ends the process in mid-run. */
static void page_cut(int number)
{
	static const char text[] =
		"tickbench-sim: the page's file was cut short while it was read\n";

	(void)number;
	/* The process ends whether or not the message could be written. */
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(STATUS_CANNOT);
	_exit(STATUS_CANNOT);
}

void use_page(struct clock *clock, const char *path)
{
	struct sigaction cut = { .sa_handler = page_cut };
	struct stat status;
	/* O_NONBLOCK: open() of a FIFO returns at once, so that it can be refused. */
	int fd = open(path, O_RDONLY | O_NONBLOCK);
	void *page;

	if (fd < 0 || fstat(fd, &status))
		cannot("%s: %s", path, strerror(errno));
	if (!S_ISREG(status.st_mode))
		cannot("%s is not a regular file", path);
	if (status.st_size < (off_t)sizeof(struct vmclock_abi))
		cannot("%s is too short for a vmclock page: %lld bytes", path,
		       (long long)status.st_size);
	page = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		cannot("%s cannot be mapped: %s", path, strerror(errno));
	close(fd);
	clock->page = page;
	clock->page_mapped = (u64)status.st_size;
	clock->page_is_ours = false;
	clock->reset = NULL;
	sigaction(SIGBUS, &cut, NULL);
}

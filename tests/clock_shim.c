// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A host's clock that a test may set, without anybody else's being set: preloaded, it adds to
 * CLOCK_TAI and CLOCK_REALTIME what stands in the file $CLOCK_SHIM, an s64 of nanoseconds. Assumes
 * that the program calls clock_gettime() through the dynamic linker.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

static int (*real)(clockid_t, struct timespec *);
static const volatile long long *add_ns;

__attribute__((constructor)) static void prepare(void)
{
	const char *path = getenv("CLOCK_SHIM");
	int fd = path ? open(path, O_RDONLY) : -1;
	void *memory = fd < 0 ? MAP_FAILED : mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

	real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
	if (memory == MAP_FAILED || !real)
		abort();
	add_ns = memory;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
	int result = real(clock, now);
	long long ns;

	if (clock != CLOCK_TAI && clock != CLOCK_REALTIME)
		return result;
	ns = now->tv_sec * 1000000000LL + now->tv_nsec + *add_ns;
	now->tv_sec = ns / 1000000000;
	now->tv_nsec = ns % 1000000000;
	return result;
}

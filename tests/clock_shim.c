// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A host's clock that a test may set, while no other program's is. Preloaded, it adds to CLOCK_TAI
 * and CLOCK_REALTIME what the file $CLOCK_SHIM holds (struct shim), and passes a leap second as
 * Linux does. Assumes that the program calls clock_gettime() and adjtimex() through the dynamic
 * linker.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/timex.h>
#include <time.h>

#define NSEC_PER_SEC 1000000000LL

struct shim {
	long long add_ns;
	long long leap;		/* 1: a second is inserted at `midnight`, -1: deleted before it */
	long long midnight_sec; /* of CLOCK_REALTIME; 0: no leap second, and the kernel's TAI offset
				 */
	long long tai_sec;	/* the TAI offset before it, as the kernel counts it */
};

static int (*real_gettime)(clockid_t, struct timespec *);
static int (*real_adjtimex)(struct timex *);
static const volatile struct shim *shim;

__attribute__((constructor)) static void prepare(void)
{
	const char *path = getenv("CLOCK_SHIM");
	int fd = path ? open(path, O_RDONLY) : -1;
	void *memory = fd < 0 ? MAP_FAILED : mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

	real_gettime = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
	real_adjtimex = (int (*)(struct timex *))dlsym(RTLD_NEXT, "adjtimex");
	if (memory == MAP_FAILED || !real_gettime || !real_adjtimex)
		abort();
	shim = memory;
}

/* CLOCK_REALTIME as if there were no leap second, ns. */
static long long plain_ns(const struct timespec *now)
{
	return now->tv_sec * NSEC_PER_SEC + now->tv_nsec + shim->add_ns;
}

/* Seconds since the kernel passed the leap second; negative: it has not. */
static long long since_sec(long long plain)
{
	long long at = shim->midnight_sec + (shim->leap < 0 ? -1 : 0);
	long long ns = plain - at * NSEC_PER_SEC;

	return ns < 0 ? -1 : ns / NSEC_PER_SEC;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
	int result;
	long long ns;

	if (clock != CLOCK_TAI && clock != CLOCK_REALTIME)
		return real_gettime(clock, now);
	result = real_gettime(shim->midnight_sec ? CLOCK_REALTIME : clock, now);
	ns = plain_ns(now);
	if (shim->midnight_sec && clock == CLOCK_TAI)
		ns += shim->tai_sec * NSEC_PER_SEC;
	else if (shim->midnight_sec && since_sec(ns) >= 0)
		ns -= shim->leap * NSEC_PER_SEC;
	now->tv_sec = ns / NSEC_PER_SEC;
	now->tv_nsec = ns % NSEC_PER_SEC;
	return result;
}

int adjtimex(struct timex *timex)
{
	int state = real_adjtimex(timex);
	struct timespec now;
	long long since;

	if (!shim->midnight_sec)
		return state;
	real_gettime(CLOCK_REALTIME, &now);
	since = since_sec(plain_ns(&now));
	timex->time.tv_sec = plain_ns(&now) / NSEC_PER_SEC - (since >= 0 ? shim->leap : 0);
	timex->tai = (int)(shim->tai_sec + (since >= 0 ? shim->leap : 0));
	timex->status |= shim->leap > 0 ? STA_INS : STA_DEL;
	if (state == TIME_ERROR)
		return state;
	if (since < 0)
		return shim->leap > 0 ? TIME_INS : TIME_DEL;
	return shim->leap > 0 && !since ? TIME_OOP : TIME_WAIT;
}

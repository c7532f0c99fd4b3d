// SPDX-License-Identifier: GPL-2.0-or-later
/* A second CPU for the scenarios: a thread, beside the one that runs them. */
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "sim/sim.h"

static pthread_t thread;
static void (*thread_body)(void *context);

static void *second(void *context)
{
	thread_body(context);
	return NULL;
}

/* The guard's signals are the first thread's: its handlers leave that one's functions. */
static const char *start(void (*body)(void *context), void *context)
{
	sigset_t all, before;
	bool started;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		return "the machine has one CPU";
	thread_body = body;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	started = !pthread_create(&thread, NULL, second, context);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return started ? NULL : "a second thread cannot be started";
}

static void join(void)
{
	pthread_join(thread, NULL);
}

const struct second_cpu second_cpu = { .start = start, .join = join };

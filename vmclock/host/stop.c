// SPDX-License-Identifier: GPL-2.0-or-later
/* Signals only set a flag, so none interrupts an update of the page. */
#include "vmclock/host/stop.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t caught, restored;
static s64 deadline_us;

static void on_signal(int number)
{
	caught = number;
}

static void on_restored(int number)
{
	(void)number;
	restored = 1;
}

bool stop_guest_restored(void)
{
	bool was = restored;

	restored = 0;
	return was;
}

void stop_prepare(bool die_with_parent, s64 duration_us)
{
	struct sigaction catch = { .sa_handler = on_signal }; /* no SA_RESTART: sleeps end */
	struct sigaction note = { .sa_handler = on_restored };
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	pid_t parent = getppid();

	sigaction(SIGTERM, &catch, NULL);
	sigaction(SIGINT, &catch, NULL);
	sigaction(SIGHUP, &catch, NULL);
	sigaction(SIGUSR1, &note, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	if (die_with_parent) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		/* The parent may have died before prctl() took effect. */
		if (getppid() != parent)
			caught = SIGTERM;
	}
	deadline_us = duration_us ? monotonic_us() + duration_us : 0;
}

const char *stop_reason(void)
{
	switch (caught) {
	case 0:
		return deadline_us && monotonic_us() >= deadline_us ? "duration" : NULL;
	case SIGINT:
		return "SIGINT";
	case SIGHUP:
		return "SIGHUP";
	default:
		return "SIGTERM";
	}
}

s64 monotonic_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

void sleep_until_us(s64 when)
{
	struct timespec until = { .tv_sec = when / 1000000, .tv_nsec = when % 1000000 * 1000 };

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

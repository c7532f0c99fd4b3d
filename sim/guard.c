// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Ensures that a run ends: a run that divides by zero, or that uses seconds of CPU time without
 * completing a tick or a reading, is aborted by a jump out of a signal handler.
 */
#include <setjmp.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include "sim/sim.h"

#define WATCH_SEC 2 /* of CPU time, so that a busy machine is not taken for a hang */

static struct {
	sigjmp_buf landing;
	struct run *run; /* NULL: nothing is watched */
	u64 progress;
	bool still; /* no progress at the last check */
} watched;

enum landed {
	RAN,
	DIVIDED_BY_ZERO,
	DID_NOT_END
};

static void on_divide(int signal)
{
	(void)signal;
	if (watched.run)
		siglongjmp(watched.landing, DIVIDED_BY_ZERO);
	_exit(STATUS_CANNOT);
}

/* No tick and no reading completed between three checks: an endless loop. */
static void on_watch(int signal)
{
	u64 progress;

	(void)signal;
	if (!watched.run)
		return;
	progress = watched.run->ticker.progress;
	if (progress == watched.progress && watched.still)
		siglongjmp(watched.landing, DID_NOT_END);
	watched.still = progress == watched.progress;
	watched.progress = progress;
}

static void watch(struct run *run)
{
	struct itimerval every = { { run ? WATCH_SEC : 0, 0 }, { run ? WATCH_SEC : 0, 0 } };

	watched.run = run;
	watched.still = false;
	setitimer(ITIMER_VIRTUAL, &every, NULL);
}

bool guard(void (*body)(struct run *run), struct run *run, const char **why)
{
	enum landed landed = (enum landed)sigsetjmp(watched.landing, 1);

	if (landed == RAN) {
		watch(run);
		body(run);
	}
	watch(NULL);
	*why = landed == DIVIDED_BY_ZERO ? "a tick divided by zero"
					 : "a tick or a reading does not end: it was given up";
	return landed == RAN;
}

void guard_init(void)
{
	signal(SIGFPE, on_divide);
	signal(SIGVTALRM, on_watch);
}

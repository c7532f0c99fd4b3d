// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * phc2sys and chronyd, with all they need on their command lines: there is no configuration file.
 * Neither may step the clock; it is set to the line before they start.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/math.h"
#include "linux/daemon.h"

/* Each replaces this process, and returns if it cannot. offset_sec: what UTC is less the device. */
static void exec_phc2sys(s32 offset_sec)
{
	char offset[16];

	snprintf(offset, sizeof(offset), "%d", offset_sec);
	execl("/sbin/phc2sys", "phc2sys", "-s", "/dev/ptp0", "-c", "CLOCK_REALTIME", "-O", offset,
	      "-R", "8", "-q", NULL);
}

/* Four readings make one correction, and no socket is opened. */
static void exec_chrony(s32 offset_sec)
{
	char clock[80];

	snprintf(clock, sizeof(clock), "refclock PHC /dev/ptp0 dpoll -3 poll -1 offset %d",
		 offset_sec);
	execl("/sbin/chronyd", "chronyd", "-d", "-u", "root", "-F", "0", clock, "port 0",
	      "cmdport 0", "bindcmdaddress /", "pidfile /chronyd.pid", NULL);
}

static const struct {
	const char *name;
	void (*exec)(s32 offset_sec);
} daemons[] = {
	{ "phc2sys", exec_phc2sys },
	{ "chrony", exec_chrony },
};

bool daemon_known(const char *name)
{
	for (u32 i = 0; i < TB_ARRAY_SIZE(daemons); i++)
		if (!strcmp(daemons[i].name, name))
			return true;
	return false;
}

pid_t daemon_start(const char *name, s32 ahead_sec)
{
	pid_t child = fork();
	int null;

	if (child)
		return child > 0 ? child : 0;
	null = open("/dev/null", O_RDWR);
	dup2(null, 1);
	dup2(null, 2);
	for (u32 i = 0; i < TB_ARRAY_SIZE(daemons); i++)
		if (!strcmp(daemons[i].name, name))
			daemons[i].exec(-ahead_sec);
	_exit(127);
}

bool daemon_stop(pid_t child)
{
	bool ran = child && waitpid(child, NULL, WNOHANG) == 0;

	if (ran) {
		kill(child, SIGTERM);
		waitpid(child, NULL, 0);
	}
	return ran;
}

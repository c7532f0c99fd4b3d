// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * linux-clock: runs in a booted Linux, on a vmclock page, and reports in KTAP how far its clocks
 * are off the page's line: /dev/ptp0, CLOCK_REALTIME left alone, and CLOCK_REALTIME under each
 * daemon that steers it by /dev/ptp0. Ends the machine by QEMU's debug exit, with the guest's own
 * statuses. Assumes root, and nothing else that steers the clock.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "lib/math.h"
#include "lib/parse.h"
#include "linux/daemon.h"
#include "linux/measure.h"

#define EXIT_PORT    0xf4
#define LINE_SECONDS 20
#define KINDS_MAX    4

/* The guest's own statuses, as runner/guest/boot.py knows them. */
enum status {
	PASSED = 0x10,
	FAILED = 0x11,
	BAILED = 0x12,
	SKIPPED = 0x14,
};

struct settings {
	u64 mailbox, duration_ms;
	const char *revision; /* the package's version */
	char daemons[32];     /* their names, a NUL after each */
};

/* One run: what is measured, and whether the daemon of that name steers CLOCK_REALTIME meanwhile.
 */
struct kind {
	const char *name;
	read_against *read;
	bool daemon;
};

static struct kind kinds[KINDS_MAX] = {
	{ "ptp", against_ptp, false },
	{ "alone", against_realtime, false },
};
static u32 kinds_count = 2;

static void to_stdout(void *context, const char *text, size_t length)
{
	(void)context;
	fwrite(text, 1, length, stdout);
	fflush(stdout);
}

static const struct output out = { to_stdout, NULL };

static void end(enum status status)
{
	fflush(stdout);
	usleep(100000); /* the serial port's last characters */
	outb((unsigned char)status, EXIT_PORT);
	exit(status); /* not under QEMU */
}

static void clocksource(char *name, size_t size)
{
	FILE *file = fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource", "r");

	str_copy(name, size, "unknown");
	if (file && fgets(name, (int)size, file))
		name[strcspn(name, "\n")] = '\0';
	if (file)
		fclose(file);
}

static void params(struct ktap *ktap, const struct settings *settings, const char *name, u64 hz,
		   u32 number)
{
	struct utsname system;
	char text[64];

	uname(&system);
	/* 7.3.4 of 7.3.4-1~bpo13+1. */
	str_copy(text, sizeof(text), settings->revision);
	text[strcspn(text, "-")] = '\0';
	ktap_param(ktap, "core", "linux");
	ktap_param(ktap, "kernel", text);
	ktap_param(ktap, "booted", system.release);
	ktap_param(ktap, "revision", settings->revision);
	ktap_param(ktap, "clock", "tsc");
	str_printf(text, sizeof(text), "%llu", hz);
	ktap_param(ktap, "counter_hz", text);
	clocksource(text, sizeof(text));
	ktap_param(ktap, "clocksource", text);
	ktap_param(ktap, "scenario", name);
	str_printf(text, sizeof(text), "%llu", settings->duration_ms);
	ktap_param(ktap, "duration_ms", text);
	str_printf(text, sizeof(text), "%u", number);
	ktap_param(ktap, "run", text);
}

static void claims(struct ktap *ktap, const struct kind *kind, const struct linux_guest *guest,
		   const struct measured *measured, s64 *alone_fs)
{
	const s64 furthest_fs = measured->stats.max_abs_fs;
	char text[96];

	ktap_report(ktap, measured->stats.count > measured->missed,
		    "the page has a line, and its clock can be read");
	if (kind->read == against_ptp) {
		ktap_report(ktap, !measured->outside_max_fs,
			    "every reading of /dev/ptp0 is the line's time between the counters "
			    "that enclose it");
		return;
	}
	if (guest->crosses)
		ktap_report(
			ktap, !measured->outside_max_fs,
			"the kernel's cross-stamp agrees with plain readings of CLOCK_REALTIME");
	else
		ktap_skip(ktap,
			  "the kernel's cross-stamp agrees with plain readings of CLOCK_REALTIME",
			  "PTP_SYS_OFFSET_PRECISE is refused");
	if (!kind->daemon) {
		*alone_fs = furthest_fs;
		return;
	}
	str_printf(text, sizeof(text),
		   "%s keeps CLOCK_REALTIME nearer to the line than it strays alone", kind->name);
	ktap_report(ktap, furthest_fs < *alone_fs, text);
}

static void run(struct ktap *ktap, const struct settings *settings, const struct linux_guest *guest,
		u32 number, s64 *alone_fs)
{
	const struct kind *kind = &kinds[number];
	struct vmclock_line line;
	struct measured measured;
	char text[64];
	pid_t daemon = 0;

	ktap_subtest_begin(ktap, kind->name);
	params(ktap, settings, kind->name, guest_line(guest, &line) ? vmclock_counter_hz(&line) : 0,
	       number);
	ktap_report(ktap, guest_set_realtime(guest), "CLOCK_REALTIME is set to the line");
	if (kind->daemon) {
		daemon = daemon_start(kind->name, guest->ptp_ahead_sec);
		usleep((useconds_t)(settings->duration_ms * 1000));
	}
	measure(guest, kind->read, settings->duration_ms, &measured);
	if (kind->daemon) {
		str_printf(text, sizeof(text), "%s runs to the end", kind->name);
		ktap_report(ktap, daemon_stop(daemon), text);
	}
	measure_report(ktap, &measured);
	ktap_param(ktap, "cross_stamp", guest->crosses ? "1" : "0");
	claims(ktap, kind, guest, &measured, alone_fs);
	measure_ship(&measured, kind->name, number);
	ktap_subtest_end(ktap, kind->name);
}

static void skip(struct ktap *ktap, const struct settings *settings, u32 number, const char *why)
{
	ktap_subtest_begin(ktap, kinds[number].name);
	params(ktap, settings, kinds[number].name, 0, number);
	ktap_skip(ktap, "ptp_vmclock binds to the page", why);
	ktap_subtest_end(ktap, kinds[number].name);
}

/* A kind for each daemon, of names joined by commas; "none" is no name. */
static bool parse_daemons(struct settings *settings, const char *names)
{
	char *name, *rest = settings->daemons;

	if (strlen(names) >= sizeof(settings->daemons))
		return false;
	str_copy(settings->daemons, sizeof(settings->daemons), names);
	if (!strcmp(names, "none"))
		return true;
	while ((name = strsep(&rest, ","))) {
		if (!daemon_known(name) || kinds_count == KINDS_MAX)
			return false;
		kinds[kinds_count++] = (struct kind){ name, against_realtime, true };
	}
	return true;
}

static bool parse(struct settings *settings, int count, char **words)
{
	if (count != 5)
		return false;
	settings->revision = words[3];
	return str_to_u64(words[1], &settings->mailbox) &&
	       str_to_u64(words[2], &settings->duration_ms) && settings->duration_ms &&
	       parse_daemons(settings, words[4]);
}

int main(int count, char **words)
{
	struct settings settings;
	struct linux_guest guest;
	struct ktap ktap;
	s64 alone_fs = 0;
	bool there;

	if (!parse(&settings, count, words)) {
		fputs("usage: linux-clock MAILBOX MILLISECONDS REVISION none|DAEMON[,DAEMON]\n",
		      stderr);
		return 2;
	}
	if (iopl(3)) {
		fputs("linux-clock: needs access to I/O ports\n", stderr);
		return 2;
	}
	there = guest_open(&guest, settings.mailbox);
	if (there) {
		guest_serve(&guest);
		if (!guest_await_line(&guest, LINE_SECONDS)) {
			printf("Bail out! %s (it is %d s ahead of UTC)\n", guest.why,
			       guest.ptp_ahead_sec);
			end(BAILED);
		}
	}
	ktap_begin(&ktap, &out, kinds_count);
	for (u32 i = 0; i < kinds_count; i++) {
		if (there)
			run(&ktap, &settings, &guest, i, &alone_fs);
		else
			skip(&ktap, &settings, i, guest.why);
	}
	end(ktap.failed[0] ? FAILED : ktap.skipped[0] == kinds_count ? SKIPPED : PASSED);
}

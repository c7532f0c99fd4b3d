// SPDX-License-Identifier: GPL-2.0-or-later
/* Parsing of the command line; every refusal names the option and what it takes. */
#include "vmclock/host/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/string.h"

static const char help[] =
	"vmclock-host: publish a vmclock page, or audit one\n"
	"\n"
	"  vmclock-host --page FILE [options]             follow the host's clock, until a signal\n"
	"  vmclock-host --page FILE --static LINE         write one given line, and end\n"
	"  vmclock-host --page FILE --stress              rewrite the page as fast as can be\n"
	"  vmclock-host --check FILE [options]            audit a page against the host's clock\n"
	"\n"
	"  --page FILE         the page: made if it is not there, 2 MiB, for QEMU to map\n"
	"  --force             use an existing file of somebody else's, or with something else in "
	"it\n"
	"  --mailbox FILE      a second such file, through which the guest tells its counter\n"
	"  --offset WORD       guest TSC - host TSC: auto (default), none, kvm, mailbox, or "
	"cycles\n"
	"  --qemu-pid PID      the QEMU whose offset KVM is asked for\n"
	"  --qemu-pidfile FILE the same, from a file that QEMU writes later (its -pidfile)\n"
	"  --interval S        refresh this often (default 1.0; 0.05 to 2)\n"
	"  --duration S        end by itself after that long (default 0: never; --check: 10)\n"
	"  --warm-up S         watch the clock this long before the first line (default 1.0)\n"
	"  --status WORD       claim unknown, initializing, synchronized, freerunning or "
	"unreliable,\n"
	"                      whatever the host's kernel says of its clock\n"
	"  --static LINE       "
	"counter=N,time=SECONDS[.FRACTION],period-hz=N[,rate-ppm=P][,type=utc|tai]\n"
	"                      [,tai=SECONDS][,marker=N]: time is in the page's type (default tai, "
	"37);\n"
	"                      a rate of +P makes the period longer by P parts in a million\n"
	"  --host-device FILE  a page in host counter terms to take lines from, where it is there\n"
	"                      (default /dev/vmclock_host). A device is waited for by poll()\n"
	"  --host-events FILE  wait on this FIFO instead: it can be read whenever that page "
	"changed\n"
	"  --leap-list FILE    leap seconds from there, not from the kernel or the system's list\n"
	"  --debugfs FOLDER    where KVM tells (default /sys/kernel/debug/kvm; never mounted by "
	"us)\n"
	"  --clock-error NS    add this to the host's clock: a host whose clock is wrong "
	"(-1000000000 to\n"
	"                      1000000000)\n"
	"  --marker N          the first disruption marker of a new page (default 0)\n"
	"  --generation N      state this VM generation counter; it grows by one when a snapshot "
	"is\n"
	"                      restored (default: none)\n"
	"  --record FILE       write what the host's clock does into a new file, ten pairs of "
	"counter and\n"
	"                      time a second, for ./tickbench discipline\n"
	"  --rule WORD         fit (default): lines through the clock; kernel: as the kernel's "
	"own\n"
	"                      device would, of adjtimex's frequency and the clock in whole ns\n"
	"  --notify SOCKET     notify the guest of each change of the page: a byte to this UNIX "
	"socket\n"
	"  --json              one JSON object a line, for programs\n"
	"  --die-with-parent   end when the process that started this one does\n"
	"\n"
	"\"ready\" is printed when the first line is in, or waits only for the guest's counter. "
	"Until\n"
	"then the page says \"initializing\", and after a clean end \"unreliable\".\n"
	"The time's error bounds are about the host's clock, not about how far that is off the "
	"world's.\n"
	"Exit status: 0 done, 1 --check found a claim broken, 2 could not run.\n";

#define SOCKET_PATH_MAX 108 /* of struct sockaddr_un */

enum {
	OPT_PAGE = 256,
	OPT_MAILBOX,
	OPT_FORCE,
	OPT_OFFSET,
	OPT_PID,
	OPT_PIDFILE,
	OPT_INTERVAL,
	OPT_DURATION,
	OPT_WARM_UP,
	OPT_STATUS,
	OPT_STATIC,
	OPT_STRESS,
	OPT_CHECK,
	OPT_DEVICE,
	OPT_EVENTS,
	OPT_LEAP,
	OPT_DEBUGFS,
	OPT_CLOCK_ERROR,
	OPT_MARKER,
	OPT_GENERATION,
	OPT_RECORD,
	OPT_NOTIFY,
	OPT_RULE,
	OPT_JSON,
	OPT_PARENT,
	OPT_HELP,
};

static const struct option table[] = {
	{ "page", required_argument, NULL, OPT_PAGE },
	{ "mailbox", required_argument, NULL, OPT_MAILBOX },
	{ "force", no_argument, NULL, OPT_FORCE },
	{ "offset", required_argument, NULL, OPT_OFFSET },
	{ "qemu-pid", required_argument, NULL, OPT_PID },
	{ "qemu-pidfile", required_argument, NULL, OPT_PIDFILE },
	{ "interval", required_argument, NULL, OPT_INTERVAL },
	{ "duration", required_argument, NULL, OPT_DURATION },
	{ "warm-up", required_argument, NULL, OPT_WARM_UP },
	{ "status", required_argument, NULL, OPT_STATUS },
	{ "static", required_argument, NULL, OPT_STATIC },
	{ "stress", no_argument, NULL, OPT_STRESS },
	{ "check", required_argument, NULL, OPT_CHECK },
	{ "host-device", required_argument, NULL, OPT_DEVICE },
	{ "host-events", required_argument, NULL, OPT_EVENTS },
	{ "leap-list", required_argument, NULL, OPT_LEAP },
	{ "debugfs", required_argument, NULL, OPT_DEBUGFS },
	{ "clock-error", required_argument, NULL, OPT_CLOCK_ERROR },
	{ "marker", required_argument, NULL, OPT_MARKER },
	{ "generation", required_argument, NULL, OPT_GENERATION },
	{ "record", required_argument, NULL, OPT_RECORD },
	{ "rule", required_argument, NULL, OPT_RULE },
	{ "notify", required_argument, NULL, OPT_NOTIFY },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "die-with-parent", no_argument, NULL, OPT_PARENT },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

static bool refuse(const char *what, const char *given, const char *wanted)
{
	fprintf(stderr, "vmclock-host: %s takes %s, not \"%s\"\n", what, wanted, given);
	return false;
}

static bool seconds(const char *what, const char *text, s64 min_us, s64 max_us, s64 *us)
{
	char wanted[64];

	if (str_to_fixed(text, 6, us) && *us >= min_us && *us <= max_us)
		return true;
	snprintf(wanted, sizeof(wanted), "seconds from %g to %g", (double)min_us / 1e6,
		 (double)max_us / 1e6);
	return refuse(what, text, wanted);
}

static bool parse_status(const char *text, s32 *status)
{
	static const char *const words[] = { "unknown", "initializing", "synchronized",
					     "freerunning", "unreliable" };

	for (s32 i = 0; i < (s32)TB_ARRAY_SIZE(words); i++) {
		if (!strcmp(text, words[i])) {
			*status = i;
			return true;
		}
	}
	return refuse("--status", text,
		      "unknown, initializing, synchronized, freerunning or unreliable");
}

/* Decimal cycles with a sign, modulo 2^64: what 64 bits hold, signed or unsigned. */
static bool parse_cycles(const char *text, u64 *cycles)
{
	if (text[0] != '-')
		return str_to_u64(text, cycles);
	if (!str_to_u64(text + 1, cycles) || *cycles > 1ULL << 63)
		return false;
	*cycles = -*cycles;
	return true;
}

static bool parse_offset(struct options *options, const char *text)
{
	static const char *const words[] = { "auto", "none", "kvm", "mailbox" };

	for (u32 i = 0; i < TB_ARRAY_SIZE(words); i++) {
		if (!strcmp(text, words[i])) {
			options->offset = (enum offset_choice)i;
			return true;
		}
	}
	options->offset = OFFSET_CYCLES;
	return parse_cycles(text, &options->offset_cycles) ||
	       refuse("--offset", text, "auto, none, kvm, mailbox or a number of cycles");
}

/* "123.456" exactly: the fraction is at most 18 digits, below 10^18 < 2^60. */
static bool parse_time(const char *text, instant *time)
{
	const char *point = strchr(text, '.');
	char whole[24], digits[20];
	u64 sec, fraction = 0, scale = 1;

	if (!point)
		point = text + strlen(text);
	if (point == text || (size_t)(point - text) >= sizeof(whole))
		return false;
	snprintf(whole, sizeof(whole), "%.*s", (int)(point - text), text);
	if (!str_to_u64(whole, &sec) || sec >= 1ULL << 62)
		return false;
	if (*point && point[1]) {
		if (strlen(point + 1) > 18 || strspn(point + 1, "0123456789") != strlen(point + 1))
			return false;
		snprintf(digits, sizeof(digits), "%s", point + 1);
		fraction = strtoull(digits, NULL, 10);
		for (size_t i = strlen(digits); i; i--)
			scale *= 10;
	}
	*time = instant_make((s64)sec, (u64)div_u128((u128)fraction << 64, scale, NULL));
	return true;
}

/* What --static gives beside the line's own fields. */
struct given {
	u64 hz; /* 0: not given */
	s64 rate_ppt;
	bool has_time, has_counter;
};

static bool parse_type(const char *text, u8 *type)
{
	*type = strcmp(text, "utc") ? VMCLOCK_TIME_TAI : VMCLOCK_TIME_UTC;
	return *type == VMCLOCK_TIME_UTC || !strcmp(text, "tai");
}

/* One name=value of --static. false: the value is none for it, or (!*known) there is no such name.
 */
static bool parse_given(struct vmclock_line *line, struct given *given, const char *name,
			const char *value, bool *known)
{
	u64 tai;

	*known = true;
	if (!strcmp(name, "counter"))
		return given->has_counter = str_to_u64(value, &line->counter_value);
	if (!strcmp(name, "time"))
		return given->has_time = parse_time(value, &line->time);
	if (!strcmp(name, "period-hz"))
		return str_to_u64(value, &given->hz) && given->hz >= 1000 &&
		       given->hz <= 10000000000ULL;
	if (!strcmp(name, "rate-ppm"))
		return str_to_fixed(value, 6, &given->rate_ppt) &&
		       given->rate_ppt >= -100000000000LL && given->rate_ppt <= 100000000000LL;
	if (!strcmp(name, "marker"))
		return str_to_u64(value, &line->disruption_marker);
	if (!strcmp(name, "tai")) {
		if (!str_to_u64(value, &tai) || tai > 32767)
			return false;
		line->tai_offset_sec = (s32)tai;
		return true;
	}
	*known = !strcmp(name, "type") && parse_type(value, &line->time_type);
	return *known;
}

static bool parse_static(struct options *options, char *text)
{
	struct vmclock_line *line = &options->line;
	struct given given = { 0 };
	bool known;

	line->time_type = VMCLOCK_TIME_TAI;
	line->tai_offset_sec = 37;
	line->flags = VMCLOCK_FLAG_TAI_OFFSET_VALID | VMCLOCK_FLAG_PERIOD_ESTERROR |
		      VMCLOCK_FLAG_PERIOD_MAXERROR | VMCLOCK_FLAG_TIME_ESTERROR |
		      VMCLOCK_FLAG_TIME_MAXERROR;
	for (char *word = strtok(text, ","); word; word = strtok(NULL, ",")) {
		char *value = strchr(word, '=');

		if (!value)
			return refuse("--static", word, "name=value pairs (see --help)");
		*value++ = 0;
		if (parse_given(line, &given, word, value, &known))
			continue;
		if (known)
			return refuse(word, value, "a number in its range (see --help)");
		return refuse("--static", word,
			      "counter, time, period-hz, rate-ppm, type, tai and marker");
	}
	if (!given.hz || !given.has_time || !given.has_counter)
		return refuse("--static", "less", "at least counter=, time= and period-hz=");
	vmclock_period_from_hz(given.hz, given.rate_ppt, &line->period_frac, &line->period_shift);
	return true;
}

/* The options that are switches: they take no value. False: `option` is none of them. */
static bool take_switch(struct options *options, int option)
{
	switch (option) {
	case OPT_FORCE:
		options->force = true;
		return true;
	case OPT_STRESS:
		options->mode = MODE_STRESS;
		return true;
	case OPT_JSON:
		options->json = true;
		return true;
	case OPT_PARENT:
		options->die_with_parent = true;
		return true;
	default:
		return false;
	}
}

/* What tells one host from another. */
static bool parse_host(struct options *options, int option, const char *value)
{
	switch (option) {
	case OPT_RECORD:
		options->record = value;
		return true;
	case OPT_DEBUGFS:
		options->debugfs = value;
		return true;
	case OPT_CLOCK_ERROR:
		if (str_to_fixed(value, 0, &options->clock_error_ns) &&
		    options->clock_error_ns >= -1000000000 && options->clock_error_ns <= 1000000000)
			return true;
		return refuse("--clock-error", value, "nanoseconds from -1000000000 to 1000000000");
	case OPT_MARKER:
		return str_to_u64(value, &options->line.disruption_marker) ||
		       refuse("--marker", value, "a number below 2^64");
	case OPT_GENERATION:
		options->generation_known = str_to_u64(value, &options->generation);
		return options->generation_known ||
		       refuse("--generation", value, "a number below 2^64");
	default:
		fprintf(stderr, "vmclock-host: see --help\n");
		return false;
	}
}

static bool parse_one(struct options *options, int option, char *value)
{
	u64 number;

	if (take_switch(options, option))
		return true;
	switch (option) {
	case OPT_PAGE:
		options->page = value;
		return true;
	case OPT_MAILBOX:
		options->mailbox = value;
		return true;
	case OPT_OFFSET:
		return parse_offset(options, value);
	case OPT_PID:
		if (!str_to_u64(value, &number) || !number || number > 1 << 22)
			return refuse("--qemu-pid", value, "a process id");
		options->qemu_pid = (s32)number;
		return true;
	case OPT_PIDFILE:
		options->qemu_pidfile = value;
		return true;
	case OPT_INTERVAL:
		return seconds("--interval", value, 50000, 2000000, &options->interval_us);
	case OPT_DURATION:
		return seconds("--duration", value, 0, 1000000000000LL, &options->duration_us);
	case OPT_WARM_UP:
		return seconds("--warm-up", value, 20000, 60000000, &options->warm_up_us);
	case OPT_STATUS:
		return parse_status(value, &options->status);
	case OPT_STATIC:
		options->mode = MODE_STATIC;
		return parse_static(options, value);
	case OPT_CHECK:
		options->mode = MODE_CHECK;
		options->page = value;
		return true;
	case OPT_DEVICE:
		options->host_device = value;
		return true;
	case OPT_RULE:
		options->kernels_rule = !strcmp(value, "kernel");
		return options->kernels_rule || !strcmp(value, "fit") ||
		       refuse("--rule", value, "fit or kernel");
	case OPT_NOTIFY:
		options->notify = value;
		return strlen(value) < SOCKET_PATH_MAX ||
		       refuse("--notify", value, "a path of less than 108 bytes");
	case OPT_EVENTS:
		options->host_events = value;
		return true;
	case OPT_LEAP:
		options->leap_list = value;
		return true;
	default:
		return parse_host(options, option, value);
	}
}

enum options_result options_parse(struct options *options, int argc, char **argv)
{
	int option;

	*options = (struct options){
		.interval_us = 1000000,
		.warm_up_us = 1000000,
		.duration_us = -1,
		.status = -1,
		.debugfs = "/sys/kernel/debug/kvm",
		.host_device = "/dev/vmclock_host",
	};
	while ((option = getopt_long(argc, argv, "", table, NULL)) != -1) {
		if (option == OPT_HELP) {
			fputs(help, stdout);
			return OPTIONS_HELP;
		}
		if (!parse_one(options, option, optarg))
			return OPTIONS_BAD;
	}
	if (optind < argc) {
		fprintf(stderr, "vmclock-host: \"%s\" is no option; see --help\n", argv[optind]);
		return OPTIONS_BAD;
	}
	if (!options->page) {
		fprintf(stderr, "vmclock-host: name the page with --page FILE, or audit one with "
				"--check FILE; see --help\n");
		return OPTIONS_BAD;
	}
	if (options->mailbox && !strcmp(options->mailbox, options->page)) {
		fprintf(stderr, "vmclock-host: the mailbox must be another file than the page\n");
		return OPTIONS_BAD;
	}
	if (options->offset == OFFSET_MAILBOX && !options->mailbox) {
		fprintf(stderr, "vmclock-host: --offset mailbox needs --mailbox FILE\n");
		return OPTIONS_BAD;
	}
	if (options->offset == OFFSET_KVM && !options->qemu_pid && !options->qemu_pidfile) {
		fprintf(stderr, "vmclock-host: --offset kvm needs --qemu-pid or --qemu-pidfile\n");
		return OPTIONS_BAD;
	}
	if (options->duration_us < 0)
		options->duration_us = options->mode == MODE_CHECK ? 10000000 : 0;
	return OPTIONS_GO;
}

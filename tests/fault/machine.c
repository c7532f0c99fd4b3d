// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Faults of everything around the core, and the parameter that names one. Assumes that the linker
 * was told to --wrap each __wrap_ function here.
 */
#include "lib/string.h"
#include "measure/disruption.h"
#include "measure/markers.h"
#include "scenario/experiments.h"
#include "tests/fault/fault.h"
#include "tk/native/native.h"
#include "vmclock/stress.h"

const char *const fault_names[] = {
	"init-refused",
	"pps-mirrored",
	"pps-unasked",
	"pps-freq-sign",
	"pps-uncounted",
	"pps-spikes",
	"pps-any-beat",
	"pps-stays",
	"tick-dropped",
	"error-sign",
	"error-lost",
	"mult-above",
	"copy-skipped",
	"tick-length",
	"reader-late",
	"reader-back",
	"reader-ahead",
	"reader-torn",
	"ask-torn",
	"ask-back",
	"sequence-late",
	"reference-refused",
	"reference-lost",
	"reference-stale",
	"reference-rate",
	"reference-slewed",
	"reference-1us",
	"offset-lost",
	"offset-sign",
	"offset-short",
	"adjtimex-refused",
	"adjtimex-off",
	"settime-refused",
	"settime-rate",
	"recalibrate-lost",
	"recalibrate-forgets",
	"recalibrate-divides",
	"tick-endless",
	"drain-sign",
	"drain-lost",
	"page-broken",
	"page-unknown",
	"page-pauses",
	"page-dies",
	"marker-lost",
	"void-line",
	"stress-mixed",
	"stress-still",
	"stopwatch-stands",
	"second-sound",
	"second-slow",
	"refusal-traced",
	"freq-sign",
	"tick-usec-off",
	"step-1ns",
	"step-mono",
	"tai-unchecked",
	"step-anywhere",
	"maxerror-stands",
	"loop-gain",
	"adjtime-unread",
	"leap-lost",
	"leap-untold",
	"leap-moves-tai",
	"leap-late",
	"leap-kept",
	"leap-stays",
	"sleep-lost",
	"sleep-mono",
	"sleep-ticks",
	"sleep-boot",
	"sleep-any",
	"sleep-drifts",
	"sleep-needless",
	"aux-1ns",
	"aux-rate",
	"aux-touches-main",
	"main-touches-aux",
	"getter-1ns",
	"boot-1ns",
	"raw-1ns",
	"coarse-1ns",
	"seconds-late",
	"fast-1ns",
	"inside-1ns",
	"cross-1ns",
	"history-off",
	"offset-1ns",
	"copy-unlike",
	"vdso-1ns",
	"vdso-second",
	"vdso-usec",
	"vdso-fine",
	"vdso-zone",
	"vdso-answers",
	"vdso-open",
	"told-twice",
	"told-always",
	"line-believed",
	"bell-lost",
	"device-absent",
	"device-short",
	"device-magic",
	"device-size",
	"device-version",
	"device-counter",
	"device-type",
	"device-status",
	"device-smear",
	"device-leap",
	"device-tai",
	"device-period",
	"device-year",
	"device-estimates",
	"device-monotonic",
	"device-constants",
	"device-silent",
	"device-back",
	"device-odd",
	"device-stuck",
	"device-jump",
	"device-setback",
	"device-restored",
	"counter-jumps",
	"counter-rate",
	"counter-unmasked",
	"behind-lost",
	"idle-lost",
	"seconds-31-bits",
	"seconds-32-bits",
	"time-capped",
	NULL,
};

static const char *chosen = "";

bool fault_is(const char *name)
{
	return !strcmp(chosen, name);
}

static bool choose(const char *name)
{
	for (u32 i = 0; fault_names[i]; i++) {
		if (!strcmp(fault_names[i], name)) {
			chosen = fault_names[i];
			return true;
		}
	}
	return false;
}

/* Takes fault=NAME out of a command line; other words stay. */
static void take_fault(char *line)
{
	static const char mark[] = "fault=";
	const size_t lead = sizeof(mark) - 1;
	char name[32];
	size_t length;

	for (char *word = line; *word; word += length ? length : 1) {
		for (length = 0; word[length] && word[length] != ' '; length++)
			;
		if (length <= lead || length - lead >= sizeof(name) || strncmp(word, mark, lead))
			continue;
		str_copy(name, length - lead + 1, word + lead);
		if (choose(name))
			memset(word, ' ', length);
	}
}

/* In the host process: a parameter among the others. */
bool __real_experiments_parse(struct experiments *experiments, const char *line,
			      char why[EXPERIMENTS_WHY_MAX]);
bool __wrap_experiments_parse(struct experiments *experiments, const char *line,
			      char why[EXPERIMENTS_WHY_MAX]);

bool __wrap_experiments_parse(struct experiments *experiments, const char *line,
			      char why[EXPERIMENTS_WHY_MAX])
{
	static char copy[65536];

	if (!str_copy(copy, sizeof(copy), line))
		return false;
	take_fault(copy);
	return __real_experiments_parse(experiments, copy, why);
}

/* In the guest: beside the exceptions, which it provokes by the same word. */
struct provocation;
void __real_provoke_take(struct provocation *words, char *line) __attribute__((weak));
void __wrap_provoke_take(struct provocation *words, char *line);

void __wrap_provoke_take(struct provocation *words, char *line)
{
	take_fault(line);
	__real_provoke_take(words, line);
}

/* --- The NTP code: what a tick delivers of a phase offset. */

s64 __real_ntp_drain_skew(struct timekeeper *tk, s64 skew_delta, u32 k);
s64 __wrap_ntp_drain_skew(struct timekeeper *tk, s64 skew_delta, u32 k);

s64 __wrap_ntp_drain_skew(struct timekeeper *tk, s64 skew_delta, u32 k)
{
	/* Delivered, and not taken off what is still to go. */
	if (fault_is("drain-lost"))
		return skew_delta * (1LL << k);
	if (fault_is("drain-sign"))
		return -__real_ntp_drain_skew(tk, skew_delta, k);
	return __real_ntp_drain_skew(tk, skew_delta, k);
}

/* --- The page, its reader and its writer. */

bool __real_markers_void(const struct run *run, const struct vmclock_line *line);
bool __wrap_markers_void(const struct run *run, const struct vmclock_line *line);

/* The line from before the disruption is believed again. */
bool __wrap_markers_void(const struct run *run, const struct vmclock_line *line)
{
	return !fault_is("void-line") && __real_markers_void(run, line);
}

enum vmclock_error __real_vmclock_read(const volatile struct vmclock_abi *page, u64 mapped, u64 now,
				       struct vmclock_line *line);
enum vmclock_error __wrap_vmclock_read(const volatile struct vmclock_abi *page, u64 mapped, u64 now,
				       struct vmclock_line *line);

enum vmclock_error __wrap_vmclock_read(const volatile struct vmclock_abi *page, u64 mapped, u64 now,
				       struct vmclock_line *line)
{
	static u64 number, counter_before, reads;
	struct vmclock_line next;
	enum vmclock_error error;

	/* The vehicle's own page, with nobody beside to write it. */
	if (fault_is("stress-mixed") || (fault_is("stress-still") && !number)) {
		vmclock_stress_line(++number, &next);
		vmclock_page_update((volatile struct vmclock_abi *)page, &next);
	}
	error = __real_vmclock_read(page, mapped, now, line);
	/* A publisher without an answer after the core has started, for ever or for 4 reads. */
	if (++reads > 2 && (fault_is("page-unknown") || (fault_is("page-pauses") && reads <= 6)))
		return VMCLOCK_STATUS_IS_UNKNOWN;
	/* The same once the core follows the line. */
	if (reads > 3 && fault_is("page-dies"))
		return VMCLOCK_STATUS_IS_UNKNOWN;
	if (fault_is("marker-lost"))
		line->disruption_marker = 1;
	/* A field of the line before: a reader that did not look at seq_count again. */
	if (fault_is("stress-mixed")) {
		u64 counter_value = line->counter_value;

		line->counter_value = counter_before;
		counter_before = counter_value;
	}
	return error;
}

/* The tick's look, which reads the marker by itself. */
void __real_disruption_look(struct run *run);
void __wrap_disruption_look(struct run *run);
void __wrap_disruption_look(struct run *run)
{
	if (!fault_is("marker-lost"))
		__real_disruption_look(run);
}

/* What a look at the page finds in it, in place of what is there. */
static void break_copy(struct vmclock_abi *copy)
{
	static u64 copies;

	copies++;
	if (fault_is("device-magic"))
		copy->magic++;
	if (fault_is("device-size"))
		copy->size = sizeof(*copy) - 1;
	if (fault_is("device-version"))
		copy->version = 2;
	if (fault_is("device-counter"))
		copy->counter_id = VMCLOCK_COUNTER_ARM_VCNT;
	if (fault_is("device-type"))
		copy->time_type = 3;
	if (fault_is("device-status"))
		copy->clock_status = 5;
	if (fault_is("device-smear"))
		copy->leap_second_smearing_hint = 3;
	if (fault_is("device-leap"))
		copy->leap_indicator = 6;
	if (fault_is("device-tai"))
		copy->tai_offset_sec = 0;
	if (fault_is("device-period"))
		copy->counter_period_frac_sec -= copy->counter_period_frac_sec >> 9;
	if (fault_is("device-year"))
		copy->time_sec = 1;
	if (fault_is("device-estimates"))
		copy->counter_period_esterror_rate_frac_sec = copy->time_esterror_nanosec = 3;
	if (fault_is("device-monotonic"))
		copy->time_type = VMCLOCK_TIME_MONOTONIC;
	if (fault_is("device-constants"))
		copy->version += copy->seq_count >> 1 & 1;
	if (fault_is("device-silent"))
		copy->time_esterror_nanosec = copies & 1;
}

/* A reader that believes a line for ever. */
u64 __real_vmclock_outlived(const struct vmclock_line *line, u64 now);
u64 __wrap_vmclock_outlived(const struct vmclock_line *line, u64 now);

u64 __wrap_vmclock_outlived(const struct vmclock_line *line, u64 now)
{
	return fault_is("line-believed") ? 0 : __real_vmclock_outlived(line, now);
}

/* In the guest: an interrupt that nobody acts on. */
struct bell;
bool __real_bell_listen(const struct bell *bell, void (*function)(void)) __attribute__((weak));
bool __wrap_bell_listen(const struct bell *bell, void (*function)(void));

static void do_nothing(void)
{
}

bool __wrap_bell_listen(const struct bell *bell, void (*function)(void))
{
	return __real_bell_listen(bell, function && fault_is("bell-lost") ? do_nothing : function);
}

void __real_vmclock_raw(const volatile struct vmclock_abi *page, struct vmclock_abi *copy);
void __wrap_vmclock_raw(const volatile struct vmclock_abi *page, struct vmclock_abi *copy);

void __wrap_vmclock_raw(const volatile struct vmclock_abi *page, struct vmclock_abi *copy)
{
	__real_vmclock_raw(page, copy);
	break_copy(copy);
}

/* A writer that does not keep to the rules. */
void __real_vmclock_page_update(volatile struct vmclock_abi *page, const struct vmclock_line *line);
void __wrap_vmclock_page_update(volatile struct vmclock_abi *page, const struct vmclock_line *line);

void __wrap_vmclock_page_update(volatile struct vmclock_abi *page, const struct vmclock_line *line)
{
	struct vmclock_line wrong = *line;
	static u64 updates;

	updates++;
	if (fault_is("device-jump"))
		wrong.time += instant_from_nsec(1000);
	if (fault_is("device-setback"))
		wrong.time -= instant_from_nsec(20000000);
	if (fault_is("device-restored")) {
		wrong.disruption_marker = 1;
		wrong.vm_generation_counter = 1;
	}
	__real_vmclock_page_update(page, &wrong);
	if (fault_is("device-back") && updates > 3)
		page->seq_count -= 4;
	if (fault_is("device-odd") || (fault_is("device-stuck") && updates > 3))
		page->seq_count++;
}

/* --- The clock. */

static struct clock *running;
static void (*sound_run_until)(struct clock *clock, u64 until);
static void (*sound_reset)(struct clock *clock);

/* In the middle of a stretch in which the core follows it, the page becomes none. */
static void run_until_page_breaks(struct clock *clock, u64 until)
{
	const struct run *run = clock->ticker ? clock->ticker->context : NULL;
	u64 now = clock->now(clock->context);

	sound_run_until(clock, now + (until - now) / 2);
	if (run && run->following && clock->page->magic) {
		clock->page->magic = 0;
		clock->page->seq_count += 2;
	}
	sound_run_until(clock, until);
}

/* Another counter of a virtual machine, at 1 GHz by its own word. */
static u64 second_read(void)
{
	u64 hz = running->counter.hz;
	u64 cycles = running->now(running->context);

	if (fault_is("second-slow"))
		cycles -= cycles >> 10;
	return (u64)div_u128((u128)cycles * TB_NSEC_PER_SEC, hz, NULL);
}

static u64 stopwatch_stands(void)
{
	return 1;
}

void __real_scenarios_run(const struct scenario_params *params, struct clock *clock,
			  struct run_io *io);
void __wrap_scenarios_run(const struct scenario_params *params, struct clock *clock,
			  struct run_io *io);
void __real_virtual_clock_init(struct clock *clock, const struct virtual_setup *setup);
void __wrap_virtual_clock_init(struct clock *clock, const struct virtual_setup *setup);

static void break_clock(struct clock *clock)
{
	running = clock;
	if (fault_is("device-absent"))
		clock->page = NULL;
	if (fault_is("device-short"))
		clock->page_mapped = sizeof(*clock->page) - 1;
	if (fault_is("page-broken")) {
		sound_run_until = clock->run_until;
		clock->run_until = run_until_page_breaks;
	}
	if (*chosen) {
		clock->second.name = "a second counter";
		clock->second.period_fs = TB_FSEC_PER_NSEC;
		clock->second.mask = ~0ULL;
		clock->second.read = second_read;
	}
}

static void reset_broken(struct clock *clock)
{
	sound_reset(clock);
	sound_reset = clock->reset;
	clock->reset = reset_broken;
	break_clock(clock);
}

void __wrap_virtual_clock_init(struct clock *clock, const struct virtual_setup *setup)
{
	__real_virtual_clock_init(clock, setup);
	sound_reset = clock->reset;
	clock->reset = reset_broken;
	break_clock(clock);
}

void __wrap_scenarios_run(const struct scenario_params *params, struct clock *clock,
			  struct run_io *io)
{
	if (fault_is("stopwatch-stands"))
		io->stopwatch_ns = stopwatch_stands;
	__real_scenarios_run(params, clock, io);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Judges the vmclock page of any hypervisor against its specification (UAPI.13) and against what
 * Linux's driver ptp_vmclock accepts, one claim a statement. It needs no usable line: what a page
 * does not offer is skipped, with the reason. With disruptions= it asks its host to restore the
 * guest, and waits for the markers. On the virtual clock it updates its own page.
 */
#include "lib/math.h"
#include "measure/reading.h"
#include "scenario/list.h"
#include "vmclock/observe.h"

#define LOOKS		  64 /* between two moments in which the mailbox is served */
#define ROUND_NS	  20000
#define VIRTUAL_ROUND_NS  1000000
#define OWN_UPDATE_ROUNDS 10
#define LINE_MS		  10000
#define RESTORE_MS	  60000 /* how long the host is waited for */
#define ODD_MAX_MS	  100
#define PERIOD_PPM	  1000
#define TAI_SEC_MIN	  10 /* in 1972 */
#define TAI_SEC_MAX	  100
#define YEAR_2020_SEC	  1577836800ULL
#define YEAR_2200_SEC	  7258118400ULL
#define SMEARINGS	  3
#define LEAP_INDICATORS	  6

#define NO_LINE	    "the page has no line: its counter_id is INVALID"
#define NOT_COUNTED "the page's clock_status says that its fields are not valid"
#define NO_FLAG	    "the page does not set the flag"

#define OFFSET_OF_TAI "tai_offset_sec is TAI's to UTC: 10 s in 1972, 37 s in 2017 (UAPI.13, 0x24)"
#define PERIOD	      "the period is the counter's, within 0.1 % (UAPI.13, 0x30)"
#define TIME_NOW      "the time is one between 2020 and 2200 (UAPI.13, 0x48)"
#define EST_PERIOD    "the period's estimated error is no larger than its maximum (UAPI.13, 0x38)"
#define EST_TIME      "the time's estimated error is no larger than its maximum (UAPI.13, 0x58)"
#define PTP	      "Linux has a PTP clock of it: TAI, or UTC with its offset (ptp_vmclock)"
#define FOLLOWED      "a guest can follow its line (UAPI.13, Calculating time)"
#define KEEPS_ERRORS  "past times stay within their stated error (UAPI.13, Time error calculation)"
#define NEVER_BACK    "no update sets the time back (vmclock-abi.h, VMCLOCK_FLAG_TIME_MONOTONIC)"
#define MARKER	      "the marker changes when the guest is restored (UAPI.13, 0x10)"
#define NOTIFIED      "a notification comes with each update (UAPI.13, Discovery via ACPI)"
#define GENERATION    "the generation counter changes when the guest is restored (UAPI.13, 0x64)"

static bool flag(const struct vmclock_abi *page, u64 flags)
{
	return (page->flags & flags) == flags;
}

/* --- Notifications. */

#define BELL_HZ 100  /* of ticks that do nothing: interrupts are on while there are ticks */
#define BELL_MS 2000 /* how long a notification may take on a busy host */

static struct {
	const char *why_not; /* NULL: they are listened to */
	volatile u64 rings;
	u64 due_by; /* counter; 0: no update waits for its notification */
	u64 rings_before, last_rings, missed, notified;
	struct ticker ticker;
} bell;

static void nothing(void *context)
{
	(void)context;
}

static void no_tick(u64 now)
{
	(void)now;
}

static void rang(void *context)
{
	(void)context;
	bell.rings++;
}

static void bell_begin(struct run *run)
{
	struct clock *clock = run->clock;

	bell.rings = bell.due_by = bell.missed = bell.notified = 0;
	bell.rings_before = bell.last_rings = 0;
	bell.why_not = "this clock has no interrupts";
	if (!clock->notify)
		return;
	bell.ticker = (struct ticker){
		.interval = clock->counter.hz / BELL_HZ,
		.tick = no_tick,
		.sample = nothing,
	};
	clock->ticks_start(clock, &bell.ticker);
	bell.why_not = clock->notify(clock, rang, NULL);
}

static void bell_end(struct run *run)
{
	if (!run->clock->notify)
		return;
	if (!bell.why_not)
		run->clock->notify(run->clock, NULL, NULL);
	run->clock->ticks_stop(run->clock);
}

/* After each look: whether it found an update, and whether an earlier one was notified in time. */
static void bell_look(struct run *run, bool updated)
{
	const u64 now = counter_now(run);

	if (bell.rings != bell.rings_before) {
		bell.notified += bell.due_by != 0;
		bell.due_by = 0;
	}
	if (bell.due_by && (s64)(now - bell.due_by) > 0) {
		bell.missed++;
		bell.due_by = 0;
	}
	if (updated && !bell.due_by) {
		/* The interrupt may have come just before this look. */
		bell.due_by = now + run_cycles_in_ms(run, BELL_MS);
		bell.rings_before = bell.last_rings;
	}
	bell.last_rings = bell.rings;
}

/* --- What is watched. */

/* Replaces the line of the virtual clock's own page by one that goes on as it did. */
static void own_update(struct run *run, u64 generation, u64 marker)
{
	struct vmclock_line line;

	if (vmclock_read(run->clock->page, run->clock->page_mapped, 0, &line))
		return;
	line.time = vmclock_time_at(&line, counter_now(run));
	line.counter_value = counter_now(run);
	line.flags |= VMCLOCK_FLAG_TAI_OFFSET_VALID | VMCLOCK_FLAG_PERIOD_ESTERROR |
		      VMCLOCK_FLAG_PERIOD_MAXERROR | VMCLOCK_FLAG_TIME_ESTERROR |
		      VMCLOCK_FLAG_TIME_MAXERROR | VMCLOCK_FLAG_VM_GEN_COUNTER;
	line.tai_offset_sec = 37;
	line.period_esterror = line.time_esterror_ns = 1;
	line.period_maxerror = line.time_maxerror_ns = 2;
	line.disruption_marker += marker;
	line.vm_generation_counter += generation;
	vmclock_page_update(run->clock->page, &line);
}

static void look(struct run *run, struct observation *seen)
{
	const u64 before = seen->updates, restores = seen->markers + seen->generations;

	observe_look(seen, counter_now(run));
	/* What was sent while the guest was saved or restored is lost with the state of before. */
	if (seen->markers + seen->generations != restores)
		bell.due_by = 0;
	else
		bell_look(run, seen->updates != before);
}

/* Some looks as fast as can be, and a moment for the rest of the guest. */
static void one_round(struct run *run, struct observation *seen, u64 number)
{
	struct clock *clock = run->clock;
	const u64 ns = clock->is_virtual ? VIRTUAL_ROUND_NS : ROUND_NS;

	if (clock->page_is_ours && number % OWN_UPDATE_ROUNDS == 0)
		own_update(run, 0, 0);
	for (u32 i = 0; i < LOOKS; i++)
		look(run, seen);
	run->ticker.progress++;
	clock->run_until(clock, counter_now(run) + clock->counter.hz / (TB_NSEC_PER_SEC / ns));
}

/* Looks until the page has a line, if it has a counter: its publisher may be initializing, or busy.
 */
static void await_line(struct run *run, struct observation *seen)
{
	const u64 until = counter_now(run) + run_cycles_in_ms(run, LINE_MS);

	for (u64 number = 0; (s64)(until - counter_now(run)) > 0; number++) {
		if (seen->any && (seen->last.counter_id == VMCLOCK_COUNTER_INVALID ||
				  observe_claims_line(&seen->last)))
			return;
		one_round(run, seen, number);
	}
}

static void watch(struct run *run, struct observation *seen)
{
	const u64 until = counter_now(run) + run_cycles_in_ms(run, run->params->duration_ms);

	for (u64 number = 0; (s64)(until - counter_now(run)) > 0; number++)
		one_round(run, seen, number);
}

/* Asks the host to restore the guest, and waits until it was. */
static void await_restore(struct run *run, struct observation *seen)
{
	const u64 start = counter_now(run), patience = run_cycles_in_ms(run, RESTORE_MS);
	const u64 before = seen->markers + seen->generations;

	ktap_note(run->ktap, "device: restore this guest now");
	if (run->clock->page_is_ours)
		own_update(run, 1, 1);
	/* A restored guest may find a counter of long before, or of long after. */
	for (u64 number = 1; seen->markers + seen->generations == before; number++) {
		if ((s64)(counter_now(run) - start) > (s64)patience)
			return;
		one_round(run, seen, number);
	}
	watch(run, seen);
	await_line(run, seen);
}

static void report_watch(struct run *run, const struct observation *seen)
{
	const u64 hz = run->clock->counter.hz;

	ktap_metric(run->ktap, "looks", (s128)seen->looks, 0, 0, "looks");
	ktap_metric(run->ktap, "updates", (s128)seen->updates, 0, 0, "updates");
	ktap_metric(run->ktap, "longest_odd_us",
		    (s128)div_u128((u128)seen->odd_max_cycles * 1000000000, hz, NULL), 3, 3, "us");
	ktap_metric(run->ktap, "judged_updates", (s128)seen->judged, 0, 0, "updates");
	ktap_metric(run->ktap, "markers", (s128)seen->markers, 0, 0, "changes");
	ktap_metric(run->ktap, "generations", (s128)seen->generations, 0, 0, "changes");
	ktap_metric(run->ktap, "notified", (s128)bell.notified, 0, 0, "updates");
	ktap_metric(run->ktap, "not_notified", (s128)bell.missed, 0, 0, "updates");
	if (!seen->any)
		return;
	ktap_note(run->ktap, "counter_id %u, time_type %u, clock_status %u, flags 0x%llx, size %u",
		  seen->last.counter_id, seen->last.time_type, seen->last.clock_status,
		  seen->last.flags, seen->last.size);
}

/* --- What is claimed. */

static void claim_header(struct run *run, const struct observation *seen)
{
	const struct vmclock_abi *page = &seen->last;
	struct ktap *ktap = run->ktap;

	ktap_report(ktap, page->magic == VMCLOCK_MAGIC,
		    "the magic is 0x4b4c4356, \"VCLK\" (UAPI.13, 0x00)");
	ktap_report(ktap, page->size >= sizeof(*page) && page->size <= seen->mapped,
		    "the size holds the fields, and is within the region (UAPI.13, 0x04)");
	ktap_report(ktap, page->version == VMCLOCK_VERSION, "the version is 1 (UAPI.13, 0x08)");
	ktap_report(ktap,
		    page->counter_id == VMCLOCK_COUNTER_X86_TSC ||
			    page->counter_id == VMCLOCK_COUNTER_INVALID,
		    "counter_id is the x86 TSC or INVALID (UAPI.13, 0x0a)");
	ktap_report(ktap, page->time_type <= VMCLOCK_TIME_MONOTONIC,
		    "time_type is UTC, TAI or monotonic (UAPI.13, 0x0b)");
	ktap_report(ktap, page->clock_status <= VMCLOCK_STATUS_UNRELIABLE,
		    "clock_status is one that is defined (UAPI.13, Clock Status)");
	ktap_report(ktap, page->leap_second_smearing_hint < SMEARINGS,
		    "the smearing hint is one that is defined (UAPI.13, 0x23)");
	ktap_report(ktap, page->leap_indicator < LEAP_INDICATORS,
		    "leap_indicator is one that is defined (UAPI.13, 0x26)");
	/* The driver looks at no other field before it binds. */
	ktap_report(ktap,
		    page->magic == VMCLOCK_MAGIC && page->size <= seen->mapped &&
			    page->version == VMCLOCK_VERSION,
		    "Linux's driver binds to it (ptp_vmclock)");
}

static void claim_sequence(struct run *run, const struct observation *seen)
{
	struct ktap *ktap = run->ktap;

	ktap_report(
		ktap, !seen->constants_changed,
		"the fields up to time_type do not change (UAPI.13, The vmclock_abi structure)");
	ktap_report(ktap, !seen->silent_changes,
		    "no field changes while seq_count is even (UAPI.13, 0x0c)");
	ktap_report(ktap, !seen->seq_back, "seq_count never goes back (UAPI.13, 0x0c)");
}

/* The reason why the page's line cannot be judged; NULL: it can. A page may be in doubt for a
 * moment, as after a restore: the latest line that it had is judged. */
static const char *no_line(const struct observation *seen)
{
	if (seen->lined)
		return NULL;
	return seen->last.counter_id == VMCLOCK_COUNTER_INVALID ? NO_LINE : NOT_COUNTED;
}

/* Whether hz = 2^(64 + shift) / frac is the counter's, within PERIOD_PPM. */
static bool period_fits(const struct vmclock_abi *page, u64 hz)
{
	struct vmclock_line line = {
		.period_frac = page->counter_period_frac_sec,
		.period_shift = page->counter_period_shift,
	};
	const u64 told = vmclock_counter_hz(&line);

	return magnitude((s64)(told - hz)) <= (s64)(hz / 1000000 * PERIOD_PPM);
}

static void claim_time(struct run *run, const struct observation *seen, const char *why_not)
{
	const struct vmclock_abi *page = &seen->line;
	struct ktap *ktap = run->ktap;

	if (why_not)
		ktap_skip(ktap, TIME_NOW, why_not);
	else if (page->time_type == VMCLOCK_TIME_MONOTONIC)
		ktap_skip(ktap, TIME_NOW, "the page's time is monotonic: it has no epoch");
	else
		ktap_report(ktap, page->time_sec >= YEAR_2020_SEC && page->time_sec < YEAR_2200_SEC,
			    TIME_NOW);
	if (why_not)
		ktap_skip(ktap, OFFSET_OF_TAI, why_not);
	else if (!flag(page, VMCLOCK_FLAG_TAI_OFFSET_VALID))
		ktap_skip(ktap, OFFSET_OF_TAI, NO_FLAG);
	else
		ktap_report(ktap,
			    page->tai_offset_sec >= TAI_SEC_MIN &&
				    page->tai_offset_sec <= TAI_SEC_MAX,
			    OFFSET_OF_TAI);
	if (why_not)
		ktap_skip(ktap, PERIOD, why_not);
	else
		ktap_report(ktap, period_fits(page, run->clock->counter.hz), PERIOD);
}

static void claim_errors(struct run *run, const struct observation *seen, const char *why_not)
{
	const u64 period = VMCLOCK_FLAG_PERIOD_ESTERROR | VMCLOCK_FLAG_PERIOD_MAXERROR;
	const u64 time = VMCLOCK_FLAG_TIME_ESTERROR | VMCLOCK_FLAG_TIME_MAXERROR;
	const struct vmclock_abi *page = &seen->line;
	struct ktap *ktap = run->ktap;

	if (why_not || !flag(page, period))
		ktap_skip(ktap, EST_PERIOD, why_not ? why_not : NO_FLAG);
	else
		ktap_report(ktap,
			    page->counter_period_esterror_rate_frac_sec <=
				    page->counter_period_maxerror_rate_frac_sec,
			    EST_PERIOD);
	if (why_not || !flag(page, time))
		ktap_skip(ktap, EST_TIME, why_not ? why_not : NO_FLAG);
	else
		ktap_report(ktap, page->time_esterror_nanosec <= page->time_maxerror_nanosec,
			    EST_TIME);
}

static void claim_line(struct run *run, const struct observation *seen, const char *why_not)
{
	const bool tai = flag(&seen->line, VMCLOCK_FLAG_TAI_OFFSET_VALID);
	const u8 type = seen->line.time_type;
	struct ktap *ktap = run->ktap;
	struct vmclock_line line;
	enum vmclock_error error;

	if (why_not) {
		ktap_skip(ktap, FOLLOWED, why_not);
		ktap_skip(ktap, PTP, why_not);
		return;
	}
	error = vmclock_read(&seen->line, seen->mapped, seen->line_seen, &line);
	if (error)
		ktap_note(ktap, "line: %s", vmclock_strerror(error));
	ktap_report(ktap, !error, FOLLOWED);
	ktap_report(ktap, type == VMCLOCK_TIME_TAI || (type == VMCLOCK_TIME_UTC && tai), PTP);
}

static void claim_updates(struct run *run, const struct observation *seen, const char *why_not)
{
	struct ktap *ktap = run->ktap;

	if (why_not)
		ktap_skip(ktap, KEEPS_ERRORS, why_not);
	else if (!seen->judged)
		ktap_skip(ktap, KEEPS_ERRORS,
			  seen->updates ? "the page states no maximum errors"
					: "the page was not updated");
	else
		ktap_report(ktap, !seen->outside, KEEPS_ERRORS);
	if (seen->outside)
		run_metric_ns(run, "beyond_error_ns", seen->outside_max_fs);
	if (why_not)
		ktap_skip(ktap, NEVER_BACK, why_not);
	else if (!seen->monotonic)
		ktap_skip(ktap, NEVER_BACK, seen->updates ? NO_FLAG : "the page was not updated");
	else
		ktap_report(ktap, !seen->set_back, NEVER_BACK);
}

static void claim_restore(struct run *run, const struct observation *seen)
{
	const char *why_not = run->params->disruptions ? NULL : "this guest was not restored";
	struct ktap *ktap = run->ktap;

	if (why_not)
		ktap_skip(ktap, MARKER, why_not);
	else
		ktap_report(ktap, seen->markers > 0, MARKER);
	if (why_not || !flag(&seen->last, VMCLOCK_FLAG_VM_GEN_COUNTER))
		ktap_skip(ktap, GENERATION, why_not ? why_not : NO_FLAG);
	else
		ktap_report(ktap, seen->generations > 0, GENERATION);
}

static void claim_notification(struct run *run, const struct observation *seen)
{
	struct ktap *ktap = run->ktap;

	if (!flag(&seen->last, VMCLOCK_FLAG_NOTIFICATION))
		ktap_skip(ktap, NOTIFIED, NO_FLAG);
	else if (bell.why_not)
		ktap_skip(ktap, NOTIFIED, bell.why_not);
	else if (!bell.notified && !bell.missed)
		ktap_skip(ktap, NOTIFIED, "the page was not updated");
	else
		ktap_report(ktap, !bell.missed, NOTIFIED);
}

static void device_run(struct run *run)
{
	static struct observation seen; /* too large for a stack */
	struct clock *clock = run->clock;
	const char *why_not;

	if (!ktap_report(run->ktap, clock->page != NULL,
			 "there is a vmclock device with memory (UAPI.13, Discovery via ACPI)"))
		return;
	if (!ktap_report(run->ktap, clock->page_mapped >= sizeof(*clock->page),
			 "the memory holds all fields (UAPI.13, Structure Fields)"))
		return;
	observe_begin(&seen, clock->page, clock->page_mapped);
	bell_begin(run);
	await_line(run, &seen);
	watch(run, &seen);
	if (run->params->disruptions)
		await_restore(run, &seen);
	bell_end(run);
	report_watch(run, &seen);
	if (!ktap_report(run->ktap, seen.any,
			 "the page can be read: seq_count is even (UAPI.13, Calculating time)"))
		return;
	ktap_report(run->ktap, seen.odd_max_cycles <= run_cycles_in_ms(run, ODD_MAX_MS),
		    "seq_count is odd for less than 100 ms (UAPI.13, The vmclock_abi structure)");
	why_not = no_line(&seen);
	claim_header(run, &seen);
	claim_sequence(run, &seen);
	claim_time(run, &seen, why_not);
	claim_errors(run, &seen, why_not);
	claim_line(run, &seen, why_not);
	claim_updates(run, &seen, why_not);
	claim_restore(run, &seen);
	claim_notification(run, &seen);
}

const struct scenario scenario_device = {
	.name = "device",
	.claim = "the vmclock device does what its specification says",
	.needs = { .notification = true },
	.on_request = true,
	.duration_ms = { [CLOCK_VIRTUAL] = 1000, [CLOCK_TSC] = 5000 },
	.run = device_run,
};

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The guest's main: a straight line from the hand-over to power-off. Either way in comes here, with
 * one CPU, interrupts off, and memory mapped one to one.
 */
#include "arch/x86/acpi.h"
#include "arch/x86/descriptors.h"
#include "arch/x86/fault.h"
#include "arch/x86/paging.h"
#include "arch/x86/pic.h"
#include "arch/x86/power.h"
#include "arch/x86/screen.h"
#include "arch/x86/tsc.h"
#include "boot/boot.h"
#include "guest/console.h"
#include "guest/memory.h"
#include "guest/real.h"
#include "guest/samples.h"
#include "guest/words.h"
#include "lib/samples.h"
#include "lib/string.h"

#define SCREEN_SECONDS	60
#define KEYBOARD_DATA	0x60
#define KEYBOARD_STATUS 0x64
#define KEYBOARD_FULL	0x01

static struct machine machine;

/* Whether a key is waiting at the keyboard controller; false where there is none. */
static bool key_pressed(void)
{
	u8 status = inb(KEYBOARD_STATUS);

	if (status == 0xff || !(status & KEYBOARD_FULL))
		return false;
	inb(KEYBOARD_DATA);
	return true;
}

/* Where no debugger takes a status: leaves the report on the screen for a while, then turns off. */
static void turn_off(void)
{
	struct tsc_span span;
	u32 seconds;

	if (screen_present()) {
		out_printf(&console, "# power goes off in %u s, or at a key\n", SCREEN_SECONDS);
		for (seconds = 0; seconds < SCREEN_SECONDS && machine.clock.name; seconds++) {
			if (key_pressed() || !tsc_measure(&span, &machine.clock, TB_FSEC_PER_SEC))
				break;
		}
	}
	acpi_soft_off();
	out_printf(&console,
		   "# this machine does not turn itself off: power it off, or reset it\n");
}

/* Of the reference clock; may wrap every few seconds, as that does. */
static u64 stopwatch_ns(void)
{
	if (!machine.clock.name)
		return 0;
	return (u64)div_u128((u128)refclock_read() * machine.clock.period_fs, TB_FSEC_PER_NSEC,
			     NULL);
}

/* There is no plan yet that could stand below it. */
static void begin_without_plan(void)
{
	out_printf(&console, "KTAP version 1\n");
}

/* Says what is wrong with the command line before anything runs; gives the number of runs. */
static u32 check_experiments(const char *line)
{
	struct scenario_params params;
	char word[64];
	const char *why;
	u32 runs = 0, some;

	do {
		enum params_error error = params_parse_line(&params, &line, word, sizeof(word));

		if (error) {
			begin_without_plan();
			bail_out("%s: %s", word, params_strerror(error));
		}
		some = bench_count(&params, &why);
		if (!some) {
			begin_without_plan();
			bail_out("scenario=%s core=%s: %s", params.scenario, params.core, why);
		}
		runs += some;
	} while (*line);
	return runs;
}

struct guarded {
	void (*run)(struct bench *bench);
	struct bench *bench;
};

static void run_guarded(void *context)
{
	const struct guarded *guarded = context;

	guarded->run(guarded->bench);
}

static bool guard(void (*run)(struct bench *bench), struct bench *bench, const char **why)
{
	struct guarded guarded = { run, bench };

	*why = "a tick divided by zero";
	return fault_guard(run_guarded, &guarded);
}

static void say_page(struct ktap *ktap, const char *name, const struct guest_page *page)
{
	if (page->address)
		ktap_note(ktap, "%s: at 0x%llx, %llu bytes", name, page->physical, page->size);
	else if (page->physical)
		ktap_note(ktap, "%s: none, since its device says 0x%llx: %s", name, page->physical,
			  page->why);
	else
		ktap_note(ktap, "%s: none: %s", name, page->why);
}

/* What the page says of itself, where it is not a line to follow too. */
static void say_line(struct ktap *ktap, const struct guest_page *page)
{
	struct vmclock_line line;
	enum vmclock_error error;

	if (!page->address)
		return;
	error = vmclock_read(page->address, page->size, 0, &line);
	ktap_note(ktap, "vmclock says: %s", vmclock_strerror(error));
	if (!error || error == VMCLOCK_NO_COUNTER)
		ktap_note(ktap, "vmclock markers: disruption %llu, generation %llu",
			  line.disruption_marker, line.vm_generation_counter);
}

static void say_machine(struct ktap *ktap, const struct boot_info *boot, enum acpi_error acpi)
{
	const struct cpu_features *cpu = &machine.cpu;

	ktap_note(ktap, "tickbench, booted by %s", boot->way == BOOT_UEFI ? "UEFI" : "PVH");
	ktap_note(ktap, "cpu: %s %s", cpu->vendor, cpu->brand);
	ktap_note(ktap, "hypervisor: %s", cpu->hypervisor[0] ? cpu->hypervisor : "none");
	ktap_note(ktap, "tsc: %s, %s",
		  cpu->invariant_tsc ? "invariant" : "not said to be invariant",
		  cpu->tsc_deadline ? "with a deadline timer" : "without a deadline timer");
	if (acpi)
		ktap_note(ktap, "acpi: %s", acpi_strerror(acpi));
	ktap_note(ktap, "reference clock: %s", machine.clock.name ? machine.clock.name : "none");
	say_page(ktap, "vmclock", &machine.page);
	say_line(ktap, &machine.page);
	say_page(ktap, "mailbox", &machine.mailbox);
}

static void find_machine(struct ktap *ktap, const struct boot_info *boot)
{
	enum acpi_error acpi = acpi_init(boot->rsdp);

	cpu_identify(&machine.cpu);
	pic_silence();
	refclock_init(&machine.clock);
	guest_page_find(&machine.page, VMCLOCK_ACPI_ID);
	guest_page_find(&machine.mailbox, MAILBOX_ACPI_ID);
	say_machine(ktap, boot, acpi);
}

/* The same of what the machine lacks. */
static void check_machine(const char *line)
{
	struct scenario_params params;
	char word[64];

	do {
		enum real_error error;

		params_parse_line(&params, &line, word, sizeof(word));
		error = params.clock == CLOCK_TSC ? real_check(&machine, &params) : REAL_OK;
		if (error)
			bail_out("%s", real_strerror(error));
	} while (*line);
}

static void run_experiments(const char *line, struct bench_io *io)
{
	struct scenario_params params;
	struct vehicle vehicle;
	char word[64];

	do {
		enum real_error error = REAL_OK;

		params_parse_line(&params, &line, word, sizeof(word));
		if (params.clock == CLOCK_VIRTUAL)
			virtual_vehicle_init(&vehicle, &params);
		else
			error = real_vehicle_init(&vehicle, &machine, &params);
		if (error)
			bail_out("%s", real_strerror(error));
		bench_run(&params, &vehicle, io);
	} while (*line);
}

static enum exit_status verdict(const struct ktap *ktap)
{
	if (ktap->failed[0])
		return EXIT_FAILED;
	return ktap->skipped[0] == ktap->number[0] ? EXIT_SKIPPED : EXIT_PASSED;
}

void kernel_main(struct boot_info *boot)
{
	struct guest_words words;
	struct stats stats;
	struct ktap ktap = { .out = &console };
	struct bench_io io = { .ktap = &ktap,
			       .stats = &stats,
			       .ship = samples_ship,
			       .stopwatch_ns = stopwatch_ns,
			       .guard = guard };
	struct sample *samples;

	console_init(boot);
	fault_init(&console);
	descriptors_init();
	power_set_fallback(turn_off);

	if (boot->cmdline_cut) {
		begin_without_plan();
		bail_out("the command line is longer than %u bytes: run fewer experiments at once",
			 BOOT_CMDLINE_MAX - 1);
	}
	guest_words_take(&words, boot->cmdline);
	while (words.hang)
		asm volatile("hlt");
	ktap_begin(&ktap, &console, check_experiments(boot->cmdline));
	if (words.fault[0] && !fault_provoke(words.fault))
		bail_out("fault=%s: there is no such fault to provoke", words.fault);
	find_machine(&ktap, boot);
	check_machine(boot->cmdline);

	samples = memory_claim(boot, SAMPLES_KEPT * sizeof(*samples));
	io.scratch = memory_claim(boot, SAMPLES_KEPT * sizeof(*io.scratch));
	if (!samples || !io.scratch)
		bail_out("there is no RAM for %u samples in the memory map", SAMPLES_KEPT);
	stats_init(&stats, samples, SAMPLES_KEPT);
	run_experiments(boot->cmdline, &io);
	power_off(verdict(&ktap));
}

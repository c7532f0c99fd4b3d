// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The guest's main, from the hand-over to power-off. Both boot paths call kernel_main() with one
 * CPU, interrupts off, and memory mapped one to one.
 */
#include "arch/x86/descriptors.h"
#include "arch/x86/fault.h"
#include "arch/x86/power.h"
#include "boot/boot.h"
#include "guest/console.h"
#include "guest/experiments.h"
#include "guest/machine.h"
#include "guest/memory.h"
#include "guest/provoke.h"
#include "guest/samples.h"
#include "guest/second.h"
#include "lib/samples.h"

static struct machine machine;
static struct experiments experiments;

static void turn_off(void)
{
	machine_turn_off(&machine);
}

static u64 stopwatch_ns(void)
{
	return machine_stopwatch_ns(&machine);
}

struct guarded {
	void (*body)(struct run *run);
	struct run *run;
};

static void run_guarded(void *context)
{
	const struct guarded *guarded = context;

	guarded->body(guarded->run);
}

static bool guard(void (*body)(struct run *run), struct run *run, const char **why)
{
	struct guarded guarded = { body, run };

	*why = "a tick divided by zero";
	return fault_guard(run_guarded, &guarded);
}

static enum exit_status verdict(const struct ktap *ktap)
{
	if (ktap->failed[0])
		return EXIT_FAILED;
	return ktap->skipped[0] == ktap->number[0] ? EXIT_SKIPPED : EXIT_PASSED;
}

void kernel_main(struct boot_info *boot)
{
	struct provocation wanted;
	struct stats stats;
	struct ktap ktap = { .out = &console };
	struct run_io io = { .ktap = &ktap,
			     .stats = &stats,
			     .ship = samples_ship,
			     .stopwatch_ns = stopwatch_ns,
			     .second = &guest_second,
			     .guard = guard };
	struct sample *samples;

	console_init(boot);
	fault_init(&console);
	descriptors_init(fault_report);
	power_set_fallback(turn_off);

	if (boot->cmdline_cut) {
		out_printf(&console, "KTAP version 1\n");
		bail_out("the command line is longer than %u bytes: run fewer experiments at once",
			 BOOT_CMDLINE_MAX - 1);
	}
	provoke_take(&wanted, boot->cmdline);
	while (wanted.hang)
		asm volatile("hlt");
	experiments_take(&experiments, boot->cmdline);
	ktap_begin(&ktap, &console, experiments.runs);
	if (wanted.fault[0] && !fault_provoke(wanted.fault))
		bail_out("fault=%s: there is no such fault to provoke", wanted.fault);
	machine_find(&machine, &ktap, boot);
	experiments_check(&experiments, &machine);
	guest_second_init(&machine, boot);

	samples = memory_claim(boot, SAMPLES_KEPT * sizeof(*samples));
	io.scratch = memory_claim(boot, SAMPLES_KEPT * sizeof(*io.scratch));
	if (!samples || !io.scratch)
		bail_out("there is no RAM for %u samples in the memory map", SAMPLES_KEPT);
	stats_init(&stats, samples, SAMPLES_KEPT);
	experiments_run(&experiments, &machine, &io);
	power_off(verdict(&ktap));
}
